"""Test that the sparse file of a network gives back every bit, and that damaged files are refused."""

import contextlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.torch import load, save

from anytime_pruning.export.sparse_weights import pack, unpack
from anytime_pruning.foundation.errors import DataError

NAN_WITH_PAYLOAD = torch.tensor([0x7FC01234, 0x7F800001, -1], dtype=torch.int32).view(torch.float32)


def as_bits(tensor):
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True).tobytes()


def assert_same(state, again):
    assert list(again) == list(state)
    for name, tensor in state.items():
        assert again[name].dtype == tensor.dtype
        assert again[name].shape == tensor.shape
        assert as_bits(again[name]) == as_bits(tensor), name


def mostly_zero(shape, density, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator).to(dtype)
    return values * (torch.rand(shape, generator=generator) < density).to(dtype)


BITS = st.one_of(st.sampled_from([0, 0, 0, 1 << 31, 0x7FC01234, 0x7F800001, 1, 0x80000001]), st.integers(0, 2**32 - 1))


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.tuples(
            hnp.arrays(np.uint32, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), elements=BITS),
            st.sampled_from([torch.float32, torch.int32, torch.float16, torch.bfloat16, torch.float64, torch.uint8]),
            st.booleans(),
        ),
        max_size=4,
    )
)
def test_whatever_bits_a_state_has_come_back(drawn):
    state = {}
    for name, (bits, dtype, _) in drawn.items():
        # Each number is repeated, so that its eight bytes hold whole numbers of any size. Types of four bytes keep the
        # single number, so that 0-d arrays are tested.
        twice = torch.from_numpy(np.tile(bits.reshape(-1, 1), 2).view(np.uint8).ravel())
        state[name] = (
            torch.from_numpy(bits).view(dtype)
            if dtype.itemsize == 4
            else twice.view(dtype).view(*bits.shape, 8 // dtype.itemsize)
        )
    prunable = [name for name, (*_, is_prunable) in drawn.items() if is_prunable]
    assert_same(state, unpack(pack(state, prunable)))


def test_zeros_take_one_bit():
    weight = mostly_zero((64, 32, 3, 3), 0.1)
    weight = torch.where(weight == 0, 0.0, weight)  # removes negative zeros
    stored = load(pack({"w": weight}, ["w"]))
    assert {name: len(part) for name, part in stored.items()} == {
        "values/w": weight.count_nonzero(),
        "mask/w": weight.numel() // 8,
    }


def test_negative_zeros_take_two_bits_and_stay_negative():
    weight = mostly_zero((64, 32, 3, 3), 0.1)  # negative weights times 0 are negative zeros
    assert torch.signbit(weight[weight == 0]).any()
    data = pack({"w": weight}, ["w"])
    assert_same({"w": weight}, unpack(data))
    assert load(data)["signs/w"].nbytes == -(-int((weight == 0).sum()) // 8)
    assert len(data) < 0.2 * weight.nbytes


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_sparse_too(kind):
    state = {"w": mostly_zero((64, 64), 0.2, dtype=kind)}
    data = pack(state, ["w"])
    assert "mask/w" in load(data)
    assert_same(state, unpack(data))


def test_what_sparse_would_not_make_smaller_is_dense():
    state = {"full": torch.ones(100), "empty": torch.zeros(0, 3), "scalar": torch.tensor(0.0), "zeros": torch.zeros(9)}
    data = pack(state, state)
    assert sorted(load(data)) == sorted(
        ["dense/full", "dense/empty", "values/scalar", "mask/scalar", "values/zeros", "mask/zeros"]
    )
    assert_same(state, unpack(data))


def test_only_prunable_weights_are_sparse():
    state = {"running_var": torch.zeros(64), "steps": torch.tensor(7), "w": torch.zeros(64)}
    assert set(load(pack(state, ["w"]))) == {"dense/running_var", "dense/steps", "values/w", "mask/w"}


def test_payloads_of_nan_survive():
    assert_same({"w": (w := torch.cat([NAN_WITH_PAYLOAD, torch.zeros(50)]))}, unpack(pack({"w": w}, ["w"])))


def test_tied_and_strided_weights():
    weight = mostly_zero((8, 8), 0.3)
    state = {"a": weight, "b": weight, "transposed": weight.t(), "part": weight[:, ::2]}
    assert_same(state, unpack(pack(state, state)))


def test_the_same_state_is_the_same_file():
    state = {f"layer{i}": mostly_zero((16, 16), 0.3, seed=i) for i in range(5)}
    assert pack(state, state) == pack({name: tensor.clone() for name, tensor in state.items()}, reversed(list(state)))


def test_the_state_is_left_as_it_was():
    weight = mostly_zero((8, 8), 0.3).requires_grad_()
    before = weight.detach().clone()
    again = unpack(pack({"w": weight}, ["w"]))
    again["w"][0, 0] = 5.0
    assert torch.equal(weight, before)


def test_a_prunable_name_must_exist():
    with pytest.raises(ValueError, match="prunable: v not in the state dict"):
        pack({"w": torch.zeros(3)}, ["v"])


def rewritten(change, metadata=None):
    """Return the bytes of a valid file after a change of its tensors or metadata."""
    good = pack({"w": mostly_zero((64, 8), 0.3), "b": torch.ones(3)}, ["w"])
    header = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])
    contents = json.loads(header["__metadata__"]["anytime_pruning_sparse"])
    parts = load(good)
    change(parts, contents)
    return save(parts, metadata if metadata is not None else {"anytime_pruning_sparse": json.dumps(contents)})


