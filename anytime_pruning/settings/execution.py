"""Define where and how a run is computed, and the files with which a run may begin."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from anytime_pruning.foundation.fields import Count, FilePath, Name, Number


class ExecutionSettings(BaseModel):
    """Holds the settings that say where and how a run is computed.

    These settings are not part of a run's identity, because a run should give the same numbers everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:[0-9]{1,4})?)$", description="auto, cpu, cuda or cuda:N")
    threads: Count = Field(1, le=512, description="CPU threads of one run")
    gpu_slots: Count = Field(1, le=64, description="runs that share one GPU: side by side with MPS, in turns without")
    compile: bool = Field(
        False, description="compile the network with torch.compile: one minute more at first, faster steps on a GPU"
    )
    deterministic: bool = Field(
        False, description="use only algorithms that repeat their bits; matters on a GPU, where it costs speed"
    )
    data_dir: FilePath = Field(Path("data"), description="folder of downloads and of the decoded cache")
    checkpoint_epochs: Count = Field(
        1,
        description="epochs between two checkpoints of an unfinished run; each megabatch ends with one more checkpoint",
    )
    checkpoint_share: Number = Field(
        0.02,
        ge=0,
        le=1,
        description="share of the running time that checkpoints may take; above it, those of epochs are postponed",
    )
    tracker: Name = Field(
        "none", description="where a run reports its numbers beside its files: none, tensorboard or wandb"
    )


class StartFile(BaseModel):
    """Names a safetensors file with which a run begins.

    The content of the file is part of a run's identity; the path is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: FilePath = Field(description="safetensors file")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file; a run checks it")
