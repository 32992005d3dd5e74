"""Describe the code of a user's part: of a file by its text, and of what a process holds by following references.

Comments, docstrings and the layout of the code do not count. Installed packages do not count either.
"""

from anytime_pruning.foundation.source_code.objects import describe_code
from anytime_pruning.foundation.source_code.texts import (
    imported_modules,
    is_installed,
    normalized,
    normalized_or_digest,
    spells_out,
)

__all__ = ["describe_code", "imported_modules", "is_installed", "normalized", "normalized_or_digest", "spells_out"]
