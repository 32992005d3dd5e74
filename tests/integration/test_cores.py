"""Test that the number of runs that Snakemake starts at once changes no bit of their results."""

import pytest
from checkout import TINY, call, jobs, make_checkout, write_config

pytestmark = pytest.mark.integration


def test_any_number_of_cores_computes_the_same_bits(tmp_path):
    found = []
    for cores in ("1", "3"):
        folder = make_checkout(tmp_path / cores)
        write_config(folder, TINY | {"defaults": TINY["defaults"] | {"precision": "float32"}})
        command = ("snakemake", "experiments", "--cores", cores, "--configfile", "config/tiny.yaml")
        assert jobs(call(folder, *command), "train") == 4
        found.append(
            {
                str(path.parent.relative_to(folder)): path.read_bytes()
                for path in sorted((folder / "results" / "tiny").rglob("weights.safetensors"))
            }
        )
    assert len(found[0]) == 4
    assert found[0] == found[1]
