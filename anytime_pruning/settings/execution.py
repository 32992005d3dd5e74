"""Define where and how a run is computed, and files that a run begins with."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from anytime_pruning.foundation.fields import Count, FilePath, Name, Number


class ExecutionSettings(BaseModel):
    """Where and how a run is computed. Not part of its identity: the numbers are meant to be the same everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:[0-9]{1,4})?)$", description="auto, cpu, cuda or cuda:N")
    threads: Count = Field(1, le=512, description="CPU threads of one run")
    gpu_slots: Count = Field(1, le=64, description="runs that share one GPU at the same time")
    compile: bool = Field(False, description="torch.compile the network: a minute at first, then faster on a GPU")
    deterministic: bool = Field(
        False, description="only algorithms that give the same bits again; for a GPU, where it costs speed"
    )
    data_dir: FilePath = Field(Path("data"), description="folder of downloads and of the decoded cache")
    checkpoint_epochs: Count = Field(
        1, description="epochs from one checkpoint of an unfinished run to the next; one more ends each megabatch"
    )
    checkpoint_share: Number = Field(
        0.02, ge=0, le=1, description="share of the time above which checkpoints of epochs are put off"
    )
    tracker: Name = Field("none", description="where a run reports to beside its files: none, tensorboard or wandb")


class StartFile(BaseModel):
    """A safetensors file to begin with. Its content names results; where it lies does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: FilePath = Field(description="safetensors file")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file, which is checked")
