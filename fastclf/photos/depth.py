"""Greys and colours of more than 8 bits, brought to 8 by one rule, whatever container they came in.

What a file says of its bits counts if its values fit into them. Else whole numbers fill their container if
they use more than a quarter of it; if not, white is the smallest 2**n - 1, of eight bits at least, that holds
the largest. Where values lie below 0, black is the lowest. Of floats, white is 1 or 255 where none is larger,
else as of whole numbers; those from -1 to 1 keep this range, and others with values below 0 go from the
lowest to the highest. A twentieth beyond 0 and 1, which resizing leaves, is cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from .bands import split_bands

Array = npt.NDArray[Any]

_BITS, _FORMAT, _PHOTOMETRIC, _LARGEST, _PLANAR = 258, 339, 262, 281, 284
# Pixels that are taken at once, and as floats, which take eight times the room.
_PIXELS, _BLOCK = 2**18, 2**16
_QUARTER = 63
_BEYOND = 0.05
_SWAPPED = {"16B": "16L", "16L": "16B", "16N": "16B" if np.little_endian else "16L"}


def is_deep(image: Image.Image) -> bool:
    """Return whether a photo's greys have more than 8 bits, a sign, or are floats."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16") or _is_signed_byte(image)


def scale_greys(image: Image.Image, declared: int = 0) -> tuple[Image.Image, tuple[float, float]]:
    """Return deep greys as a photo of mode L, and which values became black and white.

    `declared` is the largest value that the file names for its greys, 0 where it names none.
    """
    view, bits = _find_kind(image)
    black, white = _find_range(_list_values(image, view), bits, declared or _read_declared(image))
    inverted, grey = _read_tag(image, _PHOTOMETRIC) == 0, Image.new("L", image.size)
    top = 0
    for values in _list_values(image, view):
        part = _scale(values, black, white)
        grey.paste(Image.fromarray(255 - part if inverted else part), (0, top))
        top += len(part)
    return grey, (black, white)


def read_significant_bits(data: bytes) -> int:
    """Return the largest grey that a PNG names by its significant bits (sBIT); 0 where it names none."""
    at = data.find(b"sBIT", 0, 4096)
    return 2 ** data[at + 4] - 1 if at > 0 and 8 < data[at + 4] < 16 else 0


def find_rawmode(image: ImageFile.ImageFile) -> str:
    """Return how a colour photo's samples of 16 bits lie in its file before it is loaded, else ""."""
    args = image.tile[0].args if image.tile else ""
    rawmode = args if isinstance(args, str) else str(args[0]) if args else ""
    return rawmode if ";16" in rawmode and image.mode in ("RGB", "RGBA") else ""


def mend_planes(image: ImageFile.ImageFile) -> bool:
    """Let a TIFF's planes of 16 bits, which Pillow takes for 8, be read; return whether there are any."""
    if _read_tag(image, _PLANAR) != 2 or _read_tag(image, _BITS) != 16 or image.mode not in ("RGB", "RGBA"):
        return False
    order = "B" if image.tag_v2.prefix == b"MM" else "L"  # type: ignore[attr-defined]
    image.tile = [
        tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:]))
        if tile.codec_name == "raw" and isinstance(tile.args, tuple) and len(tile.args[0]) == 1
        else tile
        for tile in image.tile
    ]
    return True


def load_lower(image: ImageFile.ImageFile) -> list[int]:
    """Load the lower bytes of a photo's 16 bits instead of the upper ones; returns which bands they are."""
    if find_rawmode(image).startswith("LA"):  # Pillow makes RGBA of them; here upper and lower bytes of both
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]
        image.load()
        return [1, 1, 1, 3]
    image.tile = [tile._replace(args=_swap_args(tile.args)) for tile in image.tile]
    image.load()
    return list(range(len(image.getbands())))


def join_bytes(
    upper: Image.Image, lower: Image.Image, order: list[int]
) -> tuple[Image.Image, tuple[float, float]]:
    """Return dark colours of 16 bits as a photo of 8, and which values became black and white.

    The lower bytes are the bands `order` of `lower`. Both pictures are used up.
    """
    n_colours, extrema = 3, upper.getextrema()
    black, white = _find_range((v[..., :n_colours] for v in _join(upper, lower, order)), 16, 0)
    keeps_alpha = any(most > _QUARTER for _, most in extrema[n_colours:])  # type: ignore[misc]
    top = 0
    for values in _join(upper, lower, order):
        scaled = _scale(values, black, white)
        if keeps_alpha:  # an alpha of its own depth
            scaled[..., n_colours:] = values[..., n_colours:] >> 8
        upper.paste(Image.fromarray(scaled), (0, top))
        top += len(scaled)
    lower.close()
    return upper, (black, white)


