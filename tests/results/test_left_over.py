"""Test that what earlier grids left is found and removed, and that a user's own files stay."""

import json
from pathlib import Path

import pytest
import yaml

from anytime_pruning.__main__ import main
from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.foundation.locks.holders import write_note
from anytime_pruning.results import layout
from anytime_pruning.results.left_over import find_left_over
from anytime_pruning.results.run_list import format_runs_list
from anytime_pruning.settings.study import plan_study
from anytime_pruning.verification.left_over import describe_left_over

STUDY, FIGURES = Path("results/mine"), Path("paper_figures/mine")
SETTINGS = {"dataset": "digits", "model": "resnet20", "epochs": 1, "lr_milestones": [], "train_limit": 100}


def content(lengths, method="app"):
    grid = [{"method": method, "n_megabatches": lengths}, {"method": "dense", "n_megabatches": lengths}]
    return {"study": "mine", "defaults": SETTINGS, "grid": grid}


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def make_study(lengths):
    """Write the files that a study of these stream lengths has when it is finished; return its figures by name."""
    _, runs = plan_study(content(lengths))
    for run in runs:
        touch(layout.run_dir("mine", run.name) / layout.METRICS, layout.run_dir("mine", run.name) / layout.CONFIG)
        touch(layout.weights_path("mine", run.name))
    figures = plan_figures(runs)
    touch(*(FIGURES / f"{name}.{kind}" for name, figure in figures.items() for kind in figure.kinds))
    touch(*(FIGURES / f"claims.{kind}" for kind in layout.TABLE_FILES))
    touch(
        *(STUDY / "metrics" / f"digits-resnet20-T{length}-paper-{name}.json" for length in lengths for name in SERIES)
    )
    Path("config.yaml").write_text(yaml.safe_dump(content(lengths)), encoding="utf-8")
    return figures


SERIES = ("app-snip", "dense-none")


