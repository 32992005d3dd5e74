"""Test that an exported network computes what the trained network computes, and that mistakes are one line."""

import contextlib
import io
import json
import shutil
import sys
import warnings

import pytest
import torch
from conftest import ROOT
from forge import forge
from safetensors.torch import load_file, save_file

from anytime_pruning import build_model, load_network, register, run_stream
from anytime_pruning.__main__ import main
from anytime_pruning.export import onnx_check
from anytime_pruning.export.onnx import make_onnx
from anytime_pruning.export.sparse_weights import pack, unpack
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.models import torchvision_nets
from anytime_pruning.results.layout import find_weights

onnxruntime = pytest.importorskip("onnxruntime", reason="the extras are not installed (envs/extras.txt)")


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """Return the folder of a finished run, with its weights in the tree of checkpoints as in the workflow."""
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


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """Export the run; return the folder of the files and the output of the command."""
    out = tmp_path_factory.mktemp("exported")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("error")  # a user sees no warnings of torch
        assert main(["export", str(run), "--out", str(out)]) == 0
    return out, said.getvalue()


def infer(model, images):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    return torch.from_numpy(logits)


def test_onnx_gives_torchs_outputs_for_any_batch(run, exported):
    model = load_network(run)
    for count in (1, 5):
        images = torch.rand(count, 1, 8, 8)
        with torch.no_grad():
            expected = model(images)
        assert torch.allclose(infer(exported[0] / "network.onnx", images), expected, atol=1e-5)
    assert expected.std() > 0.01


def test_onnx_names_no_place_on_this_machine(exported):
    content = (exported[0] / "network.onnx").read_bytes()
    assert b"images" in content
    for place in (str(ROOT), torch.__path__[0], ".py"):
        assert place.encode() not in content


@pytest.mark.parametrize("name", ["resnet18_imagenet_stem", "resnet50", "vgg16_bn"])
def test_other_networks_with_hooks_of_training(name, monkeypatch):
    """Export residual networks of ImageNet with one block in each stage; further blocks are the same again."""
    for key, (block, _, width) in list(torchvision_nets.RESNETS.items()):
        monkeypatch.setitem(torchvision_nets.RESNETS, key, (block, (1, 1, 1, 1), width))
    shape = (3, 32, 32)
    model = build_model(name, 7, shape, (0.5,) * 3, (0.25,) * 3).eval()
    arrange(model, shape, torch.device("cpu"))
    onnx = make_onnx(model, shape)
    for count in (1, 3):
        images = torch.rand(count, *shape)
        with torch.no_grad():
            assert torch.allclose(infer(onnx, images), model(images), atol=1e-4, rtol=1e-4)


def test_a_network_that_onnx_cannot_say(tmp_path):
    class Deciding(torch.nn.Module):
        def forward(self, images):
            return images.flatten(1) if images.sum() > 0 else images.flatten(1) * 2

    with pytest.raises(DataError, match=r"export: this network cannot be written as ONNX: .") as error:
        make_onnx(Deciding().eval(), (1, 8, 8))
    assert "\n" not in str(error.value)


class Odd(torch.nn.Module):
    """Compute logits in a way of its own."""

    def __init__(self, way):
        super().__init__()
        self.conv, self.head, self.way = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(4, 3), way

    def forward(self, images):
        return self.way(self.head(self.conv(images).mean((2, 3))), images)


WRONG_IN_ONNX = {
    "draws": lambda logits, images: logits + torch.randn(3),
    "branches on the number of images": lambda logits, images: logits if len(images) % 2 else logits + 1,
    "multiplies by the number of images": lambda logits, images: logits * len(images),
    "loops over images": lambda logits, images: torch.stack([row * 2 for row in logits]),
    "has an unknown operator": lambda logits, images: logits + torch.special.bessel_j0(images).sum((1, 2, 3))[:, None],
    "raises": lambda logits, images: images.no_such_attribute,
}


@pytest.mark.parametrize("way", WRONG_IN_ONNX)
def test_what_onnx_would_compute_otherwise_is_one_line(way, capfd):
    with pytest.raises(DataError, match=r"export: this network cannot be written as ONNX: .") as error:
        make_onnx(Odd(WRONG_IN_ONNX[way]).eval(), (1, 8, 8))
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("has_onnxruntime", [True, False])
def test_logits_of_other_types_are_compared_too(dtype, has_onnxruntime, monkeypatch):
    if not has_onnxruntime:
        monkeypatch.setattr(onnx_check, "find_spec", lambda name: None)
    assert make_onnx(Odd(lambda logits, images: logits.to(dtype)).eval(), (1, 8, 8))
    with pytest.raises(DataError, match="its logits for a batch of 1 are not those of torch"):
        make_onnx(Odd(lambda logits, images: (logits * len(images)).to(dtype)).eval(), (1, 8, 8))