def _join(upper: Image.Image, lower: Image.Image, order: list[int]) -> Iterator[Array]:
    """Yield the values of 16 bits, a band of rows at a time."""
    pairs = zip(split_bands(upper, _PIXELS), split_bands(lower, _PIXELS), strict=True)
    for (_, high), (_, low) in pairs:
        values = np.asarray(high).astype(np.uint16)
        values <<= 8
        bands = np.asarray(low)
        values += bands if order == [*range(bands.shape[2])] else bands[..., order]
        yield values


def is_dark(image: Image.Image) -> bool:
    """Return whether upper bytes use no more than a quarter of their range."""
    return all(most <= _QUARTER for _, most in image.getextrema()[:3])  # type: ignore[misc]


def _is_signed_byte(image: Image.Image) -> bool:
    return image.mode == "L" and _read_tag(image, _FORMAT) == 2 and _read_tag(image, _BITS) == 8


def _find_kind(image: Image.Image) -> tuple[Any, int]:
    """Return as what numbers the greys are meant, None for their own, and the bits of their container."""
    bits = _read_tag(image, _BITS)
    if _is_signed_byte(image):
        return np.int8, 8
    if image.mode.startswith("I;16") or bits == 16 or (image.mode == "I" and image.format == "PPM"):
        return None, 16
    # Pillow holds whole numbers of 32 bits as signed ones
    is_unsigned = image.mode == "I" and bits == 32 and _read_tag(image, _FORMAT) in (None, 1)
    return np.uint32 if is_unsigned else None, 32


def _list_values(image: Image.Image, view: Any) -> Iterator[Array]:
    """Yield the greys as the file means them, a band of rows at a time."""
    for _, band in split_bands(image, _PIXELS):
        values = np.asarray(band)
        yield values if view is None else values.view(view)


def _swap_args(args: Any) -> Any:
    if isinstance(args, str):
        head, _, depth = args.partition(";")
        return f"{head};{_SWAPPED.get(depth, depth)}"
    return (_swap_args(args[0]), *args[1:])


def _find_range(bands: Iterable[Array], bits: int, declared: int) -> tuple[float, float]:
    """Return which values become black and white."""
    least, most, kind = np.inf, -np.inf, ""
    for values in bands:
        kind = values.dtype.kind
        finite = values if kind in "ui" else values[np.isfinite(values)]
        if finite.size:
            least, most = min(least, float(finite.min())), max(most, float(finite.max()))
    if least > most:
        return 0.0, 1.0
    if kind == "f":
        return _find_float_range(least, most)
    if least < 0:
        return least, least + _round_up(most - least)
    if declared and most <= declared:
        return 0.0, float(declared)
    container = float(2**bits - 1)
    return 0.0, container if most > container / 4 else _round_up(most)


def _find_float_range(least: float, most: float) -> tuple[float, float]:
    if least < -_BEYOND * max(most, 1e-9):
        is_usual = least >= -1 - _BEYOND and most <= 1 + _BEYOND
        return (-1.0, 1.0) if is_usual else (least, max(most, least + 1e-9))
    return 0.0, 1.0 if most <= 1 + _BEYOND else _round_up(most)


def _round_up(most: float) -> float:
    """Return the smallest 2**n - 1 of eight bits at least that holds a value."""
    return float(2 ** max(8, int(np.ceil(np.log2(most + 1)))) - 1)


def _scale(values: Array, black: float, white: float) -> npt.NDArray[np.uint8]:
    """Bring values to 0 to 255; many of 16 bits by a table."""
    if values.dtype == np.uint16 and values.size > 2**17:
        table = _scale(np.arange(2**16, dtype=np.int32), black, white)
        return table.take(values)
    out = np.empty(values.shape, np.uint8)
    step = max(1, _BLOCK // max(1, values[:1].size))
    for row in range(0, len(values), step):
        part = values[row : row + step].astype(np.float64)
        if values.dtype.kind == "f":
            np.nan_to_num(part, copy=False, nan=black, posinf=white, neginf=black)
        part -= black
        part *= 255 / (white - black)
        part += 0.5
        out[row : row + step] = np.clip(part, 0, 255, out=part)
    return out


def _read_declared(image: Image.Image) -> int:
    """Return the largest value that a file names for its samples, 0 where it names none."""
    largest, bits = _read_tag(image, _LARGEST), _read_tag(image, _BITS)
    if isinstance(largest, int) and 0 < largest < 2**16 - 1:
        return largest
    if isinstance(bits, int) and 8 < bits < 16:
        return int(2**bits - 1)
    return 0


def _read_tag(image: Image.Image, tag: int) -> Any:
    """Return a TIFF's tag, the first of its values; None where there is none."""
    try:
        value = image.tag_v2.get(tag)  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - no TIFF, or a tag that cannot be read: then it says nothing
        return None
    return value[0] if isinstance(value, tuple) and value else value
