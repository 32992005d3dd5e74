"""Test whole runs: their files, the errors before and during training, and folders that already hold a run."""

import json
import random
import threading
from functools import partial

import numpy as np
import pytest
import torch
from conftest import read_csv, toy_files, without_times
from filelock import FileLock
from patience import PATIENCE_S
from safetensors.torch import load_file

import anytime_pruning.machine.kernels.bfloat16
import anytime_pruning.runs.job
from anytime_pruning import build_model, register, run_stream, select_masks
from anytime_pruning.foundation.errors import DataError, DivergenceError, SettingError
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.settings.run import parse_settings

FILES = {"config.yaml", "megabatches.csv", "epochs.csv", "layers.csv", "metrics.json"}


def test_the_files_of_a_run(tiny, tmp_path):
    settings = parse_settings(tiny())
    metrics = run_stream(settings, tmp_path / "run", tmp_path / "weights" / "w.safetensors")
    assert {path.name for path in (tmp_path / "run").iterdir()} - {"run.lock"} == FILES
    assert metrics == json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["digest"] == settings.digest()
    assert {"seed", "code", "versions", "hardware", "wall_time_s", "results_version"} <= metrics.keys()
    rows = read_csv(tmp_path / "run" / "megabatches.csv")
    assert [row["t"] for row in rows] == ["1", "2", "3"]
    # Each megabatch has 30 of the 90 images. The run trains on 27 of the 30 images for two epochs.
    assert [int(row["samples"]) for row in rows] == [54, 108, 162]
    assert [int(row["valid_count"]) for row in rows] == [3, 6, 9]
    for row in rows:
        assert int(row["error_count"]) == round((1 - float(row["test_acc_pct"]) / 100) * 360)
        gap = float(row["train_acc_running_pct"]) - float(row["valid_acc_augmented_pct"])
        assert float(row["generalization_gap_pct"]) == pytest.approx(gap)
        assert float(row["clean_gap_pct"]) == pytest.approx(float(row["train_acc_pct"]) - float(row["valid_acc_pct"]))
        assert 0 < float(row["prune_seconds"]) < float(row["seconds"])
    errors = [int(row["error_count"]) for row in rows]
    assert metrics["final"]["cumulative_error_count"] == sum(errors)
    assert metrics["final"]["cumulative_error_rate"] == sum(errors) / (3 * 360)
    assert len(read_csv(tmp_path / "run" / "epochs.csv")) == 6
    layers = read_csv(tmp_path / "run" / "layers.csv")
    assert len(layers) == 3 * 19
    last = [row for row in layers if row["t"] == "3"]
    assert sum(int(row["kept"]) for row in last) == metrics["final"]["kept_count"]
    assert (tmp_path / "weights" / "w.safetensors").exists()


def test_the_stored_weights_give_the_stored_accuracy(tiny, tmp_path, data_dir):
    from anytime_pruning.datasets import load_dataset, parse_dataset
    from anytime_pruning.stream.images import ImageSet
    from anytime_pruning.training.evaluation import evaluate

    metrics = run_stream(tiny(precision="float32"), tmp_path)
    arrays = load_dataset(parse_dataset("digits"), data_dir)
    model = build_model("resnet20", 10, (1, 8, 8), arrays.mean, arrays.std, seed=123)
    model.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, torch.device("cpu"))
    assert evaluate(model, test, torch.arange(360)).acc_pct == metrics["final"]["test_acc_pct"]


def test_a_diverging_run_writes_nothing_that_looks_like_a_result(tiny, tmp_path):
    with pytest.raises(DivergenceError, match=r"the loss is (nan|inf) at megabatch 1, epoch 1, step 2"):
        run_stream(tiny(lr=1e30), tmp_path / "run", tmp_path / "weights.safetensors")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"run.lock"}


