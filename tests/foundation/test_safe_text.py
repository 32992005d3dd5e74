import pytest
from hostile_settings import LAUGHS, MERGES
from snakemake.common.configfile import load_configfile
from snakemake_interface_common.exceptions import WorkflowError

from anytime_pruning.foundation import safe_text
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.safe_text import parse_json, parse_yaml, read_yaml

DEEP = safe_text.MAX_DEPTH + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 1", r"the key 'a' appears twice \(line 3\)"),
        ("x:\n- {b: 1, 'b': 2}", r"the key 'b' appears twice \(line 2\)"),
        ("[" * DEEP + "]" * DEEP, "more than 20 levels are not allowed"),
        ("[" * 10**6, "more than 20 levels are not allowed"),
        ("- " * 10**5, "more than 20 levels are not allowed"),
        (LAUGHS, r"more than 100,000 values are not allowed \(line \d\)"),
        (MERGES, r"more than 100,000 values are not allowed \(line \d\)"),
        ("&a [*a]", "an alias inside its own value is not allowed"),
        ("&a {b: {c: *a}}", "an alias inside its own value is not allowed"),
        ("#" * (2**20 + 1), "more than 1,048,576 bytes are not allowed"),
        (b"\xff", "can't decode byte 0xff"),
        ("a: \0", "control characters are not allowed"),
        ("9" * 5000, "4300 digits"),
        ("!!timestamp x", "!!timestamp is not allowed: text, numbers, lists and mappings are"),
        ("a: {made: !!timestamp 2020-01-01}", r"made: !!timestamp is not allowed: .* \(line 1\)"),
        ("a: [!!binary aGk=]", r"a: !!binary is not allowed: .* \(line 1\)"),
        ("made: !!set {a, b}", "made: !!set is not allowed"),
        ("made: !!omap [a: 1]", "made: !!omap is not allowed"),
        ("made: !!pairs [a: 1]", "made: !!pairs is not allowed"),
        ("!!bool x", "a value does not fit its tag"),
        ("!!python/object/apply:os.abort []", "could not determine a constructor for the tag"),
        ("a: 1\n---\nb: 2", "but found another document"),
    ],
)
def test_what_is_refused_is_said_in_a_line(text, message):
    with pytest.raises(SettingError, match=f"^here cannot be read: .*{message}") as error:
        parse_yaml("here", text)
    assert str(error.value).isprintable()


def test_what_people_write_is_read():
    assert parse_yaml("here", "a: &x [1, 2]\nb: {<<: {c: 3}, c: 4}\nd: *x") == {"a": [1, 2], "b": {"c": 4}, "d": [1, 2]}
    assert parse_yaml("here", "\ufeffa: 1") == {"a": 1}
    assert parse_yaml("here", "") is None
    depth = safe_text.MAX_DEPTH
    assert parse_yaml("here", "[" * depth + "]" * depth)


# Other values in YAML 1.1: to the base 60, octal, and dates.
OLDER = ("2:4", "1:30", "-1:30.5", "010", "+07", "00", "0_1", "2020-01-01", "2001-12-14 21:59:43.10", "2001-13-01")


@pytest.mark.parametrize("text", OLDER)
def test_what_only_yaml_1_1_takes_for_a_number_or_a_date_is_text_and_refused_in_a_file(text, tmp_path):
    assert parse_yaml("here", f"a: {text}") == {"a": text}
    path = tmp_path / "a.yaml"
    for content in (f"a: {{b: 1, key: {text}}}", f"key: [1, {text}]"):
        path.write_text(content)
        with pytest.raises(SettingError) as error:
            read_yaml(path)
        assert str(error.value) == (
            f"config: {path} cannot be read: key: {text} without quotes is a number or a date for Snakemake; write it "
            f"in quotes: key: '{text}' (line 1)"
        )
    for content in (f"key: '{text}'", f'key: "{text}"', f"key: !!str {text}", f"key: |-\n  {text}"):
        path.write_text(content)
        assert read_yaml(path) == {"key": text}


def test_other_numbers_are_read_by_this_project_as_by_snakemake(tmp_path):
    numbers = "[0, 7, -3, 1_000, 0x1F, 0b11, 1.5, 1.0e-4, 1e-4, 0.5, -.5, .inf, 08, 09.5, 7:61, a:1, 1:4x]"
    (tmp_path / "a.yaml").write_text(f"a: {numbers}")
    assert read_yaml(tmp_path / "a.yaml")["a"] == safe_text.yaml.safe_load(numbers)


def test_without_libyaml_it_is_the_same(monkeypatch):
    monkeypatch.setattr(safe_text, "LOADER", safe_text.with_numbers_of_yaml_1_2(safe_text.yaml.SafeLoader))
    assert parse_yaml("here", "[2:4, 010, 12]") == ["2:4", "010", 12]
    assert parse_yaml("here", "a: &x [1, 2]\nd: *x") == {"a": [1, 2], "d": [1, 2]}
    for text in ("[" * 10**5, LAUGHS, "a: 1\na: 2", "!!timestamp x", "a: \0", "9" * 5000):
        with pytest.raises(SettingError, match=r"^here cannot be read: "):
            parse_yaml("here", text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' appears twice"),
        ("[" * 10**6, "too many levels"),
        ("{", "Expecting property name"),
        ("9" * 5000, "4300 digits"),
    ],
)
def test_json_is_refused_in_a_line(text, message):
    with pytest.raises(SettingError, match=f"^here: not JSON: .*{message}"):
        parse_json("here", text)


def test_a_file_without_end_is_not_read_to_its_end():
    with pytest.raises(SettingError, match="config: /dev/zero cannot be read: more than 1,048,576 bytes"):
        read_yaml("/dev/zero")
    with pytest.raises(SettingError, match=r"config: a\\x00b cannot be read: embedded null byte"):
        read_yaml("a\0b")


@pytest.mark.parametrize("text", ["a:\t1\n", "a: b\tc\n", "a: [1,\t2]\n"])
def test_a_tab_between_the_parts_of_a_shared_text_is_refused_as_snakemake_does(text, tmp_path):
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=r"^config: .* cannot be read: .*found character '\\t'"):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(WorkflowError, match="not valid JSON or YAML"):
        load_configfile(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize("text", ['{\n\t"a":\t"b\\tc"\n}', 'a: "b\tc"\n', "a: 1 #\tone\n"])
def test_another_tab_is_read_as_snakemake_does(text, tmp_path):
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml") == load_configfile(str(tmp_path / "a.yaml"))
