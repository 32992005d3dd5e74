"""Test that the numbers of a stored run reveal a forged number even if all checksums are right."""

import csv
import json

import pytest
from forge import edit, forge, problems_in, put

from anytime_pruning import RESULTS_VERSION
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.results.rows import TABLES
from anytime_pruning.results.store import read_metrics
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.verification.consistency import find_inconsistencies
from anytime_pruning.verification.stored_run import Rows

# No other number of a run determines these. Those of the first line follow from network and images, if both exist.
UNCHECKED = {
    *("input", "parameter_count", "size", "data_sha256", "test_images_in_train", "cost.planned_samples.score"),
    *("code", "versions", "hardware", "wall_time_s", "train_loss", "valid_loss", "zeros_at_start"),
}


def grow(rows):
    """Give a layer all its weights in the last megabatch, and another layer as many fewer."""
    _, one, other = [row for row in rows if row["t"] == "2"][:3]
    other["kept"] = str(int(other["kept"]) + int(one["kept"]) - int(one["total"]))
    one["kept"] = one["total"]


# Each change keeps all checksums right, so only a contradiction between numbers can reveal it.
FORGERIES = {
    "schema": (lambda run: forge(run, lambda c: c.update(schema_version=5)), "metrics.json: schema_version is 5"),
    "version": (
        lambda run: forge(run, lambda c: c.update(results_version=0)),
        f"is 0, but this code makes it {RESULTS_VERSION}",
    ),
    "digest": (lambda run: forge(run, lambda c: c.update(digest="0" * 12)), "metrics.json: digest is 000000000000"),
    "seed": (lambda run: forge(run, lambda c: c.update(seed=3)), "metrics.json: seed is 3, but the settings make it 0"),
    "CER": (
        lambda run: forge(run, lambda c: c["final"].update(cumulative_error_count=1)),
        "cumulative_error_count is 1,",
    ),
    "final": (lambda run: forge(run, lambda c: c["final"].update(test_acc_pct=99.0)), "final.test_acc_pct is 99.0"),
    "macs": (lambda run: forge(run, lambda c: c["final"].update(macs_kept=7)), "final.macs_kept is 7"),
    "finals": (lambda run: forge(run, lambda c: c.pop("final")), "metrics.json: final is missing"),
    "cost": (lambda run: forge(run, lambda c: c["cost"].update(stream_s=0.1)), "cost.stream_s is 0.1"),
    "planned": (
        lambda run: forge(run, lambda c: c["cost"]["planned_samples"].update(train=1)),
        "cost.planned_samples.train is 1",
    ),
    "megabatches": (
        lambda run: edit(run / "megabatches.csv", lambda rows: rows[:1]),
        "it has megabatches [1], not 1 to 2",
    ),
    "asked": (put("megabatches.csv", 0, density_asked="0.7"), "density_asked at t=1 is 0.7"),
    "measured": (put("megabatches.csv", 0, density_measured="0.7"), "density_measured at t=1 is 0.7"),
    "kept": (put("megabatches.csv", 1, kept_count="5"), "kept_count at t=2 is 5, which is not the density asked for"),
    "accuracy": (put("megabatches.csv", 0, test_acc_pct="77.5"), "test_acc_pct at t=1 is 77.5"),
    "errors": (put("megabatches.csv", 0, error_count="3"), "test_acc_pct at t=1 is"),
    "no image": (put("megabatches.csv", 0, train_acc_pct="33.0"), "train_acc_pct at t=1 is 33.0"),
    "gap": (put("megabatches.csv", 0, generalization_gap_pct="1.0"), "generalization_gap_pct at t=1 is 1.0"),
    "clean gap": (put("megabatches.csv", 0, clean_gap_pct="1.0"), "clean_gap_pct at t=1 is 1.0"),
    "best": (put("megabatches.csv", 0, best_epoch="7"), "best_epoch at t=1 is 7"),
    "samples": (put("megabatches.csv", 0, samples="7"), "samples at t=1 is 7"),
    "epoch": (put("epochs.csv", 1, samples="7"), "samples at t=1, epoch 2 is 7"),
    "last epoch": (put("epochs.csv", 1, train_acc_running_pct="7.0"), "train_acc_running_pct at t=1 is"),
    "selected": (put("epochs.csv", 1, valid_acc_pct="7.0"), "validation accuracy at t=1 is"),
    "epochs": (lambda run: edit(run / "epochs.csv", lambda rows: rows[1:]), "1 epochs at t=1, not 1 to 2"),
    "stray": (
        lambda run: edit(run / "epochs.csv", lambda rows: [*rows, rows[0] | {"t": "9"}]),
        "rows of megabatches [9]",
    ),
    "layers": (put("layers.csv", 0, kept="1"), "layers.csv: the sum of kept at t=1 is"),
    "totals": (put("layers.csv", 0, total="1"), "layers.csv: the sum of total at t=1 is"),
    "rate": (put("epochs.csv", 0, lr="0.07"), "lr at t=1, epoch 1 is 0.07"),
    "train images": (put("epochs.csv", 0, train_acc_running_pct="33.0"), "running_pct at t=1, epoch 1 is 33.0"),
    "valid images": (put("epochs.csv", 0, valid_acc_pct="33.0"), "valid_acc_pct at t=1, epoch 1 is 33.0"),
    "layer": (put("layers.csv", 0, layer="x"), "layers.csv: layer, total or macs at t=2 are not those at t=1"),
    "part of macs": (
        put("layers.csv", 0, macs="7"),
        "layers.csv: macs of network.conv1.weight at t=1 is 7, no multiple of",
    ),
    "growing layer": (
        lambda run: edit(run / "layers.csv", grow),
        "layers.csv: kept of network.blocks.0.conv1.weight rises at t=2",
    ),
    "growing network": (
        lambda run: edit(run / "megabatches.csv", lambda rows: rows[1].update(kept_count="300000")),
        "kept_count rises at t=2 from",
    ),
    "test images": (put("megabatches.csv", 1, test_count="720"), "test_count at t=2 is 720"),
    "weights": (put("megabatches.csv", 1, prunable_count="7"), "prunable_count at t=2 is 7"),
    "evaluated": (
        lambda run: forge(run, lambda c: c["cost"]["planned_samples"].update(evaluate=1)),
        "cost.planned_samples.evaluate is 1",
    ),
    "precision": (
        lambda run: forge(run, lambda c: c.update(precision="bfloat16")),
        "precision is bfloat16, but the settings make it float32",
    ),
    "no number": (put("epochs.csv", 0, train_loss="nan"), "column train_loss has a value that is not a number"),
    "no columns": (
        lambda run: (run / "layers.csv").write_text("t,layer\n1,a\n"),
        "layers.csv: other columns than t, layer",
    ),
}


