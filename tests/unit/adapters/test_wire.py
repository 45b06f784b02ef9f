"""Values that travel between processes: what arrives, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from conformance.adapters.operations.values import Given, NotNumeric, Ref
from conformance.adapters.operations.wire import LENGTH, WireError, decode, encode, sizes_of

LESS_USUAL = [
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e5m2,
    ml_dtypes.int4,
    np.float16,
    np.longdouble,
    np.bool_,
    np.uint64,
    np.complex64,
    ">f4",
    "<f8",
    ">i8",
]


def travel(value: Any) -> Any:
    """Return what a value is at the other end."""
    message = encode(value)
    end = LENGTH + int.from_bytes(message[:LENGTH], "little")
    content, sizes = sizes_of(message[LENGTH:end])
    buffers = []
    for size in sizes:
        buffers.append(message[end : end + size])
        end += size
    assert end == len(message)
    return decode(content, buffers)


def assert_same(got: Any, sent: Any) -> None:
    """Assert equality of types, dtypes, shapes and bits; tuples arrive as lists."""
    if isinstance(sent, np.ndarray):
        assert isinstance(got, np.ndarray)
        assert (got.dtype, got.shape) == (sent.dtype, sent.shape)
        assert got.tobytes() == sent.tobytes()
    elif isinstance(sent, list | tuple):
        assert type(got) is list
        assert len(got) == len(sent)
        for one, other in zip(got, sent, strict=True):
            assert_same(one, other)
    elif isinstance(sent, dict):
        assert list(got) == list(sent)
        assert_same([*got.values()], [*sent.values()])
    elif isinstance(sent, Given):
        assert got.form == sent.form
        assert_same(got.value, sent.value)
    else:
        assert type(got) is type(sent)
        assert repr(got) == repr(sent)  # NaN and −0.0 included


_DTYPES = npst.scalar_dtypes().filter(lambda dtype: dtype.kind in "biufc")
_ARRAYS = npst.arrays(_DTYPES, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.builds(Ref, st.integers())
    | st.builds(NotNumeric, st.text())
    | _ARRAYS
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.builds(Given, inner, st.text())
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(_VALUES)
def test_nested_values_arrive_as_they_are(value: Any):
    """Arrays to the bit, whatever is around them, and keys that mean something to the format."""
    assert_same(travel(value), value)


@pytest.mark.parametrize("key", ["a", "r", "g", "n", "d"])
def test_keys_of_the_format_are_names_like_others(key: str):
    """A dictionary is never taken for an array or a reference."""
    value = {key: [1, {key: 2}]}
    assert travel(value) == value


@pytest.mark.parametrize("dtype", LESS_USUAL, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 2), (0,), (4, 0, 2)])
def test_less_usual_arrays_arrive(dtype: Any, shape: tuple[int, ...]):
    """Narrow floats, other orders of bytes, single numbers and empty arrays."""
    array = np.arange(math.prod(shape)).astype(dtype).reshape(shape)
    assert_same(travel(array), array)


def test_views_arrive_by_their_values():
    """Gaps, negative strides and Fortran order do not matter, and what arrives is a copy."""
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (x[::2, ::3], x[::-1, ::-1], np.asfortranarray(x), x.T):
        got = travel(view)
        assert np.array_equal(got, view)
        assert got.flags.writeable
        assert got.flags.owndata or got.base.flags.owndata


@pytest.mark.parametrize(
    "array",
    [
        np.array([None, 1]),
        np.array(["1.5"]),
        np.zeros(2, "i4,f4"),
        np.zeros(2, "V8"),
        np.zeros(2, "M8[D]"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_something_else_are_not_numeric(array: np.ndarray):
    """Objects, text, records, bytes and times do not travel."""
    assert travel(array) == NotNumeric("ndarray")


@pytest.mark.parametrize("value", [object(), {1}, b"bytes", 1j, [Ellipsis], {"x": print}])
def test_other_values_cannot_be_sent(value: object):
    """Nothing is pickled."""
    with pytest.raises(WireError, match="cannot travel between processes"):
        encode(value)


HOSTILE: list[tuple[Any, list[bytes]]] = [
    ({"a": ["<f4", [2]]}, [b"1234"]),  # too few bytes
    ({"a": ["<f4", [1]]}, [b"12345678"]),  # too many bytes
    ({"a": ["<f4", [-1, -1]]}, [b"1234"]),
    ({"a": ["<f4", [-1]]}, [b"1234"]),
    ({"a": ["<f4", [1.0]]}, [b"1234"]),
    ({"a": ["<f4", [True]]}, [b"1234"]),
    ({"a": ["<f4", ["1"]]}, [b"1234"]),
    ({"a": ["<f4", None]}, [b"1234"]),
    ({"a": ["<f4", 1]}, [b"1234"]),
    ({"a": ["<f4", [1] * 100]}, [b"1234"]),
    ({"a": ["<f4", [0, 1 << 70]]}, [b""]),
    ({"a": ["<f4", [1 << 40, 1 << 40]]}, [b"1234"]),
    ({"a": ["<f4"]}, [b"1234"]),
    ({"a": "<f4"}, [b"1234"]),
    ({"a": None}, [b"1234"]),
    ({"a": {}}, [b"1234"]),
    ({"a": [None, [1]]}, [b"1234"]),
    ({"a": [["<f4"], [1]]}, [b"1234"]),
    ({"a": [{"names": ["x"], "formats": ["O"]}, [1]]}, [b"12345678"]),
    ({"a": ["<f4", [1]]}, []),  # no buffer
    (1, [b"1234"]),  # a buffer for nothing
    ([{"a": ["<f4", [1]]}], [b"1234", b""]),
    ({"r": "seven"}, []),
    ({"r": None}, []),
    ({"r": math.inf}, []),
    ({"r": math.nan}, []),
    ({"r": [1]}, []),
    ({"g": ["float"]}, []),
    ({"g": None}, []),
    ({"d": None}, []),
    ({"d": 5}, []),
    ({"d": [["name"]]}, []),
    ({"d": [["name", 1, 2]]}, []),
    ({"d": [[1, {"x": 2}]]}, []),
    ({"x": 1}, []),
    ({}, []),
    ({"a": ["<f4", [1]], "r": 1}, [b"1234"]),
    ([[{"__reduce__": ["os.system", ["false"]]}]], []),
]
HOSTILE += [
    ({"a": [name, [1]]}, [b"12345678"])
    for name in (
        "O", "object", "|O", "V8", "void", "|V8", "S8", "<U2", "M8[D]", "<m8[s]", "i4,i4", "2f4",
        "(2,)f4", "f4, (", "float64", "f8", "d", "=f8", "finfo", "iinfo", "__name__", "np", "", " ",
    )
]  # fmt: skip


@pytest.mark.parametrize(("content", "buffers"), HOSTILE, ids=lambda part: repr(part)[:40])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of names that NumPy gives up
def test_what_stands_for_nothing_is_refused(content: object, buffers: list[bytes]):
    """By the one exception that costs the sender its life, and by no other."""
    with pytest.raises(WireError):
        decode(content, buffers)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"1",
        b"{}",
        b"[]",
        b"[1]",
        b"[1,[],[]]",
        b"[1,null]",
        b"[1,5]",
        b"[1,[null]]",
        b'[1,["4"]]',
        b"[1,[4.0]]",
        b"[1,[-4]]",
        b"[1,[true]]",
        b"[1,[[]]]",
        b'[1,{"a":1}]',
        b"\xff\xfe",
        b"[1,[NaN]]",
        b"[" * 100_000,
        b"[1,[" + b"9" * 5000 + b"]]",
    ],
    ids=lambda header: repr(header[:12]),
)
def test_what_is_no_header_is_refused(header: bytes):
    """Other JSON, no JSON, sizes that are none, and nesting without end."""
    with pytest.raises(WireError):
        sizes_of(header)


def test_nesting_without_end_is_refused():
    """As deep as JSON is read, or deeper."""
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(WireError):
        decode(deep, [])


@settings(max_examples=300)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from("argndx"), inner, max_size=2)
        ),
        max_leaves=10,
    ),
    st.lists(st.binary(max_size=8), max_size=3),
)
def test_any_json_is_a_value_or_refused(content: Any, buffers: list[bytes]):
    """Whatever is received, nothing else is raised."""
    header = json.dumps([content, [len(each) for each in buffers]]).encode()
    found, sizes = sizes_of(header)
    assert sizes == [len(each) for each in buffers]
    try:
        value = decode(found, list(buffers))
    except WireError:
        return
    assert_same(travel(value), value)
