"""Keep test errors of other people's programs beside a study's own runs, where they are labelled external.

This package imports from `settings` and `foundation`. It must never load pandas, because planning reads these files.
"""

from anytime_pruning.results.external.reading import external_results, read_external
from anytime_pruning.results.external.result import KEYS, ExternalResult, check_streams, external_path, write_external

__all__ = [
    "KEYS",
    "ExternalResult",
    "check_streams",
    "external_path",
    "external_results",
    "read_external",
    "write_external",
]
