"""The walk-through and the report: run on a tiny study, and opened as a reader does."""

import shutil

import pytest
import yaml
from conftest import ROOT
from test_workflow import call, make_checkout, snakemake

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
        "seed": [0, 1],
    },
    "grid": [{"method": "app"}, {"method": "dense"}, {"method": "app", "protocol": "released"}],
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A checkout whose study was run and reported."""
    folder = tmp_path_factory.mktemp("report") / "project"
    folder.mkdir()
    make_checkout(folder)
    (folder / "config" / "tiny.yaml").write_text(yaml.safe_dump(STUDY))
    for arguments in (("report", "--cores", "2"), ("report", "--report", "report.html")):
        done = snakemake(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_walk_through_leads_through_the_studys_own_numbers(reported):
    page = (reported / "results" / "tiny" / "walkthrough.html").read_text()
    assert "digits is not data of the paper" in page
    assert "6 runs" in page
    assert "too few seeds to tell" in page  # two seeds
    assert page.count("data:image/png;base64") >= 3
    for name in ("results", "differences", "cost", "claims"):
        assert f"no table <code>{name}" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert str(reported) not in page


def test_a_failing_cell_is_one_line(reported, tmp_path):
    notebook = ROOT / "workflow" / "notebooks" / "walkthrough.ipynb"
    program = ROOT / "workflow" / "scripts" / "run_notebook.py"
    done = call(tmp_path, "python", str(program), str(notebook), "tiny", str(tmp_path / "page.html"))
    assert done.returncode == 1
    assert "a cell failed: ModuleNotFoundError" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "page.html").exists()


def test_the_notebook_is_stored_without_outputs():
    import nbformat

    for cell in nbformat.read(ROOT / "workflow" / "notebooks" / "walkthrough.ipynb", as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_every_category_of_the_report_opens_without_errors_or_requests(reported):
    playwright = pytest.importorskip("playwright.sync_api")
    errors, requests, shown = [], [], {}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        url = (reported / "report.html").as_uri()
        page.goto(url)
        for category in CATEGORIES:
            page.get_by_text(category, exact=True).first.click()
            page.wait_for_timeout(300)
            shown[category] = page.inner_text("body")
            page.get_by_text("Snakemake", exact=True).first.click()
            page.wait_for_timeout(200)
            page.goto(url)
        browser.close()
    assert errors == []
    assert {request for request in requests if not request.startswith(("data:", "blob:"))} == {url}
    for category, names in CATEGORIES.items():
        for name in names:
            assert name in shown[category], category


CATEGORIES = {
    "0 Walk-through": ["walk-through (page)"],
    "1 The method": ["framework"],
    "2 Results": ["short", "results (table)", "differences (table)"],
    "3 Along the stream": ["dynamics-digits-resnet20-T2"],
    "5 Where weights are pruned": ["layers-digits-resnet20-T2"],
    "7 Cost": ["cost (table)"],
    "8 The paper's claims": ["claims (table)"],
}
