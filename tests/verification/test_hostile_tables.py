"""Test that values with which no arithmetic is possible are reported as problems of their table, without a crash."""

import pytest
from forge import edit, forge, in_all, problems_in, put

HUGE = "1" * 299
TABLES = {
    "no prunable weights": (
        put("megabatches.csv", 0, prunable_count="0"),
        "megabatches.csv: prunable_count at t=1 is 0, but at least 1 is needed",
    ),
    "no test images": (
        in_all("megabatches.csv", "test_count", lambda _: "0"),
        "megabatches.csv: test_count at t=1 is 0, but at least 1 is needed",
    ),
    "no training images": (put("megabatches.csv", 1, train_count="-1"), "train_count at t=2 is -1, but at least 1"),
    "an empty layer": (
        put("layers.csv", 0, total="0"),
        "layers.csv: total of network.conv1.weight at t=1 is 0, but at least 1 is needed",
    ),
    "more digits than floats have": (
        put("epochs.csv", 0, samples="1" * 400),
        "column samples has a value that is not a",
    ),
    "more digits than 64 bits have": (
        put("megabatches.csv", 1, kept_count=HUGE),
        "metrics.json: no possible value of kept_count follows from the tables",
    ),
    "fewer than no weights": (
        put("megabatches.csv", 1, kept_count="-1"),
        "metrics.json: no possible value of kept_count follows from the tables",
    ),
    "no percentage": (put("epochs.csv", 0, valid_acc_pct="1e299"), "is 1e+299, which is not a percentage"),
    "no rows": (
        lambda run: (run / "epochs.csv").write_text((run / "epochs.csv").read_text().splitlines()[0] + "\n"),
        "epochs.csv: no rows",
    ),
    "other layers": (
        lambda run: edit(
            run / "layers.csv", lambda rows: [row.update(layer=f"x{row['layer']}") for row in rows] and None
        ),
        "layers.csv: layer is ['xnetwork.",
    ),
}


@pytest.mark.parametrize(("change", "message"), TABLES.values(), ids=TABLES)
def test_a_hostile_table_is_a_problem_of_its_file(change, message, run):
    change(run)
    forge(run)
    found = problems_in(run, evaluate=True)
    assert any(message in problem for problem in found), found
    assert not any("cannot be checked" in problem for problem in found), found
