"""Try one network: `python -m benchmarks.zoo.steps FILE NAME` prints the outcome of each step as JSON."""

import importlib.util
import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from anytime_pruning import build_model, load_network, register, run_stream, score, select_masks
from anytime_pruning.export.onnx import export_run
from anytime_pruning.foundation.errors import ArtifactError, one_line
from benchmarks.zoo.networks import Network

PRUNERS = ("snip", "grasp", "synflow", "magnitude")
STEPS = ("build", *PRUNERS, "run", "reload", "onnx")
WORKS, REFUSED, WARNED, FAULT, ABSENT = "works", "refused", "warned", "FAULT", "not tried"
N_CLASSES, BATCH_SIZE, DENSITY = 4, 4, 0.366
N_TRAIN, N_TEST = 32, 8


@dataclass(frozen=True)
class Outcome:
    """Holds what a step of a network came to.

    Attributes:
        step: one of `STEPS`.
        verdict: `works`, `warned`, `refused`, `FAULT`, or `not tried` after a step that it needs.
        line: what was said; empty if it works.
    """

    step: str
    verdict: str
    line: str = ""


class Trial:
    """Tries one network; each step is a method and raises what the package raises.

    Args:
        name: name of the network in the zoo.
        network: how it is built.
        folder: an empty folder for its images and its run.
    """

    def __init__(self, name: str, network: Network, folder: Path):
        self._name, self._network, self._folder = name, network, folder
        self._shape = (3, network.pixels, network.pixels)
        self._model: nn.Module | None = None
        register("model", name)(network.build)

    @property
    def n_parameters(self) -> int:
        """Return the number of parameters; 0 if the network was not built."""
        return sum(parameter.numel() for parameter in self._model.parameters()) if self._model else 0

    def build(self) -> None:
        """Build the network for images of its size."""
        self._model = build_model(self._name, N_CLASSES, self._shape)

    def choose_masks(self, pruner: str) -> None:
        """Score the network by a pruner and choose masks, which must leave the network and the random state alone."""
        assert self._model is not None
        draw = torch.Generator().manual_seed(1)
        images = torch.rand(BATCH_SIZE, *self._shape, generator=draw)
        before, random_state = _describe(self._model), torch.get_rng_state()
        scores = score(self._model, pruner, [(images, torch.arange(BATCH_SIZE) % N_CLASSES)])
        masks = select_masks(scores, DENSITY)
        if not torch.equal(random_state, torch.get_rng_state()):
            raise AssertionError("scoring changed the global random state")
        if changed := _difference(before, _describe(self._model)):
            raise AssertionError(f"scoring changed the network: {changed}")
        kept, total = (sum(int(getattr(mask, of)()) for mask in masks.values()) for of in ("sum", "numel"))
        if kept != round(DENSITY * total):
            raise AssertionError(f"the masks keep {kept} of {total} weights")

    def run(self) -> None:
        """Train a tiny run on images of noise: two megabatches of one epoch."""
        _write_noise(self._folder / "noise", self._network.pixels)
        images = {"source": "image_folder", "path": str(self._folder / "noise"), "image_size": self._network.pixels}
        settings = {
            "dataset": {"name": "noise", **images},
            "model": self._name,
            "n_megabatches": 2,
            "epochs": 1,
            "lr_milestones": [],
            "lr": 0.001,
            "batch_size": BATCH_SIZE,
            "execution": {"device": "cpu", "threads": 1, "data_dir": str(self._folder / "data")},
        }
        run_stream(settings, self._folder / "run")

    def reload(self) -> None:
        """Load the run's network; its logits must be finite."""
        with torch.no_grad():
            logits = load_network(self._folder / "run")(torch.rand(2, *self._shape))
        if logits.shape != (2, N_CLASSES) or not torch.isfinite(logits).all():
            raise AssertionError(f"the loaded network gives {tuple(logits.shape)}, or values that are not finite")

    def export(self) -> None:
        """Write the run's network as ONNX and as sparse weights."""
        export_run(self._folder / "run")


