"""Test that the benchmark measures what its tables name. No test depends on a measured time."""

import io
import itertools
import json
import re
import subprocess
import sys
import time
from functools import partial

import pandas as pd
import pytest
import torch
from conftest import ROOT
from torch import nn

from anytime_pruning import build_model
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.orchestration.forecast.machines import read_machines
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.selections.unstructured import select_masks
from benchmarks import __main__, checkpoints, children, growth, jobs, load, report, spread
from benchmarks.report import RESULTS, compare_kinds, to_markdown
from benchmarks.speed import other_work, training_speed, variants
from benchmarks.speed.candidates import CHANGES, arrange_casts, arrange_with
from benchmarks.speed.ceiling import training_flops
from benchmarks.speed.plain_loop import multiply_masks_in_forward
from benchmarks.speed.run_shares import PARTS, TRAINING, Stopwatch
from benchmarks.speed.variants import IMAGE_SHAPE, make_variants

CPU = torch.device("cpu")


def test_every_way_trains_and_those_of_ours_keep_their_masks():
    variants = make_variants("resnet20", CPU)
    assert {"plain", "ours"} < variants.keys()
    before = {way: v.trainer.model.network.conv1.weight.detach().clone() for way, v in variants.items() if v.trainer}
    for way, variant in variants.items():
        variant.train(2)
        if variant.trainer:
            weights = prunable_weights(variant.trainer.model)
            kept = sum(int(weight.count_nonzero()) for weight in weights.values())
            assert kept == round(0.5 * sum(weight.numel() for weight in weights.values())), way
            assert not torch.equal(variant.trainer.model.network.conv1.weight, before[way]), way


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_change_that_makes_a_step_faster_trains_to_the_same_numbers(name, precision):
    data = variants.ImageSet.from_arrays(*variants.make_images(), CPU, crop_padding=4, flip=True)
    options = variants.make_options("resnet20", precision)
    ways = (arrange, partial(arrange_with, CHANGES[name]))
    plain, changed = (variants.make_loop("resnet20", data, options, way).trainer for way in ways)
    for trainer in (plain, changed):
        for indices in torch.arange(2 * variants.BATCH_SIZE).split(variants.BATCH_SIZE):
            trainer.train_epoch(indices, 1, 1, trainer.begin_epoch(indices))
        trainer._evaluate(torch.arange(8))
    found, expected = changed.model.state_dict(), plain.model.state_dict()
    assert found.keys() == expected.keys()
    moves_weights = name in ("weights channels-last", "all three changes")
    tolerance = (1e-4 if precision == "float32" else 0.02) if moves_weights else 0
    assert all(torch.allclose(found[name], expected[name], rtol=tolerance, atol=tolerance / 10) for name in expected)
    assert found["network.bn1.num_batches_tracked"] == 2
    enforcer = changed.optimizer._enforcer
    assert [w.stride() for w in enforcer._weights()] == [factor.stride() for factor in enforcer._factors]
    assert enforcer._weights()[1].is_contiguous(memory_format=torch.channels_last) is moves_weights
    counts = {found[name].untyped_storage().data_ptr() for name in found if "num_batches" in name}
    assert (len(counts) == 1) is (name in ("one count of batches", "all three changes"))
    places = {weight.untyped_storage().data_ptr() for weight in enforcer._weights()}
    assert (len(places) == 1) is (name in ("one cast of weights", "all three changes"))


def test_one_cast_of_all_weights_leaves_autocast_none_to_cast():
    """Count the casts that autocast makes in one forward pass: of each weight, or of none."""
    casts = []
    for change in (lambda model: None, arrange_casts):
        model = build_model("resnet20", 10, IMAGE_SHAPE)
        change(model)
        with torch.profiler.profile(record_shapes=True) as profile, torch.autocast("cpu", torch.bfloat16):
            model(torch.rand(2, *IMAGE_SHAPE).bfloat16()).sum().backward()
        shapes = [event.input_shapes[0] for event in profile.events() if event.name == "aten::_to_copy"]
        casts.append(sum(list(weight.shape) in shapes for weight in prunable_weights(model).values()))
    assert casts[1] == 0 < casts[0]


