from types import FunctionType

import pytest

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import KINDS, lookup, names, register


@pytest.fixture
def part(forget):
    @register("tracker", "part_for_test")
    def part():
        return "called"

    return part


def test_a_registered_part_is_found_by_its_name_and_stays_as_it_is(part):
    assert lookup("tracker", "part_for_test") is part
    assert "part_for_test" in names("tracker")
    assert names("tracker") == sorted(names("tracker"))


def test_a_name_belongs_to_the_module_that_registered_it(part):
    def again():
        register("tracker", "part_for_test")(object())

    elsewhere = FunctionType(again.__code__, {"__name__": "another_module", "register": register, "object": object})
    with pytest.raises(ValueError, match=r"tracker 'part_for_test' is registered twice, by .*_registry and by another"):
        elsewhere()
    assert lookup("tracker", "part_for_test") is part


def test_the_same_module_may_register_a_name_again_as_a_notebook_does(part):
    newer = object()
    register("tracker", "part_for_test")(newer)
    assert lookup("tracker", "part_for_test") is newer


def test_an_unknown_kind_lists_the_kinds():
    with pytest.raises(ValueError, match=f"'colour' is not a kind .*; allowed: {', '.join(KINDS)}$"):
        register("colour", "red")


@pytest.mark.parametrize("name", ["missing", None, 3, ["part_for_test"], {}])
def test_an_unknown_name_of_any_type_lists_the_names(name, part):
    with pytest.raises(SettingError, match=r"^tracker: .* is not known; allowed: .*part_for_test"):
        lookup("tracker", name)