def try_network(name: str, network: Network, say: Callable[[Outcome], None]) -> Trial:
    """Try all steps of a network in order; what a failed step leaves nothing to try with is not tried.

    Args:
        name: name of the network in the zoo.
        network: how it is built.
        say: takes the outcome of each step.
    """
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(name, network, Path(folder))
        done: dict[str, bool] = {}

        def step(name: str, work: Callable[[], None], *needed: str) -> None:
            missing = next((need for need in needed if not done.get(need)), None)
            outcome = Outcome(name, ABSENT, f"after {missing}") if missing else _judge(name, work)
            done[name] = outcome.verdict in (WORKS, WARNED)
            say(outcome)

        step("build", trial.build)
        for pruner in PRUNERS:
            step(pruner, lambda pruner=pruner: trial.choose_masks(pruner), "build")  # type: ignore[misc]
        step("run", trial.run, "build")
        step("reload", trial.reload, "run")
        step("onnx", trial.export, "reload")
    return trial


def _judge(step: str, work: Callable[[], None]) -> Outcome:
    """Do a step and judge what it raised and printed."""
    with tempfile.TemporaryFile() as printed:
        try:
            with _stderr_to(printed.fileno()), warnings.catch_warnings(record=True) as noticed:
                warnings.simplefilter("ignore" if step == "build" else "default")
                work()
        except ArtifactError as error:
            return Outcome(step, REFUSED, str(error))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            return Outcome(step, FAULT, one_line(message))
        printed.seek(0)
        lines = [line for line in printed.read().decode(errors="replace").splitlines() if line.strip()]
    said = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    noise = [line for line in lines if not line.startswith("warning: ")]
    noise += [f"{notice.category.__name__}: {notice.message}" for notice in noticed]
    if noise:
        return Outcome(step, FAULT, one_line(f"noise: {' / '.join(noise)}"))
    return Outcome(step, WARNED, one_line("; ".join(said))) if said else Outcome(step, WORKS)


@contextmanager
def _stderr_to(descriptor: int) -> Iterator[None]:
    """Let everything that this process prints on stderr, native libraries included, go to a file for a while."""
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def _describe(model: nn.Module) -> dict[str, object]:
    """Return everything that scoring must leave alone, by name."""
    parts: dict[str, object] = {f"training of {name}": module.training for name, module in model.named_modules()}
    for name, parameter in model.named_parameters():
        parts |= {name: parameter.detach().clone(), f"gradient of {name}": parameter.grad}
        parts[f"requires_grad of {name}"] = parameter.requires_grad
    return parts | {name: buffer.clone() for name, buffer in model.named_buffers()}


def _difference(before: dict[str, object], after: dict[str, object]) -> str | None:
    """Return the first name whose value appeared, vanished or changed."""
    for name in {**before, **after}:
        old, new = before.get(name, "nothing"), after.get(name, "nothing")
        is_same = torch.equal(old, new) if isinstance(old, Tensor) and isinstance(new, Tensor) else old is new
        if not is_same:
            return name
    return None


def _write_noise(folder: Path, pixels: int) -> None:
    draw = np.random.default_rng(0)
    for split, count in (("train", N_TRAIN), ("test", N_TEST)):
        for i in range(count):
            path = folder / split / f"class{i % N_CLASSES}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 256, (pixels, pixels, 3), np.uint8)).save(path)


def read_networks(file: Path) -> dict[str, Network]:
    """Import a Python file and return its `NETWORKS`."""
    if file.resolve() == Path(__file__).resolve().parent / "networks.py":
        from benchmarks.zoo.networks import NETWORKS

        return NETWORKS
    spec = importlib.util.spec_from_file_location("zoo_networks", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    networks: dict[str, Network] = module.NETWORKS
    return networks


def main(arguments: list[str]) -> None:
    """Try one network of a file and print each outcome as a line of JSON."""
    file, name = arguments
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # What a run prints is not an outcome.

    def say(part: dict[str, object]) -> None:
        print(json.dumps(part), file=out, flush=True)

    trial = try_network(name, read_networks(Path(file))[name], lambda outcome: say(asdict(outcome)))
    say({"parameters": trial.n_parameters})


if __name__ == "__main__":
    main(sys.argv[1:])
