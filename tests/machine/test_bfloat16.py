"""Test that bfloat16 computes what it should on processors that have kernels for it and on those that have none."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from anytime_pruning.machine.kernels import bfloat16
from anytime_pruning.machine.kernels.bfloat16 import (
    ONEDNN_LIMITS,
    PRODUCTS,
    autocast,
    choose_precision,
    has_native_bfloat16,
)

CPU = torch.device("cpu")
# The shapes of the operands of each product; functions and methods of one name share them.
OPERANDS = {
    "conv1d": [(2, 4, 9), (6, 4, 3)],
    "conv2d": [(2, 4, 9, 9), (6, 4, 3, 3)],
    "conv3d": [(2, 4, 5, 5, 5), (6, 4, 3, 3, 3)],
    "conv_transpose1d": [(2, 4, 9), (4, 6, 3)],
    "conv_transpose2d": [(2, 4, 9, 9), (4, 6, 3, 3)],
    "conv_transpose3d": [(2, 4, 5, 5, 5), (4, 6, 3, 3, 3)],
    "linear": [(7, 30), (5, 30)],
    "scaled_dot_product_attention": [(2, 6, 8), (2, 6, 8), (2, 6, 8)],
    "matmul": [(2, 7, 30), (30, 5)],
    "mm": [(7, 30), (30, 5)],
    "bmm": [(2, 7, 30), (2, 30, 5)],
    "addmm": [(5,), (7, 30), (30, 5)],
    "addbmm": [(5,), (2, 7, 30), (2, 30, 5)],
    "baddbmm": [(5,), (2, 7, 30), (2, 30, 5)],
}


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [
        ({"avx512_bf16": True, "avx2": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx2": True, "cpu_name": "bf16"}, False),
        ({}, False),
    ],
)
def test_native_bfloat16_is_read_off_the_processor(capabilities, native, monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert has_native_bfloat16(CPU) is native
    assert choose_precision("auto", CPU) == ("bfloat16" if native else "float32")
    assert choose_precision("float32", CPU) == "float32"
    assert capsys.readouterr().err == ""
    assert choose_precision("bfloat16", CPU) == "bfloat16"
    warned = "warning: precision: bfloat16 is emulated on this cpu, which is slower than float32\n"
    assert capsys.readouterr().err == ("" if native else warned)


@pytest.mark.parametrize(
    ("limit", "native"),
    [("AVX512_CORE", False), ("avx2", False), ("AVX512_CORE_BF16", True), ("ALL", True), ("", True)],
)
def test_bfloat16_that_onednn_must_not_use_is_not_native(limit, native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    for name in ONEDNN_LIMITS:
        with monkeypatch.context() as limited:
            limited.setenv(name, limit)
            assert has_native_bfloat16(CPU) is native


@pytest.fixture
def without_kernels(monkeypatch):
    """Pretend that the processor has no kernels for bfloat16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})


def name_of(product) -> str:
    """Return the name of a function or method, which unlike its representation is the same in every process."""
    return product.__qualname__


def exact(product, operands: list[Tensor]) -> list[Tensor]:
    """Return a product of operands, and the gradients of its sum of squares, with float64 in place of float32."""
    doubles = [operand.bfloat16().double().requires_grad_() for operand in operands]
    result = product(*doubles)
    gradients = torch.autograd.grad(result, doubles, 2 * result.detach().bfloat16().double())
    return [tensor.float().bfloat16().float() for tensor in (result, *gradients)]


@pytest.mark.parametrize("product", sorted(PRODUCTS, key=name_of), ids=name_of)
def test_products_without_kernels_are_those_of_rounded_operands(product, without_kernels):
    """Compare forward and backward with exact sums, rounded once; attention rounds more often in between."""
    generator = torch.Generator().manual_seed(0)
    operands = [torch.randn(shape, generator=generator).requires_grad_() for shape in OPERANDS[product.__name__]]
    with autocast(CPU, "bfloat16"):
        result = product(*operands)
    assert result.dtype == torch.bfloat16
    found = [result, *torch.autograd.grad(result, operands, 2 * result.detach())]
    assert [gradient.dtype for gradient in found[1:]] == [torch.float32] * len(operands)
    for ours, expected in zip(found, exact(product, operands)):
        ours = ours.float()
        # Where an exact sum lies between two numbers of bfloat16, one in float32 may fall to the other side.
        torch.testing.assert_close(ours, expected, rtol=2**-7, atol=1e-6)
        assert (ours == expected).float().mean() > 0.98


@pytest.mark.parametrize(
    ("capabilities", "limit", "emulates"),
    [
        ({"avx2": True}, "", True),
        ({}, "", True),
        ({"avx512_bw": True}, "", False),
        ({"avx512_bw": True, "avx512_bf16": True}, "", False),
        ({"avx512_bw": True, "avx512_bf16": True}, "AVX512_CORE", False),
        ({"avx512_bw": True, "avx512_bf16": True}, "AVX2", True),
        ({"bf16": True}, "", False),
    ],
)
def test_only_processors_without_kernels_compute_in_float32(capabilities, limit, emulates, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setenv(ONEDNN_LIMITS[0], limit)
    asked = []
    monkeypatch.setattr(bfloat16, "_is_mixing", lambda: asked.append(True))
    for precision in ("float32", "bfloat16"):
        with autocast(CPU, precision):
            F.linear(torch.ones(1, 2), torch.ones(3, 2))
    assert asked == [True] * emulates


def test_what_autocast_leaves_alone_keeps_its_type(without_kernels):
    single, double = torch.full((2, 2), 1.001), torch.full((2, 2), 1.001, dtype=torch.float64)
    with autocast(CPU, "bfloat16"):
        assert torch.equal(double @ double, double * double * 2)
        assert (single + single).dtype == torch.float32
        assert (torch.ones(2, 2, dtype=torch.int64) @ torch.ones(2, 2, dtype=torch.int64)).dtype == torch.int64
        with torch.autocast("cpu", enabled=False):
            assert (single @ single).dtype == torch.float32
        with torch.autocast("cpu", dtype=torch.float16):
            assert (single @ single).dtype == torch.float16
    assert (single @ single).dtype == torch.float32


def test_a_product_into_a_tensor_of_the_caller_is_written_there(without_kernels):
    single, place = torch.full((2, 2), 1.001), torch.zeros(2, 2)
    with autocast(CPU, "bfloat16"):
        torch.matmul(single, single, out=place)
    assert torch.equal(place, single @ single)


def test_attention_may_have_a_mask(without_kernels):
    values, mask = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0)), torch.eye(3, dtype=torch.bool)
    with autocast(CPU, "bfloat16"):
        found = F.scaled_dot_product_attention(values, values, values, attn_mask=mask)
    assert torch.equal(found, values.bfloat16())
