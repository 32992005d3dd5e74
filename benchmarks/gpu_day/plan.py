"""Plan the parts of a day on a GPU, stage by stage, and what each part needs before it is worth starting."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anytime_pruning.datasets.cache import is_loadable
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.results import layout
from anytime_pruning.settings.cost import plan_cost
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.settings.study import PlannedRun, plan_study
from benchmarks.jobs import ROOT

STAGES = ("probe", "tests", "speed", "profile", "compile", "sharing", "resume", "evidence")
NETWORKS = ("resnet50", "resnet20", "resnet18", "vgg16_bn")
STUDIES = (ROOT / "config/gpu-cifar100-resnet50.yaml", ROOT / "config/gpu-cifar10-resnet18.yaml")
NO_CUDA = "no CUDA device"
# A rehearsal has the kinds of runs of the evidence, but each takes seconds.
REHEARSED = {
    "study": "rehearsal",
    "execution": {"device": "cpu", "threads": 1, "checkpoint_share": 0},
    "defaults": {
        "dataset": "digits",
        "model": "resnet20",
        "n_megabatches": 2,
        "train_limit": 240,
        "epochs": 2,
        "lr_milestones": [1],
        "seed": [0],
    },
    "grid": [{"method": "dense"}, {"method": "app", "protocol": "released"}],
}


@dataclass(frozen=True)
class Day:
    """Holds what the user asked for.

    Attributes:
        out: folder for everything that is written, absolute.
        data: folder of the data, absolute.
        rehearse: whether all stages run on a CPU, with tiny networks.
        compile: whether the evidence is trained with torch.compile.
        studies: configuration files of the evidence; empty for the usual ones.
        jobs: number of runs of the evidence that are trained side by side.
    """

    out: Path
    data: Path
    rehearse: bool = False
    compile: bool = False
    studies: tuple[Path, ...] = ()
    jobs: int = 1


@dataclass(frozen=True)
class Training:
    """Holds what is known of a run of the evidence before it is trained.

    Attributes:
        folder: the run's folder.
        network: name of the network, whose measured speed says how long the run takes.
        samples: samples of all passes of training.
        batch_size: samples of one step.
    """

    folder: Path
    network: str
    samples: int
    batch_size: int


@dataclass(frozen=True)
class Part:
    """Holds one part of a stage, which is one process.

    Attributes:
        name: name in the record, which begins with the name of the stage.
        command: the command line.
        least_s: fewest seconds of which a start makes use.
        most_s: most seconds that the part may take; a part that takes longer has failed.
        needs: why the part cannot run here, if it cannot; empty if it can.
        training: what is trained, for a part that goes on where it was stopped.
    """

    name: str
    command: tuple[str, ...]
    least_s: float
    most_s: float
    needs: str = ""
    training: Training | None = None

    @property
    def stage(self) -> str:
        """Return the name of the stage."""
        return self.name.partition("/")[0]


def plan_parts(day: Day) -> list[Part]:
    """Plan all parts in their order.

    Raises:
        SettingError: a study of the evidence is wrong.
    """
    device, rehearse = "cpu" if day.rehearse else "cuda", day.rehearse

    def part(name: str, least_s: float, most_s: float, *arguments: str, needs: str = "") -> Part:
        command = (sys.executable, "-m", "benchmarks.gpu_day.stages", name.partition("/")[0], device, *arguments)
        return Part(name, command, 1 if rehearse else least_s, most_s, needs)

    networks = ("resnet20",) if rehearse else NETWORKS
    turns = ("1", "0.1") if rehearse else ("5", "1.0")
    no_compiler = NO_CUDA if rehearse else ""
    tests = (sys.executable, "-m", "pytest", "-m", "gpu", "-rs", "-p", "no:cacheprovider", *_files_with_gpu_tests())
    parts = [
        part("probe", 30, 180),
        Part("tests", tests, 1 if rehearse else 60, 400),
        *(part(f"speed/{name}", 60, 240, name, *turns) for name in networks),
        *(part(f"profile/{name}", 40, 150, name) for name in networks[:2]),
        *(part(f"compile/{name}", 150, 420, name, *turns, needs=no_compiler) for name in networks),
        *(part(f"sharing/{name}", 120, 420, name, "0.2" if rehearse else "4") for name in reversed(networks[:2])),
        part("resume", 100, 300, str(day.data)),
    ]
    return [*parts, *_plan_evidence(day)]


def _files_with_gpu_tests() -> list[str]:
    """Return the files that hold marked tests; others may import packages that a lent machine lacks."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if "pytest.mark.gpu" in path.read_text(encoding="utf-8")]


