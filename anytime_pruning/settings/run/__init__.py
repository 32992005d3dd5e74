"""Define the settings of one run.

`fields.py` defines the settings in groups, `meaning.py` says which of them have no meaning beside others, and
`settings.py` puts the groups together, checks them and makes the digest of a run.
"""

from anytime_pruning.settings.run.fields import MAX_MEGABATCHES
from anytime_pruning.settings.run.meaning import PRUNING_SETTINGS
from anytime_pruning.settings.run.settings import START_FILES, RunSettings, digest_of, parse_settings

__all__ = ["MAX_MEGABATCHES", "PRUNING_SETTINGS", "START_FILES", "RunSettings", "digest_of", "parse_settings"]
