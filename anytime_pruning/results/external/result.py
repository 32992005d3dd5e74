"""Hold and write the test errors of one program on one stream."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.files import csv_text, write_text
from anytime_pruning.settings.run import RunSettings

# The folder of these files, beside the folder `runs` of a study.
FOLDER = "external"
KEYS, NUMBERS = ("name", "dataset", "model", "n_megabatches"), ("seed", "t", "error_count", "test_count")


@dataclass(frozen=True)
class ExternalResult:
    """Holds what another program reached on a stream of a study.

    Attributes:
        name: name of the program or method.
        dataset, model, n_megabatches: the stream, as in the study.
        test_count: number of test images.
        errors: misclassified test images after each of the T megabatches, by seed.
        path: the file from which this was read.
    """

    name: str
    dataset: str
    model: str
    n_megabatches: int
    test_count: int
    errors: dict[int, list[int]]
    path: Path = field(compare=False)

    @property
    def stream(self) -> tuple[str, str, int]:
        """Return the dataset, the network and the number of megabatches."""
        return self.dataset, self.model, self.n_megabatches

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row for each seed and megabatch."""
        keys = {key: value for key, value in asdict(self).items() if key in KEYS}
        for seed, counts in self.errors.items():
            for t, count in enumerate(counts, start=1):
                yield {**keys, "seed": seed, "t": t, "error_count": count, "test_count": self.test_count}


def external_path(result: ExternalResult) -> str:
    """Return the name of the file of a result."""
    words = re.sub(r"[^a-z0-9]+", "-", result.name.lower()).strip("-")
    return f"{words}-{'-'.join(map(str, result.stream[:2]))}-T{result.n_megabatches}.csv"


def write_external(result: ExternalResult, study: Path) -> Path:
    """Write the test errors of one program beside the runs of a study, and return the path of the file.

    Args:
        result: the test errors.
        study: folder of the study's results.
    """
    path = study / FOLDER / external_path(result)
    columns = (*KEYS, *NUMBERS)
    write_text(path, csv_text(columns, ([row[column] for column in columns] for row in result.rows())))
    return path


def check_streams(results: Iterable[ExternalResult], runs: Iterable[RunSettings], remedy: str = "") -> None:
    """Check that a study has the streams of some results.

    Args:
        results: test errors of programs.
        runs: settings of all runs of the study.
        remedy: what to do with the file of a wrong result, for the message.

    Raises:
        SettingError: the study has no such stream; the message names the file.
    """
    streams = {(run.dataset.name, run.model, run.n_megabatches) for run in runs}
    for result in results:
        if result.stream not in streams:
            known = "; ".join(sorted("{}, {}, T = {}".format(*stream) for stream in streams))
            raise SettingError(
                "external: {}: {}, {}, T = {} of {} is no stream of this study; allowed: {}{}".format(
                    result.path, *result.stream, show(result.name), known, remedy and f"; {remedy}"
                )
            )
