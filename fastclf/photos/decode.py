"""The one decoder: every photo, wherever it comes from, becomes RGB here or a sentence saying why not."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import (  # the plugins register their formats when they are imported
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    ExifTags,
    GifImagePlugin,  # noqa: F401
    Image,
    ImageOps,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from ..errors import Message, UnreadablePhotoError
from .colours import convert_to_srgb, reads_profile
from .unknown import describe_error, describe_excess, describe_unknown

Source = str | os.PathLike[str] | bytes | bytearray | memoryview

# Formats that people's photos come in; everything else that Pillow reads has no business here.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "AVIF")
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp",
    ".tif", ".tiff", ".mpo", ".avif", ".heic", ".heif",
)  # fmt: skip
MAX_BYTES = 20 * 2**20
# What lies in one's own folder may be larger than what is uploaded.
MAX_FOLDER_BYTES = 10 * MAX_BYTES
MAX_PIXELS = 80_000_000
MAX_ASPECT = 1000

_EMPTY = "is empty (0 bytes); it was probably not fully saved or downloaded"


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo as RGB, with what was found on the way.

    Attributes
    ----------
    image
        The photo: mode RGB, upright, alpha over white.
    format
        Pillow's name of the file format, "JPEG" for example.
    plain
        Whether fastai's own reading, ``Image.open(f).convert("RGB")``, gives the same pixels.
    upright
        Whether the file's pixels stand as they are to be seen, without EXIF.
    size
        Width and height as the photo is to be seen, before any reduction.
    colours_known
        Whether the file has no colour profile or one that can be read; else its colours are taken as sRGB.
    """

    image: Image.Image
    format: str
    plain: bool
    upright: bool = True
    size: tuple[int, int] = (0, 0)
    colours_known: bool = True


def decode_photo(
    source: Source,
    name: str | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    least_side: int | None = None,
    least_short_side: int | None = None,
) -> DecodedPhoto:
    """Decode one photo to upright RGB.

    EXIF orientation is applied, alpha is laid over white, 16 bits a channel are scaled to 8, CMYK and other
    colours than sRGB are converted by the photo's profile, and of an animation the first frame is taken.

    Parameters
    ----------
    source
        A path, or the file's bytes.
    name
        What to call the photo in an error; by default the path's last part.
    max_bytes
        Largest file that is looked at.
    least_side
        If given, a JPEG may come smaller than it is, as long as its longer side keeps that many pixels:
        decoding it at a half or a quarter of its size is several times faster.
    least_short_side
        The same of its shorter side.

    Raises
    ------
    UnreadablePhotoError
        If the file is missing, empty, too large, cut off, damaged or no photo. The message names the file.
    """
    name, data = name or _name_of(source), b""
    try:
        data = _read_bytes(source, max_bytes)
        return _decode(data, least_side, least_short_side)
    except _FAULTS as e:
        raise UnreadablePhotoError(name, _explain(e, data)) from None


