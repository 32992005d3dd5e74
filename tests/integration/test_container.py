"""Test the workflow inside the image that `make image` built."""

import hashlib
import json
import re
import shutil

import pytest
from checkout import DRAWN, call, jobs, jobs_in, make_checkout, snakemake
from conftest import ROOT, without_times

IMAGE = ROOT / "envs" / "anytime-pruning.sif"
pytestmark = [
    pytest.mark.long(230),
    pytest.mark.integration,
    pytest.mark.skipif(
        not any(map(shutil.which, ("apptainer", "singularity"))),
        reason="neither apptainer nor singularity is installed",
    ),
    pytest.mark.skipif(not IMAGE.exists(), reason="no image: make image REQUIREMENTS=envs/requirements.txt"),
]
PROBE = """

rule probe:
    output:
        "probe.txt",
    shell:
        "ls -d /.singularity.d > {output}; printenv CUDA_VISIBLE_DEVICES >> {output}; "
        "command -v python >> {output}; printenv OF_THE_HOST >> {output} || true"
"""


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    """Return a checkout in which the tiny study ran in the image, and the call that ran it."""
    folder = make_checkout(tmp_path_factory.mktemp("inside") / "project")
    (folder / "envs" / IMAGE.name).symlink_to(IMAGE)
    options = ("--use-singularity", "--singularity-args", f"--nv --cleanenv --bind {ROOT}/envs")
    return folder, snakemake(folder, "experiments", *DRAWN, *options)


@pytest.fixture(scope="module")
def outside(tiny_project):
    folder, said = tiny_project
    assert jobs_in(said, "train") == 4
    return folder


def metrics_of(folder):
    root = folder / "results" / "tiny" / "runs"
    return {str(path.relative_to(root)): json.loads(path.read_text()) for path in sorted(root.rglob("metrics.json"))}


def test_every_run_says_which_image_it_ran_in(inside, outside):
    folder, done = inside
    assert jobs(done, "train") == 4
    with IMAGE.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    found = [metrics["container"] for metrics in metrics_of(folder).values()]
    assert found == [{"image": IMAGE.name, "sha256": digest}] * 4
    assert [metrics["container"] for metrics in metrics_of(outside).values()] == [None] * 4


def test_results_are_those_of_outside_to_the_bit(inside, outside):
    folder, _ = inside
    ours, theirs = metrics_of(folder), metrics_of(outside)
    assert list(ours) == list(theirs)
    for name, metrics in ours.items():
        assert metrics["final"] == theirs[name]["final"]
        run = f"results/tiny/runs/{name}".removesuffix("metrics.json")
        for table in ("megabatches", "epochs", "layers"):
            assert without_times(folder / run / f"{table}.csv") == without_times(outside / run / f"{table}.csv")
        weights = run.replace("/runs/", "/checkpoints/", 1) + "weights.safetensors"
        assert (folder / weights).read_bytes() == (outside / weights).read_bytes()
    for figure in (*DRAWN, "paper_figures/tiny/short.png", "paper_figures/tiny/short.csv"):
        assert (folder / figure).read_bytes() == (outside / figure).read_bytes()


def test_leaving_the_image_again_trains_nothing(inside):
    folder, _ = inside
    assert "Nothing to be done" in snakemake(folder, "experiments", *DRAWN).stderr


def test_a_job_sees_its_gpu_and_the_images_python_and_nobody_elses_packages(tmp_path, monkeypatch):
    folder = make_checkout(tmp_path / "project")
    shutil.copy(IMAGE, folder / "envs")
    with (folder / "Snakefile").open("a") as file:
        file.write(PROBE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("OF_THE_HOST", "leaked")
    # This call gives no options to the container, so that those of the profile are tested.
    done = call(folder, "snakemake", "probe", "--cores", "1", "--use-singularity", "--configfile", "config/tiny.yaml")
    assert done.returncode == 0, done.stderr
    assert (folder / "probe.txt").read_text().split() == ["/.singularity.d", "1", "/opt/venv/bin/python"]
    # Inside, the checkout is the home folder, but no program may leave its own files there.
    assert not [path.name for path in folder.iterdir() if path.name in (".config", ".cache", ".local")]


def test_the_image_keeps_no_cache_and_no_settings_of_the_machine_that_built_it():
    # A mount during the build leaves an empty file, which is allowed.
    look = "cat /etc/pip.conf; ls -A /root/.cache /home/researcher/.cache /var/lib/apt/lists"
    done = call(ROOT, "apptainer", "exec", "--containall", str(IMAGE), "sh", "-c", look)
    assert done.stdout.removeprefix("/var/lib/apt/lists:").strip() == ""
    labels = call(ROOT, "apptainer", "inspect", "--labels", str(IMAGE)).stdout
    for label in ("title", "version", "revision", "source", "licenses"):
        assert f"org.opencontainers.image.{label}: " in labels
    assert str(ROOT) not in labels


def test_torch_compile_finds_what_it_needs_in_the_image_and_keeps_kernels_out_of_the_checkout(tmp_path):
    """Compile in a checkout that is the home folder, as Snakemake makes it."""
    folder = make_checkout(tmp_path / "project")
    compile_one = "import torch; print(torch.compile(lambda x: (x.sin() + 1).sum())(torch.zeros(64)).item())"
    program = f"""
import torch
from anytime_pruning.machine.caches import keep_caches_outside
from anytime_pruning.training.compilers import missing_for_compiling

keep_caches_outside()
assert missing_for_compiling(torch.device("cpu")) is None
{compile_one}
"""
    before = {path.name for path in folder.iterdir()}
    inside = ("apptainer", "exec", "--cleanenv", "--home", str(folder), str(IMAGE))
    done = call(folder, *inside, "python", "-c", program)
    assert done.stdout.split() == ["64.0"], done.stderr
    assert call(folder, *inside, "which", "gcc").returncode == 0
    assert {path.name for path in folder.iterdir()} == before


def test_the_image_runs_as_nobody_special():
    """Check the user that docker and podman read from the image; apptainer keeps the user who calls."""
    listed = call(ROOT, "apptainer", "sif", "list", str(IMAGE)).stdout
    parts = [line.split("|")[0].strip() for line in listed.splitlines() if "JSON" in line]
    contents = [json.loads(call(ROOT, "apptainer", "sif", "dump", part, str(IMAGE)).stdout) for part in parts]
    (config,) = [content for content in contents if "WorkingDir" in content]
    number = call(ROOT, "apptainer", "exec", "--containall", str(IMAGE), "id", "-u", config["User"]).stdout
    assert int(number) > 0
    assert [text for text in config["Env"] if re.search("key|pass|secret|token|user=", text, re.IGNORECASE)] == []


def test_the_image_holds_no_credentials():
    # The last file exists in the image, which shows that the search works.
    names = (".netrc", "_netrc", ".git-credentials", ".pypirc", ".env", "config.local", "credentials", "id_*", "*.key")
    names += ("requirements.txt",)
    wanted = [part for name in names for part in ("-o", "-name", name)][1:]
    run = ("apptainer", "exec", "--containall", str(IMAGE))
    found = call(ROOT, *run, "find", "/", "-xdev", "(", *wanted, ")", "-type", "f", "-size", "+0").stdout.split()
    assert [path for path in found if not path.startswith("/opt/venv/lib/")] == ["/opt/requirements.txt"]
    assert call(ROOT, *run, "grep", "-rlE", "PRIVATE KEY-----", "/etc", "/home", "/opt/requirements.txt").stdout == ""
