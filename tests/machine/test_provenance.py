import hashlib
import os

from anytime_pruning.machine.provenance import describe_container
from anytime_pruning.orchestration.containers import prepare_container


def test_the_image_is_named_by_what_is_in_its_file(tmp_path, monkeypatch):
    image = tmp_path / "an.sif"
    image.write_bytes(b"image")
    monkeypatch.setenv("APPTAINER_CONTAINER", str(image))
    digest = hashlib.sha256(b"image").hexdigest()
    assert describe_container() == {"image": "an.sif", "sha256": digest}
    monkeypatch.setenv("APPTAINER_CONTAINER", str(tmp_path / "out of sight" / "an.sif"))
    assert describe_container() == {"image": "an.sif", "sha256": None}


def test_outside_there_is_none(monkeypatch):
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"):
        monkeypatch.delenv(name, raising=False)
    assert describe_container() is None


def test_an_address_needs_no_file_and_the_gpu_of_a_job_is_passed_inside(tmp_path, monkeypatch):
    (tmp_path / "singularity").write_text("")
    (tmp_path / "singularity").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv("APPTAINERENV_CUDA_VISIBLE_DEVICES", raising=False)
    prepare_container("docker://example.org/anytime-pruning:1")
    assert os.environ["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "3"
    assert "APPTAINERENV_SLURM_JOB_ID" not in os.environ
