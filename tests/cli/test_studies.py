"""Test the command `studies`, by which `make figures` and `make report` find the studies that have results."""

import pytest

from anytime_pruning.__main__ import main

GRID = "grid: [{method: dense}]\n"
# YAML has many ways to write the name `mine`.
SPELLINGS = {
    "plain": f"study: mine\n{GRID}",
    "double quotes": f'study: "mine"\n{GRID}',
    "single quotes, after the grid": f"{GRID}study: 'mine'\n",
    "comment": f"study: mine # of mine\n{GRID}",
    "space before the colon": f"study :   mine   \n{GRID}",
    "quoted key": f'"study": mine\n{GRID}',
    "next line": f"study:\n  mine\n{GRID}",
    "folded": f"study: >-\n  mine\n{GRID}",
    "anchor": f"defaults: {{start: &name mine}}\nstudy: *name\n{GRID}",
    "tag": f"study: !!str mine\n{GRID}",
    "flow": "{study: mine, grid: [{method: dense}]}",
    "document": f"%YAML 1.1\n---\nstudy: mine\n{GRID}...\n",
    "JSON": '{"study": "mine", "grid": [{"method": "dense"}]}',
    "Windows": f"study: mine\r\n{GRID}".replace("\n", "\r\n"),
    "byte order mark": f"\N{ZERO WIDTH NO-BREAK SPACE}study: mine\n{GRID}",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Enter a folder that holds a finished run of the study `mine`, and return its folder of configurations."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "mine" / "runs" / "a" / "seed0").mkdir(parents=True)
    (tmp_path / "results" / "mine" / "runs" / "a" / "seed0" / "metrics.json").touch()
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_study_is_found_however_its_name_is_written(spelling, folder, capsys):
    (folder / "my study.yaml").write_bytes(SPELLINGS[spelling].encode())
    assert main(["studies"]) == 0
    assert capsys.readouterr() == ("mine config/my study.yaml\n", "")


def test_every_suffix_that_snakemake_reads_is_found_and_nothing_else(folder, capsys):
    for name in ("a.yaml", "b.yml", "c.json"):
        (folder / name).write_text(SPELLINGS["JSON"].replace("mine", name))
        (folder.parent / "results" / name).symlink_to("mine")
    (folder / "d.yaml~").write_text(SPELLINGS["JSON"])
    (folder / "claims.yaml").write_text("claims: []\n")
    (folder / "empty.yaml").mkdir()
    assert main(["studies"]) == 0
    assert capsys.readouterr() == ("a.yaml config/a.yaml\nb.yml config/b.yml\nc.json config/c.json\n", "")


def test_a_name_in_several_files_is_an_error_and_the_other_studies_are_listed(folder, capsys):
    for name in ("a.yaml", "b.yml"):
        (folder / name).write_text(f"study: other\n{GRID}")
    (folder / "c.json").write_text(SPELLINGS["JSON"])
    (folder / "d.yaml").symlink_to("c.json")  # the same file
    assert main(["studies"]) == 2
    assert capsys.readouterr() == (
        "mine config/c.json\n",
        "error: study: 'other' is not allowed in several files: config/a.yaml, config/b.yml; rename all but one\n",
    )


def test_a_study_without_results_is_said(folder, capsys):
    (folder / "a.yaml").write_text(f"study: other\n{GRID}")
    (folder / "b.yaml").write_text(f"study: begun\n{GRID}")
    (folder.parent / "results" / "begun" / "runs" / "a" / "seed0" / "resume").mkdir(parents=True)
    assert main(["studies"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "config/a.yaml: the study other has no results yet",
        "config/b.yaml: the study begun has no results yet",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: [mine\n", "config: config/a.yaml cannot be read: "),
        ("- study: mine\n", "config: config/a.yaml holds no settings"),
        (f"study: mine\nstudy: mine\n{GRID}", "the key 'study' appears twice"),
        (f"study: 7\n{GRID}", "config: config/a.yaml: study: 7 is not allowed"),
        (f"study: ../mine\n{GRID}", "config: config/a.yaml: study: '../mine' is not allowed"),
        (f"Study: mine\n{GRID}", "config: config/a.yaml: study: this setting is required"),
        (f"study: m\xefne\n{GRID}", "config: config/a.yaml cannot be read: "),
    ],
)
def test_what_cannot_be_read_is_one_line_and_the_other_studies_are_listed(text, message, folder, capsys):
    (folder / "a.yaml").write_bytes(text.encode("latin-1"))
    (folder / "b.yaml").write_text(SPELLINGS["plain"])
    (folder / "c.yaml").write_text("{")
    assert main(["studies"]) == 2
    said = capsys.readouterr()
    assert said.out == "mine config/b.yaml\n"
    assert len(said.err.splitlines()) == 2
    assert message in said.err.splitlines()[0]
    assert "config/c.yaml" in said.err.splitlines()[1]
