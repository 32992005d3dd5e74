"""Do the work of the stages, each in a process of its own, and print each measurement as one line of JSON."""

import json
from typing import Any


def report(key: str, value: Any) -> None:
    """Print a measurement, which the parent process keeps at once."""
    print(json.dumps({"measured": key, "value": value}), flush=True)
