"""Test the walk-through and the report on a tiny study, and open both as a reader does."""

import shutil

import pytest
import yaml
from checkout import call, make_checkout, snakemake
from conftest import ROOT, encode
from patience import PATIENCE_S
from PIL import Image

pytestmark = pytest.mark.workflow
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
    for arguments in (("report", "--cores", "2"), ("report", "--report", "report.html")):
        done = snakemake(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_walk_through_leads_through_the_studys_own_numbers(reported):
    page = (reported / "results" / "tiny" / "walkthrough.html").read_text()
    assert "digits (60 of 1,437 images) is not data of the paper" in page
    assert "3 runs" in page
    assert "too few seeds to tell" in page  # the study has one seed
    assert "<code>train_limit=60</code>, <code>epochs=1</code>" in page  # the released commands set neither
    assert page.count("data:image/png;base64") == 4  # the diagram, short, dynamics and layers, and no other
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


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_everything_in_the_report_opens_without_errors_or_requests(reported):
    """Click each category, look at each of its figures and tables, and read each caption."""
    playwright = pytest.importorskip("playwright.sync_api")
    errors, requests, seen = [], [], {}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=1000 * PATIENCE_S)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(1000 * PATIENCE_S)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        url = (reported / "report.html").as_uri()
        for category, names in CATEGORIES.items():
            page.goto(url)
            page.get_by_role("link", name=category, exact=True).click()
            rows = page.locator("tbody tr")
            rows.first.wait_for()
            assert sorted(rows.locator("td:first-child").all_inner_texts()) == sorted(names)
            for name in names:
                seen[name] = look_at(page, category, name)
        browser.close()
    assert errors == []
    assert {request for request in requests if not request.startswith(("data:", "blob:"))} == {url}
    for name, (shown, caption) in seen.items():
        assert shown, name
        assert len(caption) > 40, name
    assert "digits" in seen["results (table)"][0]
    assert "not tested here" in seen["claims (table)"][0]
    assert "What was run" in seen["walk-through (page)"][0]


def look_at(page, category, name):
    """Click the eye of a result; return the text of its page or the width of its picture, and its caption."""
    row = page.locator("tbody tr").filter(has=page.get_by_text(name, exact=True))
    row.locator("a").first.click()
    if name.endswith(")"):
        body = page.frame_locator("iframe").locator("body")
        body.get_by_text("Verdict" if category.startswith("8") else "digits").first.wait_for()
        shown = body.inner_text()
    else:
        picture = page.locator("img[src^='data:image/png']")
        picture.wait_for()
        shown = picture.evaluate("image => image.naturalWidth")
    row.locator("a").nth(1).click()
    caption = page.locator("li.prose").inner_text()
    page.get_by_role("link", name=category, exact=True).click()
    return shown, caption


# The results that a reader finds in each category.
CATEGORIES = {
    "0 Walk-through": ["walk-through (page)"],
    "1 The method": ["framework"],
    "2 Results": ["short", "results (table)", "differences (table)"],
    "3 Along the stream": ["dynamics-digits-resnet20-T2"],
    "5 Where weights are pruned": ["layers-digits-resnet20-T2"],
    "7 Cost": ["cost (table)"],
    "8 The paper's claims": ["claims (table)"],
}
