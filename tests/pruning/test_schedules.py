import pytest

from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.settings.run import prunes


def test_app_goes_from_080_to_a_third():
    densities = lookup("method", "app")(8, 4.5, 0.8)
    # 0.8 ** (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)
    assert densities == pytest.approx([0.8, 0.7155, 0.64, 0.5724, 0.512, 0.4579, 0.4096, 0.3664], abs=5e-5)


def test_the_cubic_schedule_joins_the_densities_of_app_steeply_at_first():
    densities = lookup("method", "app_cubic")(5, 4.5, 0.8)
    # 0.3664 + 0.4336 * (1, 0.75, 0.5, 0.25, 0) ** 3
    assert densities == pytest.approx([0.8, 0.5493, 0.4206, 0.3731, 0.3664], abs=5e-5)


def test_osp_has_the_final_density_of_app_from_the_start():
    assert lookup("method", "osp")(3, 4.5, 0.8) == pytest.approx([0.3664] * 3, abs=5e-5)


def test_dense_is_never_pruned():
    assert lookup("method", "dense")(3, 4.5, 0.8) == [1.0] * 3
    assert [name for name in names("method") if not prunes(name)] == ["dense"]


@pytest.mark.parametrize("name", names("method"))
@pytest.mark.parametrize("length", [1, 2, 100])
def test_densities_are_valid_and_never_rise(name, length):
    densities = lookup("method", name)(length, 4.5, 0.8)
    assert len(densities) == length
    assert all(0 < density <= 1 for density in densities)
    assert densities == sorted(densities, reverse=True)
