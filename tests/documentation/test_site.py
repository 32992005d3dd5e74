"""Test that the documentation site builds without a warning, loads nothing from the network, and repeats the code."""

import os
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser

import pytest
from conftest import ROOT

from anytime_pruning.cli.main import COMMANDS
from anytime_pruning.datasets.image_folder import ImageFolder
from anytime_pruning.datasets.restricted_imagenet import RestrictedImageNet
from anytime_pruning.figures import catalog  # noqa: F401  (kinds of figures register themselves)
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.results.metrics_file import FinalNumbers, MetricsFile
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.settings.execution import ExecutionSettings
from anytime_pruning.settings.run import RunSettings, parse_settings
from anytime_pruning.settings.study import Margins, Study

# These attributes of HTML load a file when the page is opened; a link is only followed by its reader.
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site in strict mode, in which a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def text_of(site, page):
    """Return the text of a page without tags."""
    return unescape(re.sub(r"<[^>]+>", "", (site / page).read_text()))


class Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        address = dict(attributes).get(LOADED.get(tag, ""))
        if address and dict(attributes).get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(address)


def test_no_page_loads_anything_from_the_network(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) >= 35
    for page in pages:
        found = Loads()
        found.feed(page.read_text())
        assert found.addresses
        for address in found.addresses:
            assert not re.match(r"(https?:)?//", address), (page, address)
            # The page for addresses that do not exist is only ever sent by a server, so it names files from the root.
            folder = site if page.name == "404.html" else page.parent
            assert address.startswith("data:") or (folder / address.partition("?")[0].lstrip("/")).exists(), address
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(https?:)?//|@import", sheet.read_text()), sheet


def test_every_key_is_explained_with_its_default(site):
    text = (site / "reference/configuration.html").read_text()
    rows = dict(re.findall(r"<tr>\s*<td><code>(\w+)</code></td>\s*(.+?)</tr>", text, re.DOTALL))
    models = (Study, Margins, ExecutionSettings, RunSettings, ImageFolder, RestrictedImageNet)
    keys = {key for model in models for key in model.model_fields} - {"name", "source", "own_code"}
    assert keys - rows.keys() == set()
    settings = parse_settings({"dataset": "digits", "model": "resnet20"})
    for key, shown in (("epochs", "50"), ("lr_milestones", "20, 40"), ("augment", "true"), ("precision", "auto")):
        cells = [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td>(.*?)</td>", rows[key], re.DOTALL)]
        assert cells[1] == shown
        assert str(getattr(settings, key)).strip("()").lower() == shown
        assert len(cells[2]) > 10


def test_every_column_is_explained(site):
    text = text_of(site, "reference/results.html")
    for kind in (MegabatchRow, EpochRow, LayerRow):
        assert [name for name in kind.__dataclass_fields__ if not re.search(rf"\b{name}\b", text)] == []
    for model in (MetricsFile, FinalNumbers):
        assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", text)] == []


def test_every_command_is_explained(site):
    text = text_of(site, "reference/commands.html")
    assert [name for name in COMMANDS if f"usage: python -m anytime_pruning {name}" not in text] == []
    assert "--n-megabatches VALUE" in text


def test_every_kind_of_figure_is_explained(site):
    text = (site / "reference/figures.html").read_text()
    shown = dict(re.findall(r"<tr>\s*<td><code>(\w+)</code></td>\s*<td>(\w+)</td>", text))
    # Other tests may have registered kinds of their own in this process, which the site does not know.
    kinds = {name: "picture" if "png" in lookup("figure", name).files else "table" for name in names("figure")}
    assert len(shown) >= 18
    assert shown.items() <= kinds.items()


def test_every_public_call_is_explained(site):
    text = text_of(site, "reference/python.html")
    declared = re.findall(r"import \w+ as (\w+)", (ROOT / "anytime_pruning" / "__init__.pyi").read_text())
    assert len(declared) >= 10
    assert [name for name in declared if name not in text] == []


def test_the_diagrams_show_the_rooms_and_the_rules(site):
    rooms, rules = ((site / "images" / name).read_text() for name in ("rooms.svg", "rules.svg"))
    packages = {path.parent.name for path in (ROOT / "anytime_pruning").glob("*/__init__.py")}
    assert packages == set(re.findall(r">(\w+)</text>", rooms))
    shown = set(re.findall(r">(\w+)</text>", rules))
    assert shown == {
        *("write_plan", "prepare_data", "train", "collect_runs"),
        *("plot_figure", "write_table", "check_claims", "all"),
    }
    assert rules.count("<line") == 9


def test_examples_of_parts_are_the_tested_ones(site):
    text = " ".join(text_of(site, "how-to/parts.html").split())
    for path in (ROOT / "tests" / "additions").glob("[!_]*.py"):
        if path.stem != "pruner":  # the page has a longer one
            for line in filter(None, map(str.strip, path.read_text().splitlines())):
                assert " ".join(line.split()) in text, (path, line)


def test_tables_of_results_are_the_stored_ones(site):
    text = " ".join(text_of(site, "results/index.html").split())
    for name in ("starts", "cifar10", "cifar100"):
        stored = (ROOT / "paper_figures" / name / "results.md").read_text()
        cells = [
            cell.strip() for line in stored.splitlines() if line.startswith("| ") for cell in line.split("|")[1:-1]
        ]
        assert len(cells) > 50
        assert [cell for cell in cells if cell not in text] == []
