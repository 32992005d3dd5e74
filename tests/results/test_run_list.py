"""Test the list of the runs of a study, which changes as long as the tables hold other runs."""

from anytime_pruning.results.run_list import read_runs_list, write_runs_list


def test_tables_of_other_runs_are_not_current(tmp_path):
    path, table = tmp_path / "runs.txt", tmp_path / "runs.csv"
    write_runs_list(path, ["a", "b"], table)
    table.write_text("seed,run\n0,a\n1,b\n")
    before = path.stat().st_mtime_ns
    write_runs_list(path, ["a", "b"], table)
    assert path.stat().st_mtime_ns == before
    table.write_text("seed,run\n0,a\n")  # the table was collected while b was missing
    write_runs_list(path, ["a", "b"], table)
    seen = path.read_text()
    assert seen != "a\nb\n"
    assert read_runs_list(path) == ["a", "b"]
    write_runs_list(path, ["a", "b"], table)
    assert path.read_text() != seen  # every call changes the list until the runs are collected
    table.write_text("seed,run\n0,a\n1,b\n")
    seen = path.read_text()
    write_runs_list(path, ["a", "b"], table)
    assert path.read_text() == seen