def test_the_plain_loop_computes_with_masked_weights():
    model, masked = (build_model("resnet20", 10, IMAGE_SHAPE, seed=1).eval() for _ in range(2))
    masks = select_masks({name: weight.detach().abs() for name, weight in prunable_weights(model).items()}, 0.5)
    multiply_masks_in_forward(masked, masks)
    images = torch.rand(2, *IMAGE_SHAPE)
    assert not torch.allclose(masked(images), model(images))
    for name, weight in prunable_weights(model).items():
        weight.data *= masks[name]
    assert torch.allclose(masked(images), model(images), atol=1e-6)


def test_flops_are_those_of_a_convolution_counted_by_hand():
    """Count 2 * 8 * 8 pixels * 4 channels * 27 weights twice: once forward, once for the gradient of the weights."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert training_flops(model, (3, 8, 8), 5) == 2 * 2 * 8 * 8 * 4 * 27


def test_growth_is_measured_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "LENGTHS", (1, 2))
    monkeypatch.setattr(growth, "SIZES", (60,))
    monkeypatch.setattr(growth, "FIXED_T", 2)
    monkeypatch.setattr(growth, "FIXED_N", 120)
    rows = growth.measure_growth(1)
    # Training sees 90 % of the images, and with full replay N (T + 1) / 2 images in all.
    assert {(row["T"], row["N"]): row["train"] for row in rows} == {(1, 120): 108, (2, 120): 162, (2, 60): 81}
    growth.draw_growth(rows, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_the_growth_is_told_by_passes_and_megabatches():
    table = pd.DataFrame([{"T": t, "train": 10 * t, "score": 2, "evaluate": 30 + t**2} for t in (1, 2, 4)])
    table["seconds"] = 0.5 * (3 * (table["train"] + table["score"]) + table["evaluate"]) + 7 * table["T"]
    assert growth.fit_growth(table) == pytest.approx((0.5, 7))


@pytest.mark.parametrize("stored", sorted(RESULTS.glob("*-cores.json")), ids=lambda path: path.stem)
def test_the_line_of_growth_meets_every_measured_mean(stored):
    """The mean at N = 180 is twice what training samples alone would tell."""
    table = pd.DataFrame(json.loads(stored.read_text())["growth"])
    per_pass, per_megabatch = growth.fit_growth(table)
    table["fitted"] = per_pass * growth.passes_of(table) + per_megabatch * table["T"]
    means = table.groupby(["T", "N"])[["seconds", "fitted"]].mean()
    assert (means["fitted"] / means["seconds"]).between(0.85, 1.15).all()


def test_a_stored_growth_is_drawn_again(tmp_path):
    stored = next(RESULTS.glob("*-cores.json"))
    (tmp_path / stored.name).write_bytes(stored.read_bytes())
    growth.draw_stored(tmp_path / stored.name)
    assert [path.name for path in tmp_path.glob("*.png")] == [f"{stored.stem}-growth.png"]


def test_a_child_says_its_peak_memory():
    assert children.memory("resnet20")["peak_memory_mb"] > 150  # the images alone take most of it


def test_a_device_that_is_not_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert __main__.main(["--device", "cuda"]) == 2
    assert capsys.readouterr().err == (
        "error: device: 'cuda' is not allowed: this machine has 0 CUDA devices; use auto or cpu\n"
    )


def test_the_tables_in_the_repository_are_made_of_the_stored_numbers():
    """Check the results that the documentation links, because a user may have added those of another machine."""
    page = (ROOT / "docs" / "results" / "speed.md").read_text()
    found = re.findall(r"\[([^\]]+)\]\(\.\./\.\./(benchmarks/results/\S+-cores\.md)\)", page)
    links = {" ".join(name.split()): path for name, path in found}
    results = {name: json.loads((ROOT / path).with_suffix(".json").read_text()) for name, path in links.items()}
    assert results
    for name, path in links.items():
        assert (ROOT / path).read_text() == to_markdown(results[name])
        assert name in results[name]["machine"]["name"]
    assert compare_kinds(results) in page


@pytest.fixture
def instant(monkeypatch):
    """Replace every measurement by numbers of its shape, and return the list of what was asked for."""
    speed = {"median": 2.0, "min": 1.0, "max": 3.0}
    asked = []

    def training(name, device, rounds, turn_s, keep):
        asked.append(name)
        ways = {"plain": speed, "ours": speed}
        found = {"precision": "float32", "gemm_gflops_per_s": {"float32": 1.0}, "fraction_of_ceiling": speed}
        found |= {"samples_per_s": ways | {"SNIP": speed}, "ratio_to_plain": ways, "ratio_to_ours": ways}
        found |= {"other_work_to_training": {"SNIP": speed | {"median": 0.75}}}
        keep(found)
        return found | {"select_s": 1.0}

    def sharing(name, device, seconds, turns, keep):
        asked.append(f"{name} shared")
        return {"1 job": {"samples_per_s": 1.0, "min": 1.0, "max": 1.0}}

    monkeypatch.setattr(__main__, "measure_training", training)
    monkeypatch.setattr(jobs, "measure_sharing", sharing)
    monkeypatch.setattr(jobs, "measure_memory", lambda name: asked.append(f"{name} memory") or {"peak_memory_mb": 1})
    monkeypatch.setattr(jobs, "measure_start_up", lambda rounds: speed)
    monkeypatch.setattr(jobs, "measure_workflow", lambda n: {"plan_s": 1, "job_s": 1, "overhead_per_job_s": 1})
    shares = {"images": 5, "precision": "float32", "seconds": {"a": 1.0, "b": 3.0}, "projected_s": {"a": 9.0, "b": 1.0}}
    monkeypatch.setattr(jobs, "measure_run_shares", lambda name, device, threads: shares)
    monkeypatch.setattr(__main__, "measure_growth", lambda repeats: [])
    monkeypatch.setattr(__main__, "draw_growth", lambda rows, path: None)
    monkeypatch.setattr(__main__, "prepare_process", lambda device, threads: None)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    return asked


def test_an_interrupted_measurement_leaves_what_it_has_and_the_earlier_result(instant, monkeypatch, tmp_path, capsys):
    assert __main__.main(["--quick", "--device", "cpu", "--out", str(tmp_path)]) == 0
    (whole,) = tmp_path.glob("*.json")
    before = whole.read_bytes()
    table = whole.with_suffix(".md").read_text()
    assert "| a | 1.0 | 25.0 % | 9.0 | 90.0 % |" in table
    assert "| resnet18 | 2 (1–3) | 0.75 (1.00–3.00) | – | – | 1.000 |" in table

    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "measure_memory", interrupted)
    assert __main__.main(["--quick", "--device", "cpu", "--out", str(tmp_path)]) == 130
    (left,) = tmp_path.glob("*.incomplete")
    kept = json.loads(left.read_text())
    assert kept["incomplete"] is True
    assert set(kept["networks"]) == {"resnet20", "resnet18"}
    assert list(kept["sharing"]) == ["resnet20"]
    assert not kept["memory"]
    assert "growth" not in kept
    assert str(left) in capsys.readouterr().err
    assert whole.read_bytes() == before
    assert read_machines(tmp_path) == []  # neither is a machine, and the incomplete one is not read at all


def test_a_finished_measurement_removes_what_an_interrupted_one_left(tmp_path):
    result = {"machine": {"id": "some-machine"}}
    left = report.keep_incomplete(result, tmp_path)
    assert left.exists()
    report.publish(result, "table", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"some-machine.json", "some-machine.md"}


def test_every_round_of_a_network_is_kept(monkeypatch):
    kept, ways, products = [], {}, []
    monkeypatch.setattr(variants, "choose_precision", lambda name, device: "float32")
    for way in ("plain", "ours"):
        ways[way] = variants.Variant(lambda n: None, trainer=variants.make_ours("resnet20", CPU).trainer)
    monkeypatch.setattr(training_speed, "make_variants", lambda name, device: ways)
    monkeypatch.setattr(training_speed, "gemm_flops_per_s", lambda device, dtype: products.append(dtype) or 1.0)
    monkeypatch.setattr(training_speed, "copy_bytes_per_s", lambda device: 1.0)
    monkeypatch.setattr(training_speed, "SETTLE_S", 0)
    found = training_speed.measure_training("resnet20", CPU, 3, 0.1, kept.append)
    assert len(kept) == 3
    # Where our loop computes in float32, bfloat16 would be emulated.
    assert products == [torch.float32] * 3
    assert set(kept[0]["samples_per_s"]) == {"plain", "ours", "SNIP", "evaluation"}
    assert set(kept[0]["ratio_to_plain"]) == set(kept[0]["ratio_to_ours"]) == {"plain", "ours"}
    assert set(kept[0]["other_work_to_training"]) == {"SNIP", "evaluation"}
    # Without a way of its own in float32, `ours` computes in it.
    assert found["float32_fraction_of_ceiling"] == found["fraction_of_ceiling"]


def test_other_work_is_that_of_a_run():
    """A step scores or evaluates one batch; scoring leaves the network as it was, and evaluation counts all images."""
    ours = variants.make_ours("resnet20", CPU)
    before = {name: value.clone() for name, value in ours.trainer.model.state_dict().items()}
    seen = []
    ours.trainer.model.register_forward_pre_hook(lambda module, given: seen.append((len(given[0]), module.training)))
    work = other_work.make_other_work(ours)
    work["SNIP"].train(3)
    assert seen == [(variants.BATCH_SIZE, True)] * 3
    del seen[:]
    work["evaluation"].train(3)
    assert sum(n for n, _ in seen) == 3 * variants.BATCH_SIZE
    assert not any(training for _, training in seen)
    for name, value in ours.trainer.model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_plain_loop_works_as_torch_ships_and_ours_as_it_was_set(monkeypatch):
    """Look at cuDNN's settings from inside the turns; they exist on a machine without a GPU, too."""
    seen = {}

    def look(way):
        return lambda n: seen.update({way: (cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic)})

    cudnn = torch.backends.cudnn
    shipped = (cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic)
    monkeypatch.setattr(training_speed, "SETTLE_S", 0)
    monkeypatch.setattr(variants, "PlainLoop", lambda *given: type("Loop", (), {"train": staticmethod(look("plain"))}))
    with cudnn.flags(enabled=True, benchmark=True, deterministic=True, allow_tf32=False):
        training_speed.take_turn(variants.make_plain("resnet20", CPU, batches=object()), 1, CPU)
        training_speed.take_turn(variants.Variant(look("ours")), 1, CPU)
        assert not cudnn.allow_tf32
    assert seen == {"plain": shipped, "ours": (False, True, True)}


