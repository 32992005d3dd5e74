"""Check that an ONNX file computes what torch computes, for any number of images."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from anytime_pruning.foundation.errors import DataError, message_of

# Another program adds in another order, and layers that follow each other let the rounding grow.
TOLERANCE = 1e-3
# Logits of low precision may differ by this many of their smallest relative steps.
ROUNDINGS = 4
BATCHES = (1, 3)
Run = Callable[[NDArray[np.float32]], NDArray[Any]]


def check_onnx(content: bytes, model: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """Compare the logits of an ONNX file with those of torch on a few random images.

    onnxruntime computes if it is installed and knows all operators, and otherwise the evaluator of the package onnx.

    Args:
        content: content of the file, with the input `images` and the output `logits`.
        model: the network in eval mode, on the CPU.
        image_shape: (channels, height, width).

    Raises:
        DataError: the logits differ, or nothing can compute them; the message says for how many images.
    """
    draw = torch.Generator().manual_seed(0)
    for count in BATCHES:
        images = torch.rand(count, *image_shape, generator=draw)
        with torch.no_grad():
            expected = model(images)
        tolerance = max(TOLERANCE, ROUNDINGS * torch.finfo(expected.dtype).eps)
        # numpy has no bfloat16, and logits of several types are compared in one.
        expected = expected.double()
        found = torch.from_numpy(_compute(content, images.numpy()).astype(np.float64))
        margin = tolerance * float(expected.abs().amax())
        if found.shape != expected.shape or not torch.allclose(found, expected, tolerance, margin, equal_nan=True):
            raise DataError(
                f"export: this network cannot be written as ONNX: its logits for a batch of {count} are not those of "
                "torch; its forward pass may depend on the number of images, or draw at random"
            )


def _compute(content: bytes, images: NDArray[np.float32]) -> NDArray[Any]:
    problems = []
    for prepare in _programs():
        try:
            return prepare(content)(images)
        except Exception as error:
            # Each program has errors of its own, and the next program may know what this one does not.
            problems.append(message_of(error))
    raise DataError(
        f"export: this network cannot be written as ONNX: it fails for a batch of {len(images)}: {problems[0]}"
    )


def _programs() -> Iterator[Callable[[bytes], Run]]:
    if find_spec("onnxruntime"):
        yield _onnxruntime
    yield _reference


def _onnxruntime(content: bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # Errors are raised, and need not be printed as well.
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(images: NDArray[np.float32]) -> NDArray[Any]:
        (logits,) = session.run(["logits"], {"images": images})
        return np.asarray(logits)

    return run


def _reference(content: bytes) -> Run:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(content)

    def run(images: NDArray[np.float32]) -> NDArray[Any]:
        (logits,) = evaluator.run(["logits"], {"images": images})
        return np.asarray(logits)

    return run
