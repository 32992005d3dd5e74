import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from anytime_pruning import build_model, load_network, run_stream
from anytime_pruning.__main__ import main
from anytime_pruning.errors import DataError
from anytime_pruning.export import export_run, find_weights, write_onnx
from anytime_pruning.memory_format import arrange
from anytime_pruning.sparse_file import unpack

onnxruntime = pytest.importorskip("onnxruntime", reason="the extras are not installed (envs/extras.txt)")


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """A finished run, its weights in the tree of checkpoints as the workflow has them."""
    root = tmp_path_factory.mktemp("results") / "study"
    settings = {
        "dataset": "digits",
        "model": "resnet20",
        "n_megabatches": 2,
        "train_limit": 60,
        "epochs": 1,
        "tau": 9,
        "execution": {"device": "cpu", "data_dir": str(data_dir)},
    }
    run_stream(settings, root / "runs" / "a" / "b", root / "checkpoints" / "a" / "b" / "weights.safetensors")
    return root / "runs" / "a" / "b"


def infer(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    return torch.from_numpy(logits)


def test_onnx_gives_torchs_outputs_for_any_batch(run, tmp_path):
    paths = export_run(run, out=tmp_path)
    model = load_network(run)
    for count in (1, 5):
        images = torch.rand(count, 1, 8, 8)
        with torch.no_grad():
            expected = model(images)
        assert torch.allclose(infer(paths["network.onnx"], images), expected, atol=1e-5)
    assert expected.std() > 0.01


@pytest.mark.parametrize("name", ["resnet18", "resnet18_imagenet_stem", "resnet50", "vgg16_bn"])
def test_other_networks_with_hooks_of_training(name, tmp_path):
    shape = (3, 32, 32)
    model = build_model(name, 7, shape, (0.5,) * 3, (0.25,) * 3).eval()
    arrange(model, shape, torch.device("cpu"))
    write_onnx(model, list(shape), tmp_path / "network.onnx")
    images = torch.rand(3, *shape)
    with torch.no_grad():
        assert torch.allclose(infer(tmp_path / "network.onnx", images), model(images), atol=1e-4, rtol=1e-4)


def test_the_sparse_file_is_the_network_exactly(run, tmp_path):
    path = export_run(run, out=tmp_path)["network.sparse.safetensors"]
    dense = load_file(find_weights(run))
    again = unpack(path.read_bytes())
    assert again.keys() == dense.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in dense.items())
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(load_network(run, path)(images), load_network(run)(images))
    # 0.8 ** 9 = 13 % of the weights; of the others one bit, or two where the zero is negative.
    assert path.stat().st_size < 0.3 * find_weights(run).stat().st_size


def test_the_command_says_sizes_and_promises_no_speed(run, tmp_path, capsys):
    assert main(["export", str(run), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for name in ("network.onnx", "network.sparse.safetensors"):
        assert f"{name}: {(tmp_path / name).stat().st_size:,} bytes" in said
    assert "no faster" in said


def test_sizes_stand_in_metrics(run, tmp_path):
    import json

    size = json.loads((run / "metrics.json").read_text())["size"]
    paths = export_run(run, out=tmp_path)
    assert size == {
        "dense_bytes": paths["weights"].stat().st_size,
        "sparse_bytes": paths["network.sparse.safetensors"].stat().st_size,
    }


def test_what_is_wrong_is_one_line_and_nothing_is_written(run, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "run")
    text, other = tmp_path / "text.safetensors", tmp_path / "other.safetensors"
    text.write_text("no weights")
    save_file({"x": torch.zeros(1)}, other)
    for arguments, message in (
        ([str(tmp_path / "gone"), "--weights", str(other)], "No such file"),
        ([str(copy)], "no such file; fetch the weights, or train them: python -m anytime_pruning train --settings"),
        ([str(copy), "--weights", str(text)], "not a safetensors file"),
        ([str(copy), "--weights", str(other)], "not the weights of this resnet20"),
        ([str(copy), "--weights", str(tmp_path / "nothing")], "No such file"),
    ):
        assert main(["export", *arguments, "--out", str(tmp_path / "out")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert not (tmp_path / "out").exists()
    (copy / "metrics.json").write_text("{}")
    with pytest.raises(DataError, match="does not say the shape"):
        export_run(copy, find_weights(run))