def test_without_onnxruntime_the_evaluator_of_onnx_compares(monkeypatch):
    monkeypatch.setattr(onnx_check, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert make_onnx(Odd(lambda logits, images: logits).eval(), (1, 8, 8))
    with pytest.raises(DataError, match="its logits for a batch of 1 are not those of torch"):
        make_onnx(Odd(WRONG_IN_ONNX["multiplies by the number of images"]).eval(), (1, 8, 8))


def test_a_refused_export_leaves_no_file(forget, tiny, tmp_path, capsys):
    @register("model", "odd_for_test")
    def build(n_classes, image_shape):
        return Odd(lambda logits, images: torch.nn.functional.pad(logits, (0, n_classes - 3)) * len(images))

    run_stream(tiny(model="odd_for_test", n_megabatches=1, epochs=1), tmp_path / "run")
    capsys.readouterr()
    assert main(["export", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: export: this network cannot be written as ONNX: its logits for a batch of 1")
    assert not (tmp_path / "out").exists()


def test_the_sparse_file_is_the_network_exactly(run, exported):
    path = exported[0] / "network.sparse.safetensors"
    dense = load_file(find_weights(run))
    again = unpack(path.read_bytes())
    assert again.keys() == dense.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in dense.items())
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(load_network(str(run), str(path))(images), load_network(run)(images))
    # The file holds 0.8 ** 9 = 13 % of the weights, and for each pruned weight one bit, or two if a zero is negative.
    assert path.stat().st_size < 0.3 * find_weights(run).stat().st_size


def test_a_network_without_zeros_is_loaded_from_its_sparse_file_too(run, tmp_path):
    dense = {
        name: torch.ones_like(tensor) if tensor.dim() == 4 else tensor
        for name, tensor in load_file(find_weights(run)).items()
    }
    (tmp_path / "packed").write_bytes(pack(dense, [name for name in dense if dense[name].dim() == 4]))
    again = load_network(run, tmp_path / "packed").state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in dense.items())


def test_the_command_says_sizes_and_promises_no_speed(exported):
    out, said = exported
    for name in ("network.onnx", "network.sparse.safetensors"):
        assert f"{name}: {(out / name).stat().st_size:,} bytes" in said
    assert "no faster" in said


def test_sizes_stand_in_metrics(run, exported):
    assert json.loads((run / "metrics.json").read_text())["size"] == {
        "dense_bytes": find_weights(run).stat().st_size,
        "sparse_bytes": (exported[0] / "network.sparse.safetensors").stat().st_size,
    }


def test_what_is_wrong_is_one_line_and_nothing_is_written(run, exported, tmp_path, capsys, monkeypatch):
    copy = shutil.copytree(run, tmp_path / "run")
    text, other, half, damaged = (tmp_path / f"{name}.safetensors" for name in ("text", "other", "half", "damaged"))
    text.write_text("no weights")
    save_file({"x": torch.zeros(1)}, other)
    save_file({name: tensor.half() for name, tensor in load_file(find_weights(run)).items()}, half)
    sparse = (exported[0] / "network.sparse.safetensors").read_bytes()
    damaged.write_bytes(sparse.replace(b"values/network.conv1", b"values/network.conv0"))
    for arguments, message in (
        ([str(tmp_path / "gone"), "--weights", str(other)], "No such file"),
        ([str(tmp_path / "gone")], "No such file or directory; this run has to be trained first"),
        ([str(copy)], "no such file; fetch the weights, or train them: python -m anytime_pruning train --settings"),
        ([str(copy), "--weights", str(text)], "not a safetensors file"),
        ([str(copy), "--weights", str(other)], "not the weights of this resnet20"),
        ([str(copy), "--weights", str(half)], "not the weights of this resnet20"),
        ([str(copy), "--weights", str(damaged)], f"{damaged}: sparse weights: damaged"),
        ([str(copy), "--weights", str(tmp_path / "nothing")], "No such file"),
        ([str(copy), "--weights", str(tmp_path)], "Is a directory"),
    ):
        assert main(["export", *arguments, "--out", str(tmp_path / "out")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: onnxscript is not installed; pip install 'anytime-pruning[export]'"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said: said.pop("input"), "metrics.json: input is missing; fetch it again"),
        (lambda said: said["input"].pop("n_classes"), "metrics.json: input.n_classes is missing"),
        (
            lambda said: said["input"].update(n_classes="ten"),
            "metrics.json: input.n_classes is 'ten', but should be a valid integer",
        ),
        (lambda said: said["input"].update(image_shape=[8, 8]), "metrics.json: input.image_shape.2 is missing"),
        (lambda said: said["input"].update(std=[0]), "metrics.json: input.std.0 is 0, but should be greater than 0"),
        (
            lambda said: said["input"].update(mean=[0, 0, 0]),
            "metrics.json: input: mean and std must have one number for each channel",
        ),
        (lambda said: said.update(input=7), "metrics.json: input is 7, but should be an object"),
    ],
)
def test_metrics_that_do_not_say_what_the_images_were(change, message, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    forge(copy, change)
    with pytest.raises(DataError, match=message) as error:
        load_network(copy, find_weights(run))
    assert "\n" not in str(error.value)
