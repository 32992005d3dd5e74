"""Adds a tracker that writes each report as a line of JSON into the run's folder."""

import json

from anytime_pruning import register


@register("tracker", "lines")
class LineTracker:
    """Writes reports.jsonl below the run's folder."""

    def __init__(self, settings, out_dir, samples):
        self._file = (out_dir / "reports.jsonl").open("a")

    def log(self, values, step):
        """Write numbers by name, with the number of training samples so far."""
        print(json.dumps({"samples": step, **values}), file=self._file)

    def close(self, failed):
        """Write what is left."""
        self._file.close()
