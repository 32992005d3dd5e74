import pytest
from pydantic import BaseModel, ConfigDict

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.fields import Count, FilePath, Name, Number, check_name, check_path, validate


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    count: Count = 1
    rate: Number = 0.5
    path: FilePath = "x"


def test_allowed_values_are_read():
    example = validate(Example, {"name": "a.b-C_1", "count": 3, "rate": 1, "path": "a b/é.tar"})
    assert (example.name, example.count, example.rate, str(example.path)) == ("a.b-C_1", 3, 1.0, "a b/é.tar")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../x"}, r"part\.name: '\.\./x' is not allowed: String should match"),
        ({"name": ".x", "count": 0}, r"part\.name: .* \(and 1 more\)$"),
        ({"count": True}, r"part\.count: True is not allowed: a number is expected, not true or false$"),
        ({"rate": float("nan")}, r"part\.rate: nan is not allowed: Input should be a finite number$"),
        ({"path": "{x}"}, r"part\.path: '{x}' is not allowed: a path without control characters and braces"),
        ({"path": "$HOME/x"}, r"part\.path: '\$HOME/x' is not allowed: a path without variables such as \$HOME"),
        (
            {"path": "./~no-user/x"},
            r"part\.path: '\./~no-user/x' is not allowed: .* and ~ only for the home of a known",
        ),
        ({"path": ""}, r"part\.path: '' is not allowed: the path of a file or folder is expected, as text$"),
        ({"path": 5}, r"part\.path: 5 is not allowed: the path of a file or folder is expected, as text$"),
        ({"path": "x" * 256}, r"part\.path: .* is not allowed: a shorter path is expected$"),
        ({"other": 1}, r"part\.other: unknown setting \(value 1\); allowed: name, count, rate, path$"),
    ],
)
def test_the_first_wrong_setting_is_named_in_a_line(changes, message):
    with pytest.raises(SettingError, match=f"^{message}"):
        validate(Example, {"name": "x"} | changes, prefix="part.")


def test_a_missing_setting_and_a_value_of_another_kind_are_named():
    with pytest.raises(SettingError, match=r"^name: this setting is required$"):
        validate(Example, {})
    with pytest.raises(SettingError, match=r"^Example: 'x' is not allowed: Input should be"):
        validate(Example, "x")


def test_a_name_for_a_path_is_checked_alone():
    assert check_name("study", "demo-1") == "demo-1"
    for wrong in ("../x", ".x", "", "a/b", 3, None):
        with pytest.raises(SettingError, match=r"^study: .* is not allowed: "):
            check_name("study", wrong)


def test_a_path_is_checked_alone(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert str(check_path("data_dir", "~/x$")) == "/home/me/x$"
    for wrong in ("", "~no-user/x", "$SCRATCH", "{x}", 3, None):
        with pytest.raises(SettingError, match=r"^data_dir: .* is not allowed: .* is expected"):
            check_path("data_dir", wrong)