def test_scores_that_are_not_finite_stop_the_run(forget, tiny, tmp_path):
    @register("pruner", "broken_for_test")
    def broken(model, batches, generator):
        return {name: torch.full_like(w, float("nan")) for name, w in prunable_weights(model).items()}

    with pytest.raises(DivergenceError, match=r"scores: network.conv1.weight .* at megabatch 1"):
        run_stream(tiny(pruner="broken_for_test"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"run.lock"}


class Noisy(torch.nn.Module):
    """Draws the scale of its maps, in train mode and in eval mode."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def forward(self, x):
        return x * (1 + self.draw())


@pytest.fixture
def noisy(forget):
    """Register a network that draws by torch, Python and numpy, when it is built and whenever it computes."""

    @register("model", "noisy_for_test")
    def build(n_classes, image_shape):
        draws = (lambda: torch.rand(()), random.random, np.random.rand)
        conv, noise = torch.nn.Conv2d(1, 4, 3), [Noisy(draw) for draw in draws]
        with torch.no_grad():
            conv.weight *= random.random() + np.random.rand()  # noqa: NPY002
        layers = (conv, *noise, torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(144, n_classes))
        return torch.nn.Sequential(*layers)

    return "noisy_for_test"


def test_a_network_that_draws_follows_the_seed(noisy, tiny, tmp_path):
    for global_seed, name in enumerate(("one", "two")):
        # The states of the process's own generators must not matter to a run, and a run must not change them.
        for seed in (torch.manual_seed, random.seed, np.random.seed):
            seed(global_seed)
        state = torch.get_rng_state(), random.getstate(), repr(np.random.get_state())  # noqa: NPY002
        run_stream(tiny(model=noisy, epochs=1), tmp_path / name)
        assert torch.equal(torch.get_rng_state(), state[0])
        assert (random.getstate(), repr(np.random.get_state())) == state[1:]  # noqa: NPY002
    assert without_times(tmp_path / "one" / "epochs.csv") == without_times(tmp_path / "two" / "epochs.csv")


def test_runs_in_two_threads_take_turns(noisy, tiny, tmp_path, capsys):
    settings = {seed: tiny(model=noisy, epochs=1, n_megabatches=2, seed=seed) for seed in (0, 1)}
    threads = [
        threading.Thread(target=run_stream, args=(settings[seed], tmp_path / f"thread{seed}"), daemon=True)
        for seed in settings
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert capsys.readouterr().out.count(f"waiting for another thread of this process that works in {tmp_path}") == 1
    for seed in settings:
        run_stream(settings[seed], tmp_path / f"alone{seed}")
        thread, alone = (load_file(tmp_path / f"{kind}{seed}" / "weights.safetensors") for kind in ("thread", "alone"))
        assert all(torch.equal(thread[name], alone[name]) for name in alone)


def test_a_run_inside_of_a_run_is_refused(forget, tiny, small, tmp_path):
    @register("pruner", "nested_for_test")
    def nested(model, batches, generator):
        return run_stream(tiny(), tmp_path / "inner")

    with pytest.raises(SettingError, match=r"^run_stream is not allowed inside of run_stream, which works in .*outer"):
        run_stream(tiny(model=small, pruner="nested_for_test"), tmp_path / "outer")
    assert not (tmp_path / "inner").exists()
    run_stream(tiny(model=small, epochs=1), tmp_path / "after")


SETTINGS = {
    "threads": (torch.get_num_threads, torch.set_num_threads, 3),
    "type": (torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "device": (torch.get_default_device, torch.set_default_device, torch.device("meta")),
    "products": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"),
    **{
        f"{place.__name__} {name}": (partial(getattr, place, name), partial(setattr, place, name), value)
        for place, name, value in (
            (torch.backends.cudnn, "allow_tf32", False),
            (torch.backends.cudnn, "benchmark", True),
            (torch.backends.cudnn, "deterministic", True),
        )
    },
    "convolutions": (
        partial(getattr, torch.backends.mkldnn.conv, "fp32_precision"),
        partial(setattr, torch.backends.mkldnn.conv, "fp32_precision"),
        "bf16",
    ),
}


@pytest.fixture
def usual(tiny, small, tmp_path):
    """Return a function that makes a run and compares its weights with those of a run with torch's usual settings."""
    settings = tiny(model=small, epochs=1, n_megabatches=2, precision="float32")
    run_stream(settings, tmp_path / "usual")

    def compare():
        run_stream(settings, tmp_path / "run")
        return [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("usual", "run")]

    return compare


@pytest.mark.parametrize(("get", "change", "value"), SETTINGS.values(), ids=SETTINGS)
def test_settings_of_the_caller_change_no_run_and_stay(get, change, value, usual):
    before = get()
    change(value)
    try:
        expected, found = usual()
        assert get() == value
    finally:
        change(before)
    assert found == expected


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, partial(torch.device, "meta")])
def test_a_run_leaves_the_contexts_of_its_caller(context, usual):
    with context():
        expected, found = usual()
    assert found == expected


