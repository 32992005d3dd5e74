"""Find what a grid no longer names among runs and figures: the command `stale`."""

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytime_pruning.results.left_over import LeftOver
    from anytime_pruning.settings.study import PlannedRun

HELP = "list or remove runs and figures that the study's grid does not name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("config", type=Path, help="a study's YAML file")
    parser.add_argument("--remove", action="store_true", help="remove all that is listed, runs with their weights")


def run(options: argparse.Namespace) -> None:
    """List runs, figures and metrics that the grid does not name, and files left by removed runs; remove them if asked.

    A run is listed whether it is finished or not. Files that this project does not write are never listed. Of a linked
    run or folder the link is removed. What lies behind a link to another place stays there, because another study may
    have it, too.
    """
    from anytime_pruning.figures.catalog.plan import plan_figures
    from anytime_pruning.foundation.errors import SettingError
    from anytime_pruning.foundation.safe_text import read_yaml
    from anytime_pruning.orchestration.study_files import find_namesakes
    from anytime_pruning.results import layout
    from anytime_pruning.results.external import external_results
    from anytime_pruning.results.left_over import find_left_over, is_behind_link, runs_there
    from anytime_pruning.settings.study import plan_study

    study, planned = plan_study(read_yaml(options.config))
    if others := find_namesakes(study.study, [options.config]):
        raise SettingError(
            f"study: {study.study!r} is not allowed: {others[0]} has a study of the same name, whose runs would be "
            "listed as well; give one of the two another name"
        )
    folder = layout.RESULTS / study.study
    count = len(runs_there(folder))
    external = external_results(folder)
    figures = {name: figure.kinds for name, figure in plan_figures(planned, study.margins, external).items()}
    left = find_left_over(folder, [run.name for run in planned], figures, _series(folder, planned))
    linked = {path for path in left if is_behind_link(path, folder)}
    for path in left:
        print(path)
        if options.remove and path not in linked:
            _remove(path, folder)
    done = f" and were removed{' unless they lie behind links' if linked else ''}" if options.remove else ""
    print(f"{len(left.runs)} of {count} runs are in no grid{done}")
    if counted := _describe_others(left):
        print(f"{counted} are of no grid or of no run{done}")
    if linked:
        print(f"{len(linked)} of all these lie behind symbolic links, where --remove leaves them")


def _series(folder: Path, planned: "list[PlannedRun]") -> list[str]:
    """Return the names of all series of the grid."""
    if not (folder / "metrics").is_dir():
        return []
    # The import is inside the function, because it loads pandas, which takes longer than all the rest.
    from anytime_pruning.figures.series_metrics import name_of_series
    from anytime_pruning.results.variants import name_variants, plain_settings

    settings = {run.name: plain_settings(run.settings.model_dump(mode="json")) for run in planned}
    variants = name_variants(settings)
    return [name_of_series(dict(values, variant=variants[name])) for name, values in settings.items()]


def _describe_others(left: "LeftOver") -> str:
    from anytime_pruning.results.left_over import figure_of

    counts = {
        "figures or tables": len({figure_of(path) for path in left.figures}),
        "metrics of series": len(left.metrics),
        "left-overs of runs": len(left.remains),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _remove(path: Path, study: Path) -> None:
    """Remove a file with its record, or a folder of a run with the run's weights and log.

    Raises:
        SettingError: a process is computing the run.
    """
    from anytime_pruning.results import layout
    from anytime_pruning.results.left_over import figure_of, is_behind_link, record_of_figure

    if path.is_relative_to(study / "runs"):
        name = str(path.relative_to(study / "runs"))
        _remove_run(path)
        for weights in layout.weights_paths(study, name):
            if not is_behind_link(weights.parent, study):
                _remove_folder(weights.parent)
        (study / "logs" / f"{name}.log").unlink(missing_ok=True)
    elif path.is_dir():
        _remove_folder(path)
    else:
        path.unlink(missing_ok=True)
        record_of_figure(study, figure_of(path)).unlink(missing_ok=True)


def _remove_folder(folder: Path) -> None:
    """Remove a folder, or the symbolic link in its place; what the link leads to stays."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _remove_run(folder: Path) -> None:
    from anytime_pruning.foundation.errors import SettingError
    from anytime_pruning.foundation.locks.holders import describe_holder
    from anytime_pruning.foundation.locks.locks import Lock
    from anytime_pruning.results import layout

    lock = Lock(folder / layout.LOCK, f"the removal of {folder}")
    # Of a linked run only the link is removed. Taking the lock would write into a folder that stays.
    is_free = not describe_holder(lock.path) if folder.is_symlink() else lock.take()
    if not is_free:
        who = describe_holder(lock.path) or "a process"
        raise SettingError(f"remove: {folder} is not allowed: {who} works on this run; stop it first")
    try:
        _remove_folder(folder)
    finally:
        lock.release()
