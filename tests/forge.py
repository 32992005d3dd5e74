"""Changes stored results with their checksums, as a forger or wrong code would; or without, as a broken disk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anytime_pruning.layout import METRICS, WEIGHTS
from anytime_pruning.storage import file_sha256, render, seal


def forge(folder: Path, change: Callable[[dict[str, Any]], object] = lambda content: None) -> None:
    """Let metrics.json of a run say something else, and agree with all files as they are now."""
    path = folder / METRICS
    content = json.loads(path.read_text())
    for name in content["files"]:
        if (file := folder / name).exists() or name != WEIGHTS:
            content["files"][name] = file_sha256(file)
    change(content)
    path.write_text(render(seal(content)))