def files():
    return {path for top in ("results", "paper_figures") for path in Path(top).rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def edited(tmp_path, monkeypatch):
    """Enter a folder in which a study had streams of 2, 3 and 30 megabatches, and its grid now has 2 alone."""
    monkeypatch.chdir(tmp_path)
    make_study([2, 3, 30])
    Path("config.yaml").write_text(yaml.safe_dump(content([2])), encoding="utf-8")


def test_figures_metrics_and_runs_of_a_length_that_left_the_grid_are_listed(capsys):
    before = files()
    assert main(["stale", "config.yaml"]) == 0
    *listed, runs, others = capsys.readouterr().out.splitlines()
    assert runs == "4 of 6 runs are in no grid"
    assert "4 metrics of series" in others
    names = {Path(path).name for path in listed if path.startswith("paper_figures")}
    assert {"dynamics-digits-resnet20-T3.pdf", "long-digits-resnet20-T30.csv", "sweep-digits-resnet20.png"} <= names
    assert {"direction_changes.md", "direction_changes.html", "direction_changes.tex", "direction_changes.csv"} <= names
    assert not [name for name in names if "T2" in name or name.startswith(("results", "claims", "short", "cost"))]
    assert files() == before


def test_removing_leaves_exactly_what_the_edited_grid_would_have_made(capsys):
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert "and were removed" in capsys.readouterr().out.splitlines()[-1]
    left = files()
    for path in left:
        path.unlink()
    make_study([2])
    assert left == files()
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert capsys.readouterr().out == "0 of 2 runs are in no grid and were removed\n"


def test_what_a_user_put_beside_figures_and_results_stays():
    own = [FIGURES / name for name in ("mine.pdf", "notes.csv", "dynamics-digits-resnet20-T3.svg", "README", "a.b.png")]
    own += [STUDY / "notes.md", STUDY / "checkpoints" / "README.md", FIGURES / "talk" / "sweep.pdf"]
    touch(*own)
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert all(path.exists() for path in own)


def test_a_figure_that_named_missing_runs_or_was_recorded_is_told_from_a_users_file():
    touch(FIGURES / "long-digits-resnet20-T9.missing.png", FIGURES / "layers-old.png", FIGURES / "short.missing.png")
    touch(FIGURES / "own.png", STUDY / "made" / "figures" / "layers-old.txt")
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert (FIGURES / "own.png").exists()
    assert (FIGURES / "short.missing.png").exists()  # this figure is planned, and some of its runs are missing
    assert not (FIGURES / "long-digits-resnet20-T9.missing.png").exists()
    assert not (FIGURES / "layers-old.png").exists()
    assert not (STUDY / "made" / "figures" / "layers-old.txt").exists()


def test_no_file_is_listed_twice():
    """Record a figure that has all its files: two signs that it is the project's."""
    touch(STUDY / "made" / "figures" / "sweep-digits-resnet20.txt")
    left = find_left_over(STUDY, [], {})
    assert len(left.figures) == len(set(left.figures))
    assert {path.suffix for path in left.figures if path.stem == "sweep-digits-resnet20"} == {".pdf", ".png", ".csv"}


def test_weights_and_tables_of_removed_runs_are_found(capsys):
    """Remove each metrics.json, as `snakemake --delete-all-output` does."""
    for path in STUDY.rglob(layout.METRICS):
        path.unlink()
    sparse = STUDY / "weights" / "digits" / "seed0" / layout.SPARSE_WEIGHTS
    touch(STUDY / "tables" / "runs.csv", sparse)
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert "14 left-overs of runs" in capsys.readouterr().out  # six runs, their weights, one sparse file, and the table
    assert not sparse.exists()
    assert not [path for path in files() if path.is_relative_to(STUDY / "runs") or path.name == layout.WEIGHTS]
    assert not (STUDY / "tables" / "runs.csv").exists()


def test_an_unfinished_run_keeps_its_checkpoints_and_weights():
    (metrics,) = STUDY.glob("runs/digits/resnet20/T2/app/snip/*/metrics.json")
    metrics.unlink()
    (metrics.parent / layout.RESUME).mkdir()
    before = {path for path in files() if "T2" in str(path)}
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert {path for path in files() if "T2" in str(path)} == before


def move_away(path):
    """Move a folder to another place, as to another disk, and leave a symbolic link; return the new place."""
    away = Path("disk", *path.parts)
    away.parent.mkdir(parents=True, exist_ok=True)
    path.rename(away)
    path.symlink_to(away.resolve())
    return away


@pytest.mark.parametrize("part", ["", "digits", "digits/resnet20/T2", "digits/resnet20/T2/app/snip/*"])
@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.parametrize("trees", [("runs",), ("runs", "checkpoints")])
def test_weights_of_planned_runs_behind_links_stay(part, is_away, trees, capsys):
    for tree in trees:
        (folder,) = (STUDY / tree).glob(part) if part else [STUDY / tree]
        away = move_away(folder)
        if is_away and tree == "runs":
            away.rename(away.with_name("away"))
    planned = set(STUDY.joinpath("checkpoints").glob("digits/resnet20/T2/*/*/*/*"))
    assert len(planned) == 2
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert all(path.exists() for path in planned)
    assert not [line for line in capsys.readouterr().out.splitlines() if "T2" in line]


def test_what_lies_behind_a_link_stays_and_of_a_linked_run_the_link_goes(capsys):
    run = next(STUDY.glob("runs/digits/resnet20/T30/app/snip/*"))
    places = [STUDY / "runs" / "digits" / "resnet20" / "T3", run]
    places.append(STUDY / "checkpoints" / run.relative_to(STUDY / "runs"))
    kept = {path for place in places for path in move_away(place).rglob("*")}
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert kept == {path for path in Path("disk").rglob("*") if path in kept}
    assert [place.is_symlink() for place in places] == [True, False, False]
    *_, runs, _, linked = capsys.readouterr().out.splitlines()
    assert runs == "4 of 6 runs are in no grid and were removed unless they lie behind links"
    assert linked == "2 of all these lie behind symbolic links, where --remove leaves them"


def test_a_linked_run_at_which_a_process_works_stays(capsys):
    run = next(STUDY.glob("runs/digits/resnet20/T30/app/snip/*"))
    touch(run / layout.LOCK)
    write_note(move_away(run) / layout.LOCK, "training")
    assert main(["stale", "config.yaml", "--remove"]) == 2
    assert "works on this run" in capsys.readouterr().err
    assert run.exists()


def test_links_that_lead_back_end(capsys):
    (STUDY / "runs" / "digits" / "back").symlink_to("..")
    (STUDY / "runs" / "itself").symlink_to("itself")
    (STUDY / "runs" / "digits" / "study").symlink_to(STUDY.resolve())
    assert main(["stale", "config.yaml"]) == 0
    assert "4 of 6 runs are in no grid" in capsys.readouterr().out
    assert main(["studies", "."]) == 0
    assert capsys.readouterr().out == "mine config.yaml\n"


def test_a_picture_that_became_a_table_leaves_its_pictures():
    touch(*(FIGURES / f"new.{kind}" for kind in (*layout.PICTURE_FILES, *layout.TABLE_FILES)))
    left = find_left_over(STUDY, [], {"new": layout.TABLE_FILES})
    assert {path.name for path in left.figures if path.stem == "new"} == {"new.pdf", "new.png"}


def test_verification_counts_them_by_the_last_grid_of_the_workflow(capsys):
    assert list(describe_left_over(STUDY)) == []  # the workflow has written no lists yet
    figures = plan_figures(plan_study(content([2]))[1])
    (STUDY / "figures.json").write_text(json.dumps({name: figure.as_json() for name, figure in figures.items()}))
    (STUDY / "runs.txt").write_text(format_runs_list([run.name for run in plan_study(content([2]))[1]]))
    assert main(["verify", "--no-evaluate", str(STUDY)]) == 1  # these runs are empty files
    said = capsys.readouterr()
    assert f"{STUDY}: 4 runs, 11 figures and 0 left-overs of runs are of no grid" in said.out
    assert "files and runs of no grid; " in said.err
    make_study([2])
    assert main(["stale", "config.yaml", "--remove"]) == 0
    assert list(describe_left_over(STUDY)) == []


def test_a_study_whose_name_another_file_has_is_refused_because_its_runs_would_go(capsys):
    Path("other.yml").write_text(yaml.safe_dump(content([3, 30])), encoding="utf-8")
    before = files()
    for options in ([], ["--remove"]):
        assert main(["stale", "config.yaml", *options]) == 2
        assert capsys.readouterr() == (
            "",
            "error: study: 'mine' is not allowed: other.yml has a study of the same name, whose runs would be listed "
            "as well; give one of the two another name\n",
        )
    assert files() == before
    Path("other.yml").write_text("[mine", encoding="utf-8")
    assert main(["stale", "config.yaml"]) == 0
