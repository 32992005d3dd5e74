import hashlib

from anytime_pruning.machine.provenance import describe_container


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