def reshape_to(*shape):
    return lambda parts, contents: contents["tensors"][0].__setitem__(1, list(shape))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts, _: parts.pop("mask/w"), "mask/w is missing"),
        (lambda parts, _: parts.pop("dense/b"), "dense/b is missing"),
        (lambda parts, _: parts.update(extra=torch.ones(1)), "extra belongs to no weight"),
        (lambda parts, _: parts.update({"values/w": parts["values/w"][1:].clone()}), "mask/w keeps"),
        (lambda parts, _: parts.update({"values/w": parts["values/w"].int()}), "values/w is not a list of floating"),
        (lambda parts, _: parts.update({"values/w": parts["values/w"][None]}), "values/w is not a list of floating"),
        (lambda parts, _: parts.update({"mask/w": parts["mask/w"].float()}), "mask/w does not hold 512 bits"),
        (lambda parts, _: parts.update({"signs/w": parts["signs/w"][1:].clone()}), "signs/w does not hold"),
        (reshape_to(64, 9), "mask/w does not hold 576 bits"),
        (reshape_to(2**40, 2**40), "mask/w does not hold"),
        (reshape_to(-8, -64), "metadata not understood: tensors.0.1.0"),
        (lambda _, contents: contents.update(version=2), "metadata not understood: version"),
        (lambda _, contents: contents.pop("tensors"), "metadata not understood: tensors"),
    ],
)
def test_a_damaged_file_is_refused(change, message):
    with pytest.raises(DataError, match=message) as error:
        unpack(rewritten(change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a safetensors file"),
        (b"no weights at all", "not a safetensors file"),
        (pack({"w": torch.zeros(9)}, ["w"])[:-1], "not a safetensors file"),
        (save({"w": torch.zeros(9)}), "not a file of kept values and masks"),
        (rewritten(lambda *_: None, {"anytime_pruning_sparse": "[" * 100_000}), "metadata not understood"),
    ],
)
def test_other_bytes_are_refused(data, message):
    with pytest.raises(DataError, match=message) as error:
        unpack(data)
    assert "\n" not in str(error.value)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_changed_byte_raises_anything_but_a_data_error(data):
    bad = bytearray(pack({"w": mostly_zero((16, 8), 0.3), "b": torch.ones(3)}, ["w"]))
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DataError):
        unpack(bytes(bad))
