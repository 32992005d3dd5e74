"""Define metrics.json, which describes a finished run, as one typed model in the order of the file.

`parts.py` has the parts, and `content.py` the whole. This package imports from `foundation`; nothing else may define a
field of metrics.json.
"""

from anytime_pruning.results.metrics_file.content import REMEDY, SCHEMA_VERSION, MetricsFile, parse_metrics
from anytime_pruning.results.metrics_file.parts import (
    FileSizes,
    FinalNumbers,
    Hardware,
    NetworkInput,
    PlannedSamples,
    RunCost,
)

__all__ = [
    "REMEDY",
    "SCHEMA_VERSION",
    "FileSizes",
    "FinalNumbers",
    "Hardware",
    "MetricsFile",
    "NetworkInput",
    "PlannedSamples",
    "RunCost",
    "parse_metrics",
]