def test_no_way_on_a_gpu_records_an_update_that_is_not_fused(monkeypatch):
    """An update that is not fused reads the rate from the GPU, which ends a recording."""
    made = []
    monkeypatch.setattr(variants, "make_loop", lambda name, data, options, *given: made.append(options) or data)
    monkeypatch.setattr(variants, "make_plain", lambda *given: None)
    monkeypatch.setattr(variants.ImageSet, "from_arrays", lambda *given, **named: None)
    monkeypatch.setattr(variants, "LoaderImages", lambda *given: None)
    monkeypatch.setattr(variants, "choose_precision", lambda name, device: "bfloat16")
    ways = variants.make_variants("resnet20", torch.device("cuda"))
    assert "without a CUDA graph and a fused update" in ways
    assert [options.records_steps for options in made if not options.fuses_updates] == [False]


def test_children_prepare_the_process_as_a_run_does(monkeypatch, capsys):
    prepared, turns = [], []
    monkeypatch.setattr("anytime_pruning.machine.devices.prepare_process", lambda *given: prepared.append(given))
    monkeypatch.setattr(variants, "make_ours", lambda *given: variants.Variant(turns.append))
    monkeypatch.setattr(variants, "make_plain", lambda *given: variants.Variant(turns.append))
    monkeypatch.setattr("sys.stdin", io.StringIO("go\n" * 2))
    children.throughput("ours", "resnet20", "1", "0", "cpu", "4")
    children.throughput("plain", "resnet20", "1", "0", "cpu", "1")
    assert prepared == [(CPU, 1, 4)]
    assert capsys.readouterr().out.split() == [children.READY] * 2
    with pytest.raises(SystemExit, match="the parent is gone"):
        children.throughput("ours", "resnet20", "1", "0", "cpu", "1")
    assert turns == [5] * 3  # nothing is measured without a line from the parent