@pytest.mark.parametrize(("change", "message"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_number_is_found_by_the_others(change, message, run):
    change(run)
    forge(run)
    assert any(message in problem for problem in problems_in(run)), problems_in(run)


@pytest.mark.parametrize(("zeros", "is_right"), [(1, True), (2, False)])
def test_a_kept_weight_may_be_zero_by_chance(zeros, is_right, run):
    """Allow as many zeros as during a run: one among up to a million weights."""
    kept, total = 213926 - zeros, 267408
    with open(run / "layers.csv", encoding="utf-8", newline="") as file:
        first = int(next(csv.DictReader(file))["kept"]) - zeros
    put("megabatches.csv", 0, kept_count=str(kept), density_measured=repr(kept / total))(run)
    put("layers.csv", 0, kept=str(first))(run)
    settings, content, rows = parse_settings(read_yaml(run / "config.yaml")), read_metrics(run), Rows.read(run)
    found = [problem.text for problem in find_inconsistencies(settings, content, rows)]
    assert found == ([] if is_right else [f"kept_count at t=1 is {kept}, which is not the density asked for"])
    # Initial weights may hold any number of zeros.
    assert not list(find_inconsistencies(settings.model_copy(update={"initial_weights": "x"}), content, rows))


@pytest.mark.parametrize(("kept", "is_right"), [(97_967, True), (97_968, False)])
def test_the_released_arithmetic_keeps_at_most_what_it_asks_for(kept, is_right, study):
    (run,) = (study / "runs").rglob("app/snip/seed1-*")
    settings, content = parse_settings(read_yaml(run / "config.yaml")), read_metrics(run)
    asked = settings.densities()[1]
    assert round(asked * 267_408) == 97_967
    put("megabatches.csv", 1, kept_count=str(kept))(run)
    found = [problem.text for problem in find_inconsistencies(settings, content, Rows.read(run))]
    assert (f"kept_count at t=2 is {kept}, which is not the density asked for" in found) != is_right


@pytest.mark.parametrize(("name", "is_right"), [("seed0", False), ("seed1", True)])
def test_only_the_released_protocol_may_select_a_later_one_of_equal_epochs(name, is_right, study):
    (run,) = (study / "runs").rglob(f"app/snip/{name}-*")
    settings, content = parse_settings(read_yaml(run / "config.yaml")), read_metrics(run)
    edit(run / "epochs.csv", lambda rows: rows[0].update(valid_acc_pct=rows[1]["valid_acc_pct"]))
    for best_epoch, is_allowed in (("1", True), ("2", is_right)):
        put("megabatches.csv", 0, best_epoch=best_epoch)(run)
        found = [problem.text for problem in find_inconsistencies(settings, content, Rows.read(run))]
        assert any("best_epoch at t=1" in text for text in found) != is_allowed


@pytest.mark.parametrize(("shift", "is_right"), [(-0.002, False), (-0.001, True), (0.001, True), (0.002, False)])
def test_the_last_digit_of_a_sum_of_times_may_differ_by_one(shift, is_right, run):
    """Let another version of Python, which adds with another rounding, have summed the times."""
    forge(run, lambda content: content["cost"].update(train_s=round(content["cost"]["train_s"] + shift, 3)))
    assert (problems_in(run) == []) is is_right


def leaves(content, place=()):
    """Yield the place and the value of every number and text."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from leaves(value, (*place, key))
    else:
        yield place, content


def other(value):
    """Return another value of the same type, so that a whole number remains a whole number."""
    if isinstance(value, bool) or value is None:
        return not value
    return value + (1 if isinstance(value, int) else 0.5) if isinstance(value, int | float) else f"{value}x"


def test_every_number_is_checked_or_known_not_to_be(run):
    """Change each value of metrics.json and of the first row of each table alone, with right checksums."""
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    unseen = set()

    def probe(name):
        forge(run)
        if not problems_in(run):
            unseen.add(name)
        for path, content in before.items():
            path.write_bytes(content)

    for place, value in leaves(read_metrics(run).content()):
        if place[0] not in ("files", "sha256"):
            forge(run, lambda content, place=place, value=value: replace(content, place, other(value)))
            probe(".".join(str(key) for key in place))
    for name in TABLES:
        with open(run / name, encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file))
        for column, text in row.items():
            value = text if column == "layer" else json.loads(text)
            edit(run / name, lambda rows, column=column, value=value: rows[0].update({column: str(other(value))}))
            probe(column)
    known = {name: next((part for part in UNCHECKED if f"{name}.".startswith(f"{part}.")), name) for name in unseen}
    assert set(known.values()) == UNCHECKED


def replace(content, place, value):
    """Put another value at a place."""
    *path, last = place
    for key in path:
        content = content[key]
    content[last] = value


def test_images_that_are_not_those_that_the_settings_name_are_found(run):
    content, rows = read_metrics(run), Rows.read(run)
    for name, expected in (("image_folder", "a" * 64), ("image_folder", content.data_sha256)):
        dataset = {"name": "scans", "source": name, "path": "x.zip", "content_sha256": expected}
        settings = parse_settings(read_yaml(run / "config.yaml") | {"dataset": dataset})
        found = [p for p in find_inconsistencies(settings, content, rows) if "data_sha256" in p.text]
        assert bool(found) == (expected != content.data_sha256)
