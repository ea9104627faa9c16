"""More than 8 bits become 8 by one rule, whatever the container."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.photos import decode_photo

from .written import chunk, write_png, write_tiff

RAMP = np.tile(np.linspace(0, 1, 256), (16, 1))
COLOURS = np.stack([RAMP, RAMP[:, ::-1], RAMP**2], 2)


def read(data: bytes) -> np.ndarray:
    return np.asarray(decode_photo(data).image).astype(int)


def stretch(dtype: str, low: float, high: float) -> np.ndarray:
    return (RAMP * (high - low) + low).astype(dtype)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("dtype", "kind", "low", "high"),
    [
        *(("u2", 1, 0, 2**bits - 1) for bits in (8, 9, 10, 11, 12, 13, 14, 16)),
        *(("i2", 2, 0, 2**bits - 1) for bits in (8, 10, 12, 14)),
        ("i2", 2, -1024, 3071), ("i2", 2, -2000, 2095), ("i2", 2, -32768, 32767), ("i1", 2, -128, 127),
        ("i4", 2, 0, 255), ("i4", 2, 0, 65535), ("i4", 2, -5000, 60535), ("i4", 2, 0, 2**20 - 1),
        ("f4", 3, 0, 1), ("f4", 3, 0, 255), ("f4", 3, 0, 4095), ("f4", 3, 0, 65535), ("f4", 3, -1, 1),
        ("f4", 3, -1000, 3000), ("f4", 3, -2e5, 2e6),
    ],
)  # fmt: skip
def test_a_full_scale_stays_full(dtype: str, kind: int, low: float, high: float, order: str) -> None:
    found = read(write_tiff(stretch(dtype, low, high), kind, order=order))
    assert np.abs(found[..., 0] - 255 * RAMP).max() <= 1.5
    assert (found[..., :1] == found).all()


@pytest.mark.parametrize("high", [255, 70_000, 2**31, 2**32 - 1])
def test_whole_numbers_without_a_sign_do_not_wrap(high: int) -> None:
    found = read(write_tiff(stretch("u4", 0, high), 1))[0, :, 0]
    assert (np.diff(found) >= 0).all()
    assert found[-1] >= 127


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(("colour", "n"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_a_png_of_16_bits_keeps_its_scale_in_every_mode(bits: int, colour: int, n: int) -> None:
    top = 2**bits - 1
    values = (COLOURS * top).astype(int)
    clear = np.full((16, 256, 1), 65535)
    made = {
        1: values[..., 0],
        3: values,
        2: np.dstack([values[..., :1], clear]),
        4: np.dstack([values, clear]),
    }
    photo = decode_photo(write_png(made[n], colour))
    expected = 255 * (COLOURS[..., :1] if n < 3 else COLOURS)
    assert np.abs(np.asarray(photo.image) - expected).max() <= 1.5
    assert photo.scale == ((0, top) if bits < 16 or n == 1 else None)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_a_tiff_of_16_bits_a_colour_is_read_by_planes_too(planar: bool, order: str, bits: int) -> None:
    data = write_tiff((COLOURS * (2**bits - 1)).astype("u2"), order=order, planar=planar)
    photo = decode_photo(data)
    assert np.abs(np.asarray(photo.image) - 255 * COLOURS).max() <= 1.5
    assert photo.plain is (bits == 16 and not planar)


def test_what_a_file_says_of_its_bits_decides_on_dark_photos() -> None:
    dark = (RAMP * 900).astype("u2")
    assert decode_photo(write_tiff(dark)).scale == (0, 1023)
    assert decode_photo(write_tiff(dark, more=[(281, 3, [4095])])).scale == (0, 4095)
    assert decode_photo(write_png(dark, 0, chunk(b"sBIT", b"\x0c"))).scale == (0, 4095)
    # one that says less than it holds is not believed
    assert decode_photo(write_png((RAMP * 60_000).astype("u2"), 0, chunk(b"sBIT", b"\x0c"))).scale == (
        0,
        65535,
    )


def test_white_is_zero_where_the_file_says_so() -> None:
    data = write_tiff((RAMP * 65535).astype("u2"), more=[(262, 3, [0])])
    assert np.abs(read(data)[..., 0] - 255 * (1 - RAMP)).max() <= 1.5


def test_what_is_no_number_is_black_and_infinity_white() -> None:
    values = RAMP.astype("f4")
    values[0, :2] = np.nan, np.inf
    found = read(write_tiff(values, 3))
    assert (found[0, 0, 0], found[0, 1, 0], found[1, -1, 0]) == (0, 255, 255)
    assert read(write_tiff(np.full((8, 8), np.nan, "f4"), 3)).max() == 0


def test_what_resizing_leaves_beyond_the_range_is_cut_off() -> None:
    for low, high in ((0, 1.02), (-0.03, 1), (-0.03, 1.04)):
        assert decode_photo(write_tiff(stretch("f4", low, high), 3)).scale == (0, 1)
    assert decode_photo(write_tiff(stretch("f4", -1.02, 1.02), 3)).scale == (-1, 1)


@pytest.mark.parametrize("top", [255, 1023, 4095, 65535])
def test_portable_maps_are_read_by_their_own_scale(top: int) -> None:
    values = (COLOURS * top).astype(">u2" if top > 255 else "u1")
    for kind, made in ((b"P5", values[..., 0]), (b"P6", values)):
        data = kind + b" 256 16 %d\n" % top + made.tobytes()
        expected = 255 * (COLOURS[..., :1] if kind == b"P5" else COLOURS)
        assert np.abs(read(data) - expected).max() <= 1.5
