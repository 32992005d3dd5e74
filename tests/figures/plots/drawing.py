"""Draw made-up tables as figures, and read from a figure what it shows."""

import matplotlib.pyplot as plt
import pytest
from made_up_tables import make_epochs, make_layers, make_megabatches
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

from anytime_pruning.figures import style
from anytime_pruning.figures.plots import dynamics, layers, short

MARGINS = {"test_acc_pct": 1.0, "cumulative_error_count": 2.0}


@pytest.fixture(autouse=True)
def clean_style():
    style.set_style()
    yield
    plt.close("all")


def draw_dynamics(which):
    """Draw the dynamics of made-up epochs and the megabatches of the same runs."""
    return dynamics.draw(make_epochs(**which), make_megabatches(**which))


def draw_layers(which):
    """Draw made-up layers and the megabatches of the same runs."""
    return layers.draw(make_layers(**which), make_megabatches(**which))


def draw_short(runs):
    return short.draw(runs, MARGINS)


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text()]


def curves(axis):
    """Return the points of the lines of a panel by the colour and the style of the line, without lines across it."""
    found = {}
    for line in axis.lines:
        if line.get_transform() == axis.transData and line.get_linestyle() != "None" and len(line.get_xdata()):
            points = [(round(float(x), 6), round(float(y), 6)) for x, y in line.get_xydata()]
            found[to_hex(line.get_color()).upper(), line.get_linestyle()] = points
    return found


def legend_of(figure):
    return [label.get_text() for label in figure.legends[0].get_texts()]


def contrast_to_white(color):
    """Return the ratio of luminances by which WCAG 2 measures contrast."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4 for channel in to_rgb(color)
    )
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
