"""Test that the workflow of a public host runs the gate, on every Python that is promised, and may change nothing.

The host's own rules are those of actionlint, which is no package of the lock: `actionlint .github/workflows/gate.yml`.
"""

import re
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement

TEXT = (ROOT / ".github" / "workflows" / "gate.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)
JOBS = WORKFLOW["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Only the container needs a program that the host's machines lack.
FROM_UBUNTU = {"sudo add-apt-repository --yes ppa:apptainer/ppa"} | {
    "sudo apt-get install --yes --no-install-recommends apptainer"
}


def commands(job=None):
    return [line for name, step in STEPS if job in (None, name) for line in step.get("run", "").splitlines()]


def targets(text):
    return set(re.findall(r"(?:^|(?<=&& )|(?<=\s))make ([a-z][a-z-]*)", text, re.MULTILINE))


def without_comments(text):
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def test_it_calls_all_that_the_gate_calls():
    gate = "\n".join(without_comments((ROOT / ".ci" / name).read_text()) for name in ("run", "tools"))
    assert {"lint", "test", "demo", "integration", "image"} == targets(gate)
    assert targets(gate) | {"versions"} == targets("\n".join(commands()))


def test_every_command_is_a_make_target_or_on_the_page_about_security():
    existing = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.MULTILINE))
    shown = (ROOT / "docs" / "explanation" / "security.md").read_text().splitlines()
    assert len(commands("audit")) == 2
    for line in commands():
        if match := re.fullmatch(r"make ([a-z-]+)( [A-Z]+=\S+| [A-Z]+=\$\{\{ [\w.]+ \}\})?", line):
            assert match[1] in existing, line
        else:
            assert line in FROM_UBUNTU or line in shown, line


def test_it_runs_on_the_pythons_that_are_promised_with_all_resolutions():
    matrix = JOBS["versions"]["strategy"]["matrix"]
    promised = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert matrix["python"] == promised
    assert PROJECT["requires-python"] == f">={promised[0]}"
    (allowed,) = re.findall(r'allowed: ([a-z, -]+)" >&2', MAKEFILE)
    assert set(matrix["resolution"]) == set(allowed.split(", "))
    others = [step["with"]["python-version"] for name, step in STEPS if "setup-python" in step.get("uses", "")]
    assert set(others) == {promised[0], "${{ matrix.python }}"}


def test_the_page_about_versions_names_every_promised_python_and_the_lowest_bounds():
    page = (ROOT / "docs" / "reference" / "versions.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if re.match(r"\| 3\.", line)]
    assert set(JOBS["versions"]["strategy"]["matrix"]["python"]) <= {row[0] for row in rows}
    (lowest,) = [row for row in rows if row[1] == "lowest-direct"]
    bounds = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["train"]]
    for name, tried in zip(("torch", "numpy", "pandas"), lowest[2:5], strict=True):
        (specifiers,) = [Requirement(line).specifier for line in bounds if Requirement(line).name == name]
        (bound,) = [specifier.version for specifier in specifiers if specifier.operator == ">="]
        assert f"{tried}.".startswith(f"{bound}."), name


def test_it_may_only_read():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert [name for name, job in JOBS.items() if "permissions" in job] == []
    assert "secrets." not in TEXT
    assert "pull_request_target" not in TEXT
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_an_action_is_named_by_its_commit():
    lines = [line.strip() for line in TEXT.splitlines() if "uses:" in line]
    assert len(lines) == len([step for _, step in STEPS if "uses" in step])
    pinned = r"(- )?uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    assert [line for line in lines if not re.fullmatch(pinned, line)] == []


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_and_runs_on_a_named_system(name):
    assert 0 < JOBS[name]["timeout-minutes"] <= 90
    assert re.fullmatch(r"ubuntu-\d\d\.\d\d", JOBS[name]["runs-on"])


def test_it_runs_every_week():
    (times,) = WORKFLOW[True]["schedule"]  # YAML 1.1 reads the key `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", times["cron"])
    assert "schedule" not in JOBS["audit"].get("if", "")
