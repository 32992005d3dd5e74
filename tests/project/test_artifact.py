"""Test that everything that ARTIFACT.md and CITATION.cff name exists."""

import json
import re
import subprocess

import pytest
import yaml
from conftest import ROOT

import anytime_pruning

TEXT = (ROOT / "ARTIFACT.md").read_text()


def test_every_make_target_and_file_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", TEXT))
    assert {"figures", "demo", "test", "image", "dvc", "integration", "archive"} <= named <= targets
    files = re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT) + re.findall(r"`((?:config|envs)/[^`]+?)`", TEXT)
    assert len(files) >= 12
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    for name in files:
        assert (ROOT / name).exists(), name
        assert not tracked or any(path == name or path.startswith(f"{name}/") for path in tracked), name


def test_every_figure_of_the_study_is_where_a_claim_is_seen():
    """Find every figure and table of the study in git beside a claim, except the diagram of the method."""
    stems = {path.stem for path in (ROOT / "paper_figures" / "cifar100").iterdir()} - {"framework"}
    assert {re.sub(r".*/|\..*", "", name) for name in re.findall(r"\(paper_figures/([^)]+)\)", TEXT)} == stems


def test_the_citation_has_what_its_format_requires_and_the_packages_version():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= content.keys()
    assert content["cff-version"] == "1.2.0"
    assert content["version"] == anytime_pruning.__version__
    assert content["license"] == "MIT"
    (paper,) = content["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert "2204.01640" in paper["url"]


def test_the_deposit_says_the_same_as_the_citation():
    citation, deposit = (
        yaml.safe_load((ROOT / "CITATION.cff").read_text()),
        json.loads((ROOT / ".zenodo.json").read_text()),
    )
    for key in ("title", "version", "license", "keywords"):
        assert deposit[key] == citation[key]
    assert deposit["publication_date"] == citation["date-released"]
    assert " ".join(deposit["description"].split()) == " ".join(citation["abstract"].split())
    assert deposit["creators"] == citation["authors"]


def test_the_catalogue_of_workflows_finds_what_it_asks_for():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"] == {"conda": False, "singularity": True, "singularity+conda": False}
    assert usage["report"] is True
    text = (ROOT / "config" / "README.md").read_text()
    assert [path.name for path in (ROOT / "config").glob("*.yaml") if f"`{path.name}`" not in text] == []


@pytest.mark.parametrize("name", ["LICENSE", "CITATION.cff", "ARTIFACT.md"])
def test_the_readme_leads_to_it(name):
    assert f"({name})" in (ROOT / "README.md").read_text()