def test_what_a_run_sets_for_a_gpu_is_set_back(tiny, small, tmp_path, monkeypatch):
    def prepare(device, threads, gpu_slots, deterministic):
        torch.set_num_threads(2)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = True, False
        shares[1] = 0.5

    shares, current = [0.25, 1.0], []
    monkeypatch.setattr(anytime_pruning.runs.job, "prepare_process", prepare)
    for name, replacement in {
        "is_initialized": lambda: True,
        "current_device": lambda: 0,
        "device_count": lambda: 2,
        "get_rng_state": lambda gpu: None,
        "set_rng_state": lambda state, gpu: None,
        "set_device": current.append,
        "get_per_process_memory_fraction": lambda gpu: shares[gpu],
        "set_per_process_memory_fraction": lambda share, gpu: shares.__setitem__(gpu, share),
    }.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    run_stream(tiny(model=small, epochs=1, n_megabatches=2), tmp_path)
    assert (shares, current, torch.get_num_threads()) == ([0.25, 1.0], [0], 1)
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32) == (False, True)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_run_inside_of_autocast_is_refused(enabled, tiny, tmp_path):
    with (
        torch.autocast("cpu", enabled=enabled),
        pytest.raises(SettingError, match=r"^torch\.autocast is not allowed around a run, .*the setting precision"),
    ):
        run_stream(tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_tied_convolutions_count_once_and_are_saved(forget, tiny, tmp_path):
    @register("model", "tied_for_test")
    def build(n_classes, image_shape):
        one = torch.nn.Conv2d(4, 4, 3, padding=1)
        two = torch.nn.Conv2d(4, 4, 3, padding=1)
        two.weight = one.weight
        unused = torch.nn.Conv2d(1, 4, 3, padding=1)
        network = torch.nn.Sequential(unused, one, two, torch.nn.Flatten(), torch.nn.Linear(256, n_classes))
        network[0].requires_grad_(False)
        return network

    metrics = run_stream(tiny(model="tied_for_test", epochs=1), tmp_path)
    # The frozen convolution is left alone, and the tied weight counts once.
    assert metrics["final"]["prunable_count"] == 144
    weights = load_file(tmp_path / "weights.safetensors")
    assert torch.equal(weights["network.1.weight"], weights["network.2.weight"])


def test_a_stored_run_on_other_data_is_not_taken_for_this_one(tiny, tmp_path):
    from conftest import write_folder

    def settings(folder):
        dataset = {"name": "toy", "source": "image_folder", "path": str(folder), "image_size": 6}
        return tiny(dataset=dataset, n_megabatches=1, train_limit=None, epochs=1)

    one, other = (write_folder(toy_files(n), tmp_path / f"images{n}") for n in (6, 7))
    stored = run_stream(settings(one), tmp_path / "run")
    assert run_stream(settings(one), tmp_path / "run") == stored
    with pytest.raises(DataError, match=rf"holds a run on data with content_sha256 {stored['data_sha256']}"):
        run_stream(settings(other), tmp_path / "run")


@pytest.mark.parametrize("text", ["", "[]", "<<<<<<< HEAD"])
def test_a_damaged_result_is_named(text, tiny, tmp_path):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(DataError, match=r"metrics\.json: not readable; fetch it again"):
        run_stream(tiny(), tmp_path)


def test_a_place_for_weights_that_is_a_folder_is_named_before_training(tiny, tmp_path):
    with pytest.raises(SettingError, match=r"weights: .* is not allowed: it is a folder"):
        run_stream(tiny(), tmp_path / "run", tmp_path)


def test_two_processes_on_one_run_take_turns(tiny, tmp_path):
    done = threading.Event()

    def work():
        run_stream(tiny(epochs=1), tmp_path)
        done.set()

    with FileLock(tmp_path / "run.lock"):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert not done.wait(2)
        assert not (tmp_path / "metrics.json").exists()
    thread.join(PATIENCE_S)
    assert done.is_set()


def test_a_run_that_is_done_is_not_computed_again_and_never_overwritten(tiny, tmp_path, monkeypatch):
    first = run_stream(tiny(epochs=1), tmp_path)
    monkeypatch.setattr(anytime_pruning.runs.job, "load_dataset", lambda *args: pytest.fail("the run ran again"))
    assert run_stream(tiny(epochs=1), tmp_path) == first
    with pytest.raises(SettingError, match=f"out_dir: .* holds a run with digest {first['digest']}"):
        run_stream(tiny(epochs=2), tmp_path)


def test_your_own_network_and_pruner(forget, tiny, tmp_path):
    """Register a network and a pruner as the README shows."""

    @register("model", "own_for_test")
    def build(n_classes, image_shape):
        channels, height, width = image_shape
        return torch.nn.Sequential(
            torch.nn.Conv2d(channels, 4, 3),
            torch.nn.Flatten(),
            torch.nn.Linear(4 * (height - 2) * (width - 2), n_classes),
        )

    @register("pruner", "own_for_test")
    def smallest(model, batches, generator):
        return {name: -weight.detach().abs() for name, weight in prunable_weights(model).items()}

    metrics = run_stream(tiny(model="own_for_test", pruner="own_for_test", scope="local"), tmp_path)
    assert metrics["final"]["kept_count"] == round(0.8**4.5 * 36)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": "linear_for_test"},
            r"prunable: \['conv'\] is not allowed: 'linear_for_test' has no such layer to prune, .*linear",
        ),
        ({"tau": 100.0}, "tau: 100.0 is not allowed: none of 267408 weights would remain"),
    ],
)
def test_nothing_to_prune_or_to_keep_is_said_before_training(forget, changes, message, tiny, tmp_path):
    @register("model", "linear_for_test")
    def build(n_classes, image_shape):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, n_classes))

    with pytest.raises(SettingError, match=message):
        run_stream(tiny(**changes), tmp_path)


def test_scores_and_masks_as_public_calls():
    from anytime_pruning import score

    model = build_model("resnet20", 10, (3, 32, 32))
    batches = [(torch.rand(4, 3, 32, 32), torch.arange(4))]
    masks = select_masks(score(model, "snip", batches), density=0.1, scope="local")
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.1 * sum(m.numel() for m in masks.values()))


def test_cuda_without_cuda_is_named(tiny, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(SettingError, match="device: 'cuda' is not allowed: this machine has 0 CUDA devices"):
        run_stream(tiny(execution={"device": "cuda"}), tmp_path)


def test_auto_is_the_native_precision_and_is_recorded(tiny, small, tmp_path, monkeypatch):
    def losses(name, precision):
        metrics = run_stream(tiny(model=small, precision=precision, epochs=1), tmp_path / name)
        return metrics["precision"], [row["train_loss"] for row in read_csv(tmp_path / name / "epochs.csv")]

    computed = {}
    for native, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(
            anytime_pruning.machine.kernels.bfloat16, "has_native_bfloat16", lambda device, native=native: native
        )
        computed[precision] = losses(precision, precision)
        assert losses(f"auto-{precision}", "auto") == (precision, computed[precision][1])
    assert computed["float32"][1] != computed["bfloat16"][1]