JOB = """
import json, sys, time
from pathlib import Path
place, number = Path(sys.argv[0]).parent, sys.argv[1]
time.sleep(0.5 * int(number))  # prepared late
(place / f"ready{number}").touch()
print("noise of a library\\nready", flush=True)
sys.stdin.readline()
(place / f"seen{number}").write_text(str(len(list(place.glob("ready*")))))
if number in sys.argv[2:]:
    sys.exit(3)
print(json.dumps({"samples_per_s": 1 + int(number)}))
"""


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Replace the children by a script; return a function that names those that fail, and the folder."""
    (tmp_path / "job.py").write_text(JOB)

    def use(*failing):
        numbers = itertools.count()

        def start(*arguments, environment):
            command = [sys.executable, str(tmp_path / "job.py"), str(next(numbers)), *failing]
            pipe = subprocess.PIPE
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8")

        monkeypatch.setattr(jobs, "_start", start)
        return tmp_path

    return use


def test_jobs_that_share_a_machine_begin_when_all_are_prepared(scripted):
    folder = scripted()
    assert jobs.run_together("ours", "resnet20", (3, 1), 1, "cpu") == 1 + 2 + 3
    assert [(folder / f"seen{number}").read_text() for number in range(3)] == ["3"] * 3


def test_a_job_that_fails_ends_the_others(scripted):
    scripted("1")
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        jobs.run_together("ours", "resnet20", (2, 1), 1, "cpu")


def test_the_parts_of_a_run_are_its_whole_time_and_grow_with_the_plan():
    found = children.run_shares("resnet20", "cpu", "1", str(time.time()), "100")
    assert set(found["seconds"]) == set(found["projected_s"]) == set(PARTS)
    assert all(found["seconds"][part] > 0 for part in PARTS)
    # The long run trains on 50 epochs of 45,000 images, 4.5 times; the short one on 2 epochs of 90 images, 1.5 times.
    growth = (50 * 45_000 * 4.5) / (2 * 90 * 1.5)
    assert found["projected_s"][TRAINING] == pytest.approx(growth * found["seconds"][TRAINING], rel=0.01)


def test_a_watched_function_does_not_count_the_time_of_those_that_it_calls(monkeypatch):
    now = iter([0.0, 10.0, 14.0, 15.0])
    monkeypatch.setattr("benchmarks.speed.run_shares.time.perf_counter", lambda: next(now))
    watch = Stopwatch()
    inner = watch.watch(lambda: None, lambda: "inner")
    watch.watch(inner, lambda: "outer")()
    assert watch.seconds == {"inner": 4.0, "outer": 11.0}


@pytest.mark.parametrize(("module", "measure"), [(spread, "run"), (checkpoints, "measure")])
def test_long_measurements_keep_each_run_at_once(module, measure, monkeypatch, tmp_path):
    """Let the third run fail, and find the first two."""
    count = itertools.count()

    def measured(*given):
        if (number := next(count)) == 2:
            raise RuntimeError
        return {"number": number}

    monkeypatch.setattr(module, measure, measured)
    monkeypatch.setattr(checkpoints, "write_noise", lambda *given: None)
    with pytest.raises(RuntimeError):
        module.main(["--out", str(tmp_path)])
    (left,) = tmp_path.glob("*.incomplete")
    runs = json.loads(left.read_text())["runs"]
    assert (runs if isinstance(runs, list) else runs[spread.REFERENCE]) == [{"number": 0}, {"number": 1}]


def test_the_load_of_commands_is_kept_one_by_one(monkeypatch, tmp_path):
    """Let the third command fail, and find the first two."""
    count = itertools.count()

    def run(command, folder):
        if (number := next(count)) == 2:
            raise RuntimeError
        return {"seconds": number, "peak_memory_mb": 1}

    monkeypatch.setattr(load, "run", run)
    monkeypatch.setattr(load, "describe", lambda: {"machine": {"id": "m"}})
    monkeypatch.setattr(load, "make_folder", lambda *given: tmp_path)
    with pytest.raises(RuntimeError):
        load.main(["--out", str(tmp_path)])
    kept = json.loads((tmp_path / "m-load.json.incomplete").read_text())
    assert [row["seconds"] for row in kept["rows"]] == [0, 1]