def _decode(data: bytes, least_side: int | None, least_short_side: int | None) -> DecodedPhoto:
    with _open(data) as image:
        _check_dimensions(*image.size)
        size = image.size
        of, least = (max(size), least_side) if least_side else (min(size), least_short_side)
        if least and image.format in ("JPEG", "MPO"):
            # both sides are kept above what is asked for
            image.draft(None, (max(1, size[0] * least // of), max(1, size[1] * least // of)))
        image.load()
        return _to_rgb(image, size)


def _explain(error: BaseException, data: bytes) -> str:
    """Return why a photo could not be decoded, as a clause without its name."""
    if isinstance(error, _RefusedError):
        return error.reason
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return Message("has more than {n} pixels; scale it down", n=MAX_PIXELS)
    if isinstance(error, MemoryError):
        return "does not fit into memory; scale it down"
    if isinstance(error, UnidentifiedImageError):
        return describe_unknown(data, FORMATS)
    return describe_error(error)


def count_pixels(data: bytes) -> int:
    """Return how many pixels a photo's header promises; 0 where it is none."""
    try:
        with _open(data) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - decoding it has the words for whatever is wrong
        return 0


def reads_heif() -> bool:
    """Return whether iPhones' format can be read: whether the extra `heic` is installed."""
    _register_heif()
    return "HEIF" in Image.OPEN


def hash_pixels(image: Image.Image) -> str:
    """Return the sha256 of a decoded photo's size and pixels: equal for files that look the same."""
    digest = hashlib.sha256(f"{image.width}x{image.height}".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def make_thumbnail(image: Image.Image, side: int = 256) -> Image.Image:
    """Return a copy that fits into `side` x `side` pixels; tiny photos are enlarged without blur."""
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if scale >= 2:
        return image.resize(size, Image.Resampling.NEAREST)
    if scale >= 1:
        return image.copy()
    # half as much work as LANCZOS for a picture that small, and no ringing
    return image.resize(size, Image.Resampling.HAMMING, reducing_gap=1.0)


def encode_jpeg(image: Image.Image, quality: int = 85) -> bytes:
    """Return an RGB image as JPEG bytes that hold nothing but the picture (no EXIF, no GPS)."""
    return _encode(image, "JPEG", quality=quality)


def encode_png(image: Image.Image) -> bytes:
    """Return an RGB image as PNG bytes that hold nothing but the picture."""
    return _encode(image, "PNG", compress_level=1)


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


class _RefusedError(Exception):
    """A reason, still without the file's name."""

    def __init__(self, reason: str, /, **fields: object) -> None:
        self.reason = Message(reason, **fields)
        super().__init__(self.reason)


# what the reading of a file, and Pillow's parsers on damaged headers, raise
_FAULTS = (
    _RefusedError, Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError, OSError,
    ValueError, SyntaxError, struct.error, IndexError, TypeError, EOFError, ArithmeticError, KeyError,
    RuntimeError,
)  # fmt: skip


def _name_of(source: Source) -> str:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "the photo"
    return Path(source).name or str(source)


def _read_bytes(source: Source, max_bytes: int) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        content, size = bytes(source), len(source)
    else:
        size = _measure_regular(Path(source))
        with Path(source).open("rb") as f:
            content = f.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _RefusedError(describe_excess(size, max_bytes))
    if not content:
        raise _RefusedError(_EMPTY)
    return content


def _measure_regular(path: Path) -> int:
    """Return a file's bytes; refuse what is none: a pipe would wait for ever, a device never ends."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise _RefusedError("is a pipe or a device, not a photo")
    return status.st_size


def _open(data: bytes) -> Image.Image:
    _register_heif()
    formats = [name for name in (*FORMATS, "HEIF") if name in Image.OPEN]
    return Image.open(io.BytesIO(data), formats=formats)


@functools.cache
def _register_heif() -> None:
    """Add iPhones' format to Pillow's where the extra `heic` is installed."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def _check_dimensions(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise _RefusedError(
            "is {width:d} x {height:d} pixels; there is nothing to see", width=width, height=height
        )
    if width * height > MAX_PIXELS:
        raise _RefusedError(
            "has {width} x {height} pixels; at most {most} are read, so scale it down",
            width=width,
            height=height,
            most=MAX_PIXELS,
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _RefusedError(
            "is {width} x {height} pixels; a photo may be at most {most} times as long as wide",
            width=width,
            height=height,
            most=MAX_ASPECT,
        )


def _to_rgb(image: Image.Image, size: tuple[int, int]) -> DecodedPhoto:
    kind = image.format or "unknown"
    orientation = _orientation(image)
    turned = orientation in range(2, 9)
    if turned:
        image = ImageOps.exif_transpose(image)
    deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    clear = not deep and ("A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info)
    if deep:
        rgb = _scale_depth(image).convert("RGB")
    elif clear:
        rgba = image.convert("RGBA")
        rgb = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    else:
        rgb = image.convert("RGB")
    profile = image.info.get("icc_profile")
    coloured = image if image.mode in ("CMYK", "L") else rgb
    meant, known = convert_to_srgb(coloured, profile), reads_profile(coloured, profile)
    rgb = rgb if meant is None else meant
    plain = not (turned or deep or clear or meant is not None) and kind != "HEIF"
    # `convert` made a picture of its own; what Pillow keeps of the file (EXIF, GPS, comments) stays behind
    rgb.info = {}
    seen = size[::-1] if orientation in range(5, 9) else size
    return DecodedPhoto(rgb, kind, plain, not turned, seen, known)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing; the picture may still be fine
        return 1


def _scale_depth(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        values = np.nan_to_num(values)
        top = 1.0 if values.max() <= 1 else 255.0 if values.max() <= 255 else 65535.0
    else:
        top = 65535.0 if values.max() <= 65535 else float(values.max())
    return Image.fromarray(np.clip(values * (255 / top) + 0.5, 0, 255).astype(np.uint8))
