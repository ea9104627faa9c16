"""Greys and colours of more than 8 bits, brought to 8 by one rule, whatever container they came in.

What a file says of its bits counts if its values fit into them. Else whole numbers fill their container if
they use more than a quarter of it; if not, white is the smallest 2**n - 1, of eight bits at least, that holds
the largest. Where values lie below 0, black is the lowest. Of floats, white is 1 or 255 where none is larger,
else as of whole numbers; those from -1 to 1 keep this range, and others with values below 0 go from the
lowest to the highest. A twentieth beyond 0 and 1, which resizing leaves, is cut off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

Array = npt.NDArray[Any]

_BITS, _FORMAT, _PHOTOMETRIC, _LARGEST, _PLANAR = 258, 339, 262, 281, 284
_ROWS = 2**22
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
    values, bits = _read_values(image)
    black, white = _find_range(values, bits, declared or _read_declared(image))
    grey = _scale(values, black, white)
    return Image.fromarray(255 - grey if _read_tag(image, _PHOTOMETRIC) == 0 else grey), (black, white)


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


def load_lower(image: ImageFile.ImageFile) -> Image.Image:
    """Load the lower bytes of a photo's 16 bits instead of the upper ones."""
    if find_rawmode(image).startswith("LA"):  # Pillow makes RGBA of them; here upper and lower bytes of both
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]
        image.load()
        grey, alpha = image.getchannel(1), image.getchannel(3)
        return Image.merge("RGBA", (grey, grey, grey, alpha))
    image.tile = [tile._replace(args=_swap_args(tile.args)) for tile in image.tile]
    image.load()
    return image


def join_bytes(upper: Image.Image, lower: Image.Image) -> tuple[Image.Image, tuple[float, float]]:
    """Return dark colours of 16 bits as a photo of 8, and which values became black and white."""
    high, colours = np.asarray(upper), 3
    values = high.astype(np.uint16) * np.uint16(256) + np.asarray(lower)
    black, white = _find_range(values[..., :colours], 16, 0)
    scaled = _scale(values, black, white)
    if int(high[..., colours:].max(initial=0)) > _QUARTER:  # an alpha of its own depth
        scaled[..., colours:] = high[..., colours:]
    return Image.fromarray(scaled), (black, white)


def is_dark(image: Image.Image) -> bool:
    """Return whether upper bytes use no more than a quarter of their range."""
    return all(most <= _QUARTER for _, most in image.getextrema()[:3])  # type: ignore[misc]


def _is_signed_byte(image: Image.Image) -> bool:
    return image.mode == "L" and _read_tag(image, _FORMAT) == 2 and _read_tag(image, _BITS) == 8


def _read_values(image: Image.Image) -> tuple[Array, int]:
    """Return the greys as the file means them, and the bits of their container."""
    values, bits = np.asarray(image), _read_tag(image, _BITS)
    if _is_signed_byte(image):
        return values.view(np.int8), 8
    if image.mode.startswith("I;16") or bits == 16 or (image.mode == "I" and image.format == "PPM"):
        return values, 16
    # Pillow holds whole numbers of 32 bits as signed ones
    is_unsigned = image.mode == "I" and bits == 32 and _read_tag(image, _FORMAT) in (None, 1)
    return values.view(np.uint32) if is_unsigned else values, 32


def _swap_args(args: Any) -> Any:
    if isinstance(args, str):
        head, _, depth = args.partition(";")
        return f"{head};{_SWAPPED.get(depth, depth)}"
    return (_swap_args(args[0]), *args[1:])


def _find_range(values: Array, bits: int, declared: int) -> tuple[float, float]:
    """Return which values become black and white."""
    finite = values if values.dtype.kind in "ui" else values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    least, most = float(finite.min()), float(finite.max())
    if values.dtype.kind == "f":
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
    """Bring values to 0 to 255, some rows at a time: as floats they take eight times the room."""
    out = np.empty(values.shape, np.uint8)
    step = max(1, _ROWS // max(1, values[:1].size))
    for row in range(0, len(values), step):
        part = np.nan_to_num(
            values[row : row + step].astype(np.float64), nan=black, posinf=white, neginf=black
        )
        out[row : row + step] = np.clip((part - black) * (255 / (white - black)) + 0.5, 0, 255)
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
