"""Test the walk-through and the report on a tiny study, and open the report as a reader does."""

import csv
import json
import re
import shutil
import zipfile

import pytest
import yaml
from checkout import call, make_checkout, snakemake
from conftest import ROOT, encode
from patience import PATIENCE_S
from PIL import Image

from anytime_pruning.figures.report.page import count_verdicts, to_html, write_report
from anytime_pruning.foundation.errors import DataError

pytestmark = [pytest.mark.long(60), pytest.mark.workflow]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
STUDY = {
    "study": "tiny",
    "execution": {"device": "cpu"},
    "defaults": {
        "dataset": "digits",
        "model": "resnet20",
        "n_megabatches": 2,
        "epochs": 1,
        "train_limit": 60,
        "seed": 0,
    },
    "grid": [{"method": "app"}, {"method": "dense"}, {"method": "app", "protocol": "released"}],
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Return a checkout whose study was run and reported."""
    folder = tmp_path_factory.mktemp("report") / "project"
    folder.mkdir()
    make_checkout(folder)
    (folder / "config" / "tiny.yaml").write_text(yaml.safe_dump(STUDY))
    # This figure of an earlier grid does not belong to the study.
    (folder / "paper_figures" / "tiny").mkdir(parents=True)
    (folder / "paper_figures" / "tiny" / "dynamics-old.png").write_bytes(encode(Image.new("RGB", (4, 4))))
    done = snakemake(folder, "report", "--cores", "2")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_walk_through_leads_through_the_studys_own_numbers(reported):
    page = (reported / "results" / "tiny" / "walkthrough.html").read_text()
    assert "digits (60 of 1,437 images) is not data of the paper" in page
    assert "3 runs" in page
    assert "too few seeds to tell" in page  # the study has one seed
    assert "<code>train_limit=60</code>, <code>epochs=1</code>" in page  # the published code's commands set neither
    # accuracy, the diagram, short, dynamics, layers and budget, and no other
    assert page.count("data:image/png;base64") == 6
    assert "APP, SNIP minus Dense baseline" in page
    assert "APP, SNIP (released) minus APP, SNIP" in page
    for name in ("results", "differences", "cost", "claims"):
        assert f"no table <code>{name}" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert str(reported) not in page


def test_a_failing_cell_is_one_line(reported, tmp_path):
    notebook = ROOT / "workflow" / "notebooks" / "walkthrough.ipynb"
    page = tmp_path / "page.html"
    done = call(reported, "python", "-m", "anytime_pruning", "walkthrough", str(notebook), "none", str(page))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "walkthrough.ipynb: a cell failed: FileNotFoundError" in last
    assert not page.exists()


def test_the_notebook_is_stored_without_outputs():
    import nbformat

    for cell in nbformat.read(ROOT / "workflow" / "notebooks" / "walkthrough.ipynb", as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


def test_the_report_has_every_figure_and_table_with_its_caption_in_sight(reported):
    page = (reported / "results" / "tiny" / "report.html").read_text()
    plan = json.loads((reported / "results" / "tiny" / "figures.json").read_text())
    shown = dict(re.findall(r'<figure id="([^"]+)">(.+?)</figure>', page, re.DOTALL))
    assert shown.keys() == plan.keys() | {"claims"}
    for name, content in shown.items():
        caption = re.sub("<[^>]+>", "", content.rpartition("<figcaption>")[2])
        assert len(caption) > 40, name
        assert ("<img alt=" in content) == ("png" in plan.get(name, {"kinds": []})["kinds"]), name
    assert "not tested here" in shown["claims"]
    assert "dynamics-old" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert str(reported) not in page


def test_a_second_call_writes_no_report_again(reported):
    done = snakemake(reported, "report", "--cores", "2")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr


def test_the_report_of_snakemake_can_be_written_without_warnings(reported):
    done = snakemake(reported, "report", "--report", "report.zip")
    assert done.returncode == 0, done.stderr
    assert zipfile.is_zipfile(reported / "report.zip")
    shutil.rmtree(reported / ".snakemake" / "metadata")  # as in a clone
    done = snakemake(reported, "report", "--report", "report.html")
    assert done.returncode == 0, done.stderr
    assert "Missing metadata" not in done.stdout + done.stderr


def test_verdicts_are_counted_and_the_tested_claims_are_named(tmp_path):
    rows = [
        ("better", "paper", "reproduced", "3", "True"),
        ("better", "released", "not tested here", "0", ""),
        ("smaller", "paper", "refuted", "5", "False"),
    ]
    claims = [dict(zip(("claim", "protocol", "verdict", "seeds", "holds_after_holm"), row)) for row in rows]
    assert count_verdicts(claims) == {"paper": {"reproduced": 1, "refuted": 1}, "released": {"not tested here": 1}}
    with (tmp_path / "claims.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, claims[0])
        writer.writeheader()
        writer.writerows(claims)
    (tmp_path / "claims.html").write_text("<body><table></table></body>")
    (tmp_path / "walk.html").write_text("<body><h1>Why</h1><table><tr></tr></table></body>")
    write_report("mine", {}, tmp_path, tmp_path / "walk.html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<li>better: <strong>reproduced *</strong> by the protocol <em>paper</em>, 3 seeds</li>" in page
    assert page.count("<li>smaller: <strong>refuted</strong>") == 1
    assert "tests none of the paper" not in page
    assert "<h2>Why</h2>" in page
    assert 'aria-label="Table 1 of the walk-through"><table>' in page
    (tmp_path / "walk.html").write_text("no page")
    with pytest.raises(DataError, match=r"walk\.html: not a page with a body"):
        write_report("mine", {}, tmp_path, tmp_path / "walk.html", tmp_path / "page.html")


def test_marks_of_captions_become_html():
    assert to_html("``a*b`` and **bold**,\n*slanted* x_y < 3 * 4") == (
        "<code>a*b</code> and <strong>bold</strong>, <em>slanted</em> x_y &lt; 3 * 4"
    )


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 960, 400])
def test_the_report_opens_without_errors_requests_or_barriers(width, reported):
    playwright = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    errors, requests = [], []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=1000 * PATIENCE_S)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(1000 * PATIENCE_S)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        url = (reported / "results" / "tiny" / "report.html").as_uri()
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_text("What this study says about the paper's claims").is_visible()
        assert axe.Axe().run(page).violations_count == 0
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # the second link leads to the walk-through
        assert page.url.endswith("#walk-through")
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        browser.close()
    assert errors == []
    assert {request.partition("#")[0] for request in requests if not request.startswith("data:")} == {url}
