from collections import OrderedDict

import pytest

from anytime_pruning.foundation.errors import (
    MESSAGE_LIMIT,
    VALUE_LIMIT,
    DataError,
    SettingError,
    describe_system_error,
    show,
)


def nested(kind, depth):
    value = None
    for _ in range(depth):
        value = kind(value)
    return value


@pytest.mark.parametrize("text", ["a\nb\x1b[2J\0c\u202e\ud800", "x" * 10**6, "\n" * 2 * MESSAGE_LIMIT])
def test_a_message_is_one_line_of_bounded_length(text):
    message = str(DataError(f"{text}: is wrong"))
    assert message.isprintable()
    assert len(message) <= MESSAGE_LIMIT


def test_an_ordinary_message_stays_as_it_is_and_a_long_one_keeps_both_ends():
    assert str(SettingError("data/é x.zip: 'a\\n' is not allowed")) == "data/é x.zip: 'a\\n' is not allowed"
    message = str(SettingError(f"lr: {'9' * 5000} is not allowed"))
    assert message.startswith("lr: 999")
    assert message.endswith("9 is not allowed")


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        b"x" * 10**6,
        10**10**4,
        -(10**10**4),
        list(range(10**6)),
        {str(i): i for i in range(10**5)},
        nested(lambda value: [value], 10**5),
        nested(lambda value: OrderedDict(a=value), 10**4),
        nested(lambda value: [value] * 10, 100),
        nested(lambda value: (value, {"a": value}), 100),
        "\ud800\0\x1b\n",
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_shown_short_however_large_or_deep(value):
    assert len(show(value)) <= VALUE_LIMIT
    assert show(value).isprintable()


def test_an_ordinary_value_is_shown_as_python_writes_it():
    for value in (3, "a'b", [1, 2.5, None], {"a": (1,)}, True, 10**30):
        assert show(value) == repr(value)
    assert show(OrderedDict(a=1)) == "{'a': 1}"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "a\nb"), r"a\nb: No space left on device"),
        (OSError(28, "No space left on device"), "system: No space left on device"),
        (OSError("pipe is gone"), "system: pipe is gone"),
    ],
)
def test_an_error_of_the_system_names_its_file_if_it_has_one(error, line):
    assert describe_system_error(error) == line