def _plan_evidence(day: Day) -> list[Part]:
    """Plan the runs of the studies: in each study all methods of seed 0 first, then those of seed 1, and so on."""
    if day.rehearse and not day.studies:
        contents: list[Mapping[str, Any]] = [REHEARSED]
    else:
        contents = [read_yaml(path) for path in day.studies or STUDIES]
    parts = []
    for content in contents:
        study, runs = plan_study(content)
        for run in sorted(runs, key=lambda run: run.settings.seed):
            parts.append(_plan_run(study.study, run, day))
    return parts


def _plan_run(study: str, run: PlannedRun, day: Day) -> Part:
    device = "cpu" if day.rehearse else "cuda"
    # The settings are stored with the results, where the path of a checkout means nothing to others.
    data = day.data.relative_to(ROOT) if day.data.is_relative_to(ROOT) else day.data
    execution = run.settings.execution.model_copy(
        update={"data_dir": data, "device": device, "compile": day.compile, "gpu_slots": day.jobs}
    )
    settings = run.settings.model_copy(update={"execution": execution})
    folder = day.out / layout.run_dir(study, run.name)
    command = (
        *(sys.executable, "-m", "anytime_pruning", "train", "--settings", settings.model_dump_json()),
        *("--digest", settings.digest(), "--out", str(folder)),
        *("--weights", str(day.out / layout.weights_path(study, run.name))),
    )
    training = Training(folder, settings.model, count_samples(settings), settings.batch_size)
    name, dataset = f"evidence/{study}/{run.name}", settings.dataset
    # A lent machine has no network, so nothing would be downloaded there.
    is_there = is_loadable(dataset, day.data)
    needs = "" if is_there else f"no {dataset.name} in {day.data}; unpack the kit, or call anytime_pruning prepare"
    return Part(name, command, 1 if day.rehearse else 60, float("inf"), needs, training)


def count_samples(settings: RunSettings) -> int:
    """Return how many samples all epochs of a run pass through the network, with full replay.

    Raises:
        SettingError: neither the dataset nor the settings say how many images there are.
    """
    n_images = settings.train_limit or settings.dataset.train_count()
    if n_images is None:
        raise SettingError(f"dataset: {settings.dataset.name} does not say its number of images; set train_limit")
    length = settings.n_megabatches
    trained = round(n_images * (1 - settings.valid_frac))
    parts = [(trained * t // length, 0, 0) for t in range(1, length + 1)]
    return plan_cost(settings, parts, 0).train


def samples_done(training: Training) -> int:
    """Return how many samples of an unfinished run its newest checkpoint has seen, or 0 without a checkpoint."""
    checkpoints = sorted((training.folder / layout.RESUME).glob("*.json"))
    try:
        state = json.loads(checkpoints[-1].read_text(encoding="utf-8"))["content"]["state"]
        epochs = [*state["rows"]["epochs"], *state["position"]["epochs"]]
        step = (state["position"]["current"] or {"step": 0})["step"]
        return sum(epoch["samples"] for epoch in epochs) + step * training.batch_size
    except (IndexError, OSError, ValueError, KeyError, TypeError):
        return 0
