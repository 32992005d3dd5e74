"""Test the list of the runs of a study."""

from anytime_pruning.results.run_list import format_runs_list, read_runs_list


def test_names_come_back_in_their_order(tmp_path):
    names = ["digits/resnet20/T2/app/snip/seed1-0", "digits/resnet20/T2/app/snip/seed0-0"]
    (tmp_path / "runs.txt").write_text(format_runs_list(names))
    assert read_runs_list(tmp_path / "runs.txt") == names
