"""Find what earlier grids of a study, or removed runs, left among results and figures.

A user may keep files of his own beside them. A file is named only if this project writes files of its kind: all files
of a figure together, a file that names missing runs, or a file whose making was recorded.

A user may also move runs or weights to another disk and leave symbolic links in their places. What lies behind a link
belongs to the study like the rest. It may belong to another study, too, so it is named and `is_behind_link` tells that
it must stay. Where a link leads nowhere, its disk may be away for a moment, and no run behind it counts as removed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from anytime_pruning.foundation.files import walk
from anytime_pruning.results import layout


@dataclass(frozen=True)
class LeftOver:
    """Holds what a study no longer needs.

    Attributes:
        runs: folders of runs, finished or not, that the grid does not name.
        figures: files of figures and tables that are not planned.
        metrics: files of series that no run of the grid belongs to.
        remains: folders of weights or files whose run is not there.
    """

    runs: list[Path]
    figures: list[Path]
    metrics: list[Path]
    remains: list[Path]

    def __iter__(self) -> Iterator[Path]:
        """Yield all files and folders."""
        for kind in fields(self):
            yield from getattr(self, kind.name)


def find_left_over(
    study: Path, runs: Iterable[str], figures: Mapping[str, Collection[str]], series: Iterable[str] | None = None
) -> LeftOver:
    """Find what a study no longer needs.

    Args:
        study: folder of the study's results, below `results`.
        runs: names of the runs of the grid.
        figures: the endings of each planned figure's files by the figure's name.
        series: names of the series of the grid, as in the folder of metrics; None leaves the metrics out.
    """
    planned, there = set(runs), runs_there(study)
    metrics = [] if series is None else sorted((study / "metrics").glob("*.json"))
    names = {f"{name}.json" for name in series or ()}
    return LeftOver(
        runs=[study / "runs" / name for name in there if name not in planned],
        figures=list(_figures_left(study, {**figures, "claims": layout.TABLE_FILES})),
        metrics=[path for path in metrics if path.name not in names],
        remains=list(_remains(study, set(there))),
    )


def runs_there(study: Path) -> list[str]:
    """Return the names of the runs that are finished or can go on, in order."""
    root = study / "runs"
    signs = (path for path in walk(root) if path.name in (layout.METRICS, layout.RESUME))
    return sorted({str(sign.parent.relative_to(root)) for sign in signs})


def is_behind_link(path: Path, study: Path) -> bool:
    """Return whether a folder above a path, below the folder of the study, is a symbolic link."""
    return any(folder.is_symlink() for folder in _between(path.parent, study))


def figure_of(path: Path) -> str:
    """Return the name of the figure to which a file belongs."""
    return path.stem.removesuffix(f".{layout.MISSING.rstrip('.')}")


def record_of_figure(study: Path, name: str) -> Path:
    """Return the file that remembers from what a figure was made."""
    return study / "made" / "figures" / f"{name}.txt"


def _figures_left(study: Path, planned: Mapping[str, Collection[str]]) -> Iterator[Path]:
    folder = study.parent.parent / layout.FIGURES / study.name
    files: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.*")):
        files.setdefault(figure_of(path), []).append(path.name)
    for name, found in files.items():
        endings = {file.removeprefix(f"{name}.") for file in found}
        kept = set(planned.get(name, ()))
        missing = {ending for ending in endings if ending.startswith(layout.MISSING) and not kept}
        is_own = bool(missing) or record_of_figure(study, name).exists()
        kinds = [set(kind) for kind in (layout.PICTURE_FILES, layout.TABLE_FILES)]
        left = missing.union(*(kind - kept for kind in kinds if is_own or kind <= endings))
        yield from (folder / f"{name}.{ending}" for ending in sorted(left & endings))


def _remains(study: Path, there: set[str]) -> Iterator[Path]:
    """Find folders of runs without results, and weights without a run; collected tables, if no run is left at all."""
    trees = {"runs": layout.TEXTS} | {tree: (file,) for tree, file in layout.WEIGHTS_TREES.items()}
    runs = study / "runs"
    for root, names in ((study / tree, names) for tree, names in trees.items()):
        found = sorted({path.parent.relative_to(root) for path in walk(root) if path.name in names})
        yield from (root / name for name in found if str(name) not in there and not _may_be_run(runs / name, study))
    if not there and not any(_leads_nowhere(path) for path in (runs, *walk(runs))):
        yield from sorted((study / "tables").glob("*.csv"))


def _may_be_run(run: Path, study: Path) -> bool:
    """Return whether a run is finished, as planning decides it, or may be behind a link that leads nowhere now."""
    return (run / layout.METRICS).exists() or any(map(_leads_nowhere, _between(run, study)))


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _between(path: Path, study: Path) -> list[Path]:
    """Return a path and the folders above it, up to the folder of the study, which does not count."""
    return [folder for folder in (path, *path.parents) if folder.is_relative_to(study) and folder != study]
