"""Name the files that the workflow makes for a study.

All paths are relative, so that results are written to the folder in which Snakemake works.
"""

from dataclasses import dataclass
from pathlib import Path

from anytime_pruning.results import layout


@dataclass(frozen=True)
class StudyPaths:
    """Names the files and folders of one study.

    Attributes:
        study: name of the study.
    """

    study: str

    @property
    def runs(self) -> str:
        """Return the folder of all runs."""
        return str(layout.runs_dir(self.study))

    @property
    def runs_list(self) -> str:
        """Return the file that lists the names of all planned runs."""
        return self._result("runs.txt")

    @property
    def figure_plan(self) -> str:
        """Return the file that describes all planned figures as JSON."""
        return self._result("figures.json")

    @property
    def tables(self) -> str:
        """Return the folder of the collected tables."""
        return self._result("tables")

    @property
    def metrics(self) -> str:
        """Return the folder with the numbers of each series that `dvc metrics` shows."""
        return self._result("metrics")

    @property
    def logs(self) -> str:
        """Return the folder of the logs of all jobs."""
        return self._result("logs")

    @property
    def made(self) -> str:
        """Return the folder of the records that say what tables, figures and claims were made from."""
        return self._result("made")

    @property
    def walkthrough(self) -> str:
        """Return the HTML page of the executed notebook."""
        return self._result("walkthrough.html")

    @property
    def report(self) -> str:
        """Return the HTML page with verdicts, the walk-through, and every figure and table."""
        return self._result("report.html")

    @property
    def figures(self) -> str:
        """Return the folder of the figures and tables of the paper."""
        return str(layout.FIGURES / self.study)

    @property
    def claims(self) -> str:
        """Return the table of claims, without its suffix."""
        return f"{self.figures}/claims"

    def claims_files(self) -> list[str]:
        """Return every file of the table of claims."""
        return [f"{self.claims}.{kind}" for kind in layout.TABLE_FILES]

    def record(self, product: str) -> str:
        """Return the file that says what a product was made from."""
        return f"{self.made}/{product}.txt"

    def table(self, name: str) -> str:
        """Return one of the collected tables."""
        return f"{self.tables}/{name}.csv"

    def run(self, name: str) -> str:
        """Return the folder of one run."""
        return str(layout.run_dir(self.study, name))

    def run_metrics(self, name: str) -> str:
        """Return the file whose existence shows that a run is finished."""
        return f"{self.run(name)}/{layout.METRICS}"

    def run_weights(self, name: str) -> str:
        """Return the file of a run's final weights."""
        return str(layout.weights_path(self.study, name))

    def run_files(self, name: str) -> list[str]:
        """Return every file of a run but its weights, in the order in which they may appear: metrics.json is last."""
        return [*(f"{self.run(name)}/{file}" for file in layout.TEXTS), self.run_metrics(name)]

    def run_config(self, name: str) -> str:
        """Return the file of a run's settings."""
        return f"{self.run(name)}/{layout.CONFIG}"

    def is_done(self, name: str) -> bool:
        """Return whether the results of a run exist in the working folder."""
        return Path(self.run_metrics(name)).exists()

    def present_folders(self) -> list[Path]:
        """Return the folders of runs and of weights, or in place of each the first folder above that is there.

        Each of them may be a symbolic link to another disk.
        """
        folders = (Path(self.runs), layout.weights_path(self.study, "x").parents[1])
        return [next(path for path in (folder, *folder.parents) if path.exists()) for folder in folders]

    def _result(self, name: str) -> str:
        return str(layout.RESULTS / self.study / name)
