"""Test the diagram of the method."""

import pytest
from drawing import clean_style, texts  # noqa: F401 (a fixture)
from matplotlib.patches import Rectangle

from anytime_pruning.figures.plots import framework


def set_widths(figure, name):
    """Return the width of the bar of a set in each column, from left to right, and the height of the bars."""
    bars = {}
    for patch in figure.axes[0].patches:
        middle = patch.get_y() + patch.get_height() / 2 if type(patch) is Rectangle else None
        if middle == pytest.approx(framework.HEIGHTS[name]):
            # The columns are around 0.55, 1.55, 2.55 and 4.
            bars.setdefault(min(3, int(patch.get_x() + patch.get_width() / 2)), []).append(patch)
    widths = [max(p.get_x() + p.get_width() for p in parts) - min(p.get_x() for p in parts) for parts in bars.values()]
    (height,) = {round(patch.get_height(), 6) for parts in bars.values() for patch in parts}
    return widths, height


def test_it_has_the_densities_of_the_schedule():
    figure, data = framework.draw([0.8, 0.7, 0.6, 0.5, 0.4], sample_frac=0.2)
    assert data["density_asked"].tolist() == [0.8, 0.7, 0.6, 0.5, 0.4]
    said = [text.get_text() for text in texts(figure)]
    assert [text for text in said if text.endswith("kept")] == ["80% kept", "70% kept", "60% kept", "40% kept"]
    assert "$t = 5$" in said
    figure, _ = framework.draw([0.8, 0.4], sample_frac=0.2)
    assert [text.get_text() for text in texts(figure) if text.get_text().endswith("kept")] == ["80% kept", "40% kept"]


@pytest.mark.parametrize("n_megabatches", [3, 8])
def test_the_sets_grow_with_t_and_the_sample_is_a_share_of_them(n_megabatches):
    figure, _ = framework.draw([0.8] * n_megabatches, sample_frac=0.5)
    widths, height = set_widths(figure, "replay")
    times = [1, 2, 3, n_megabatches][: min(n_megabatches, 4)]
    assert [width / widths[0] for width in widths] == pytest.approx(times)
    samples, sample_height = set_widths(figure, "sample")
    assert samples == pytest.approx(widths)
    assert sample_height / height == pytest.approx(0.5)


def test_a_long_stream_has_room():
    figure, _ = framework.draw([0.8] * 100, sample_frac=0.01)
    widths, _ = set_widths(figure, "replay")
    assert widths[0] > 0.05
    assert widths[3] < 1
    _, height = set_widths(figure, "sample")
    assert height == framework.MIN_HEIGHT
