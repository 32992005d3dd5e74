"""Test the warnings for the user."""

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import MESSAGE_LIMIT


def test_a_warning_is_one_line_whatever_it_quotes(capsys):
    warn("a\nb \x1b[2J")
    warn("c" * 10 * MESSAGE_LIMIT)
    first, second = capsys.readouterr().err.splitlines()
    assert first == r"warning: a\nb \x1b[2J"
    assert len(second) <= len("warning: ") + MESSAGE_LIMIT
