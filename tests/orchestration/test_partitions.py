"""Test the use of Slurm on a machine without Slurm: the check of partitions, and the keys of the Slurm profile."""

import pytest
import yaml
from conftest import ROOT

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.orchestration.slurm import check_partitions


@pytest.fixture
def sinfo(tmp_path, monkeypatch):
    """Return a function that installs a cluster with three partitions, or a cluster with a given answer."""

    def install(answer="printf 'debug\\ngpu\\nlong\\n'"):
        (tmp_path / "sinfo").write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / "sinfo").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


@pytest.mark.parametrize("names", [[], ["gpu"], ["gpu", "debug"], ["gpu,long"], ["'gpu' if attempt == 1 else 'long'"]])
def test_partitions_that_are_there_and_expressions_pass(names, sinfo):
    sinfo()
    check_partitions(names)


@pytest.mark.parametrize("names", [["nowhere"], ["gpu", "nowhere"], ["gpu,nowhere"]])
def test_a_partition_that_is_not_there_is_named_with_those_that_are(names, sinfo):
    sinfo()
    with pytest.raises(SettingError) as caught:
        check_partitions(names)
    assert str(caught.value) == "slurm_partition: 'nowhere' is not known; allowed: debug, gpu, long"


def test_a_machine_without_slurm_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        SettingError, match=r"^executor: 'slurm' is not allowed: sinfo is not installed; call snakemake"
    ):
        check_partitions([])


def test_a_slurm_that_does_not_answer_is_one_line(sinfo):
    sinfo("echo 'sinfo: error: retrying' >&2; echo 'Unable to contact controller' >&2; exit 1")
    with pytest.raises(SettingError, match=r"Slurm does not answer; sinfo says: Unable to contact controller$"):
        check_partitions(["gpu"])


def test_the_profile_leaves_to_the_default_one_what_that_says():
    """Check that the profiles share no key, because the default profile wins and a second value would be ignored."""
    slurm, default = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text()) for name in ("slurm", "default")
    )
    assert {"executor", "retries"} <= set(slurm)
    assert not set(slurm) & set(default)
