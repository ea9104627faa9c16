"""The one decoder: every photo, wherever it comes from, becomes RGB here or a sentence saying why not."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import stat
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import (  # the plugins register their formats when they are imported
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,  # noqa: F401
    PpmImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from ..errors import MemoryShortageError, Message, UnreadablePhotoError
from .bands import split_bands
from .budget import (
    CountedBytes,
    check_memory,
    check_pieces,
    check_room,
    check_scans,
    find_cost,
    fits,
    open_counted,
    release_decoder,
)
from .depth import (
    find_rawmode,
    is_dark,
    is_deep,
    join_bytes,
    load_lower,
    mend_planes,
    read_significant_bits,
    scale_greys,
)
from .essentials import keep_essentials
from .jpeg_rows import JpegFrame, SealedJpeg, read_jpeg_frame, seal_jpeg
from .jpeg_scans import watch_last_scan
from .ppm import quicken_samples
from .refusal import RefusedError
from .rgb import DecodedPhoto, build_rgb
from .unknown import (
    describe_bits,
    describe_error,
    describe_excess,
    describe_misread,
    describe_pixels,
    describe_unknown,
)

Source = str | os.PathLike[str] | bytes | bytearray | memoryview

# Formats that people's photos come in; everything else that Pillow reads has no business here.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp",
    ".tif", ".tiff", ".mpo", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
MAX_BYTES = 20 * 2**20
# What lies in one's own folder may be larger than what is uploaded.
MAX_FOLDER_BYTES = 10 * MAX_BYTES
MAX_PIXELS = 80_000_000
# A JPEG with more pixels is decoded at a half, a quarter or an eighth of its size; so many times more are
# refused: fewer of those of which libjpeg keeps all coefficients.
_REDUCED, _REDUCED_BUFFERED = 5, 1.5
MAX_ASPECT = 1000
# Bytes a pixel of a picture in colours, and of a coefficient of a JPEG that is held whole.
_A_COPY, _A_COEFFICIENT = 4, 2
# A photo that may have any number of pixels takes no more memory than so many of a usual one.
_ANY_PIXELS = 2 * MAX_PIXELS
# Where there is no memory for so few pixels, the photo is not to blame.
_ANY_MEMORY = 16_000_000

_BLURRED = Message("is cut off: its finer details are missing; save or fetch it again")
_GAP = Message("is damaged: parts in its middle are missing; save or fetch it again")
_EMPTY = "is empty (0 bytes); it was probably not fully saved or downloaded"


@dataclass(frozen=True)
class _Wanted:
    """How small a photo may come, and how large."""

    least_side: int | None = None
    least_short_side: int | None = None
    max_pixels: int = MAX_PIXELS

    @property
    def is_limited(self) -> bool:
        """Whether fewer pixels are wanted than any photo may have, for the memory that they take."""
        return self.max_pixels < MAX_PIXELS

    def find_draft(self, size: tuple[int, int], reduce: int) -> tuple[int, int] | None:
        """Return the size above which a JPEG is to stay, None for its own."""
        of, least = (max(size), self.least_side) if self.least_side else (min(size), self.least_short_side)
        shown = (size[0] // reduce, size[1] // reduce)
        if least:
            shown = (min(shown[0], size[0] * least // of), min(shown[1], size[1] * least // of))
        return (max(1, shown[0]), max(1, shown[1])) if least or reduce > 1 else None


def decode_photo(
    source: Source | Image.Image,
    name: str | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    least_side: int | None = None,
    least_short_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> DecodedPhoto:
    """Decode one photo to upright RGB.

    EXIF orientation is applied, alpha is laid over white, more than 8 bits are scaled to 8 (see
    `fastclf.photos.depth`), CMYK and other colours than sRGB are converted by the photo's profile, and of an
    animation the first frame is taken. What only describes the picture does not matter: where it is broken,
    the pixels are read without.

    Parameters
    ----------
    source
        A path, or the file's bytes; or a picture that somebody else decoded, which gets the same treatment.
    name
        What to call the photo in an error; by default the path's last part.
    max_bytes
        Largest file that is looked at.
    least_side
        If given, a JPEG may come smaller than it is, as long as its longer side keeps that many pixels:
        decoding it at a half or a quarter of its size is several times faster.
    least_short_side
        The same of its shorter side.
    max_pixels
        The most pixels that are decoded. A JPEG with more comes at a half, a quarter or an eighth of its
        size.

    Returns
    -------
    DecodedPhoto
        The upright RGB picture, and what was found on the way.

    Raises
    ------
    UnreadablePhotoError
        If the file is missing, empty, too large, cut off, damaged or no photo. The message names the file.
    MemoryShortageError
        If there is no memory for a photo of usual size, which is not the photo's fault.

    Examples
    --------
    >>> photo = decode_photo("bear.jpg")
    >>> photo.image.mode, photo.size, photo.format
    ('RGB', (160, 120), 'JPEG')
    >>> try:
    ...     decode_photo("labels.csv")
    ... except ValueError as error:
    ...     print(error)
    labels.csv is text, not a photo.
    """
    name, data = name or _name_of(source), b""
    try:
        if isinstance(source, Image.Image):
            return _read_image(source, max_pixels)
        data = _read_bytes(source, max_bytes)
        return _decode(data, _Wanted(least_side, least_short_side, max_pixels))
    except _FAULTS as e:
        if isinstance(e, MemoryError) and count_pixels(data) <= _ANY_MEMORY:
            raise MemoryShortageError(
                "There is not enough memory to read even small photos. Close other programs, then try again."
            ) from None
        raise UnreadablePhotoError(name, _explain(e, data)) from None


def _read_image(image: Image.Image, max_pixels: int) -> DecodedPhoto:
    _check_dimensions(*image.size, max_pixels)
    image.load()
    return build_rgb(image, image.size, None, scale_greys(image) if is_deep(image) else None, is_ours=False)


def _decode(data: bytes, wanted: _Wanted) -> DecodedPhoto:
    try:
        return _read(data, wanted)
    except RefusedError:
        raise
    except _FAULTS:
        kept = keep_essentials(data)
        if kept is not None:
            with contextlib.suppress(*_FAULTS):
                photo = _read(kept.data, wanted, kept.orientation)
                # other programs do not read it, and what its colours mean nobody knows
                return replace(photo, plain=False, colours_known=photo.colours_known and not kept.profile)
        raise


def _read(data: bytes, wanted: _Wanted, orientation: int | None = None) -> DecodedPhoto:
    frame = read_jpeg_frame(data) if data.startswith(b"\xff\xd8") else None
    sealed = seal_jpeg(data, frame) if frame and frame.usual else None
    if frame and not sealed:
        check_scans(data, frame.size)
    if frame and (words := describe_bits(frame.bits)):
        raise RefusedError(words)
    if frame and sealed:
        return _read_jpeg(frame, sealed, wanted, orientation)
    if words := describe_misread(data):
        raise RefusedError(words)
    with _open(data) as image:
        _check_dimensions(*image.size, wanted.max_pixels)
        check_memory(image, data)
        cost = find_cost(image)
        check_room(image.size, cost, wanted.max_pixels if wanted.is_limited else _ANY_PIXELS, image.format)
        release_decoder(image)
        quicken_samples(image)
        size, planes = image.size, mend_planes(image)
        is_colour = bool(find_rawmode(image))
        image.load()
        scaled = _scale_depth(image, data, is_colour, cost, wanted)
        photo = build_rgb(image, size, orientation, scaled)
        return replace(photo, plain=False) if planes else photo


def _scale_depth(
    image: ImageFile.ImageFile, data: bytes, is_colour: bool, cost: float, wanted: _Wanted
) -> tuple[Image.Image, tuple[float, float]] | None:
    """Return a loaded photo of more than 8 bits as one of 8, with its black and white; else None."""
    if is_deep(image):
        return scale_greys(image, read_significant_bits(data) if image.format == "PNG" else 0)
    if not is_colour or not is_dark(image):
        return None
    if wanted.is_limited:
        check_room(image.size, cost + _A_COPY, wanted.max_pixels, image.format)
    with _open(data) as again:
        mend_planes(again)
        order = load_lower(again)
        return join_bytes(image, again, order)


def _read_jpeg(
    frame: JpegFrame, sealed: SealedJpeg, wanted: _Wanted, orientation: int | None
) -> DecodedPhoto:
    reduce = _find_reduction(frame, wanted)
    if not sealed.whole or sealed.skips:
        raise RefusedError(_GAP if sealed.skips else _BLURRED)
    draft = wanted.find_draft(frame.size, reduce)
    try:
        image = _load_jpeg(sealed.data, frame, draft, watched=sealed.tidy and sealed.waits)
        if sealed.other and not _are_same(image, _load_jpeg(sealed.other, frame, draft)):
            raise OSError("truncated")
    except OSError as e:
        raise _explain_cut(e, sealed.filled, frame) from None
    photo = build_rgb(image, frame.size, orientation)
    is_plain = sealed.tidy and reduce == 1
    return photo if is_plain else replace(photo, plain=False)


def _are_same(one: Image.Image, other: Image.Image) -> bool:
    pairs = zip(split_bands(one), split_bands(other), strict=True)
    return all(a.tobytes() == b.tobytes() for (_, a), (_, b) in pairs)


def _load_jpeg(
    data: bytes, frame: JpegFrame, draft: tuple[int, int] | None, *, watched: bool = False
) -> Image.Image:
    image = JpegImagePlugin.JpegImageFile(open_counted(data, frame.scan))
    if draft:
        # both sides are kept above what is asked for
        image.draft(None, draft)
    watch = watch_last_scan(image, len(data)) if watched else None
    image.load()
    if watch and not watch.whole:
        raise RefusedError(_BLURRED)
    return image


def _explain_cut(error: OSError, filled: bytes, frame: JpegFrame) -> Exception:
    """Return how many of a JPEG's rows are missing, where that is what is wrong."""
    if "truncated" not in str(error):
        return error
    width, height = frame.size
    try:
        image = _load_jpeg(filled, frame, (max(1, width // 8), max(1, height // 8))).convert("RGB")
    except _FAULTS:
        return error
    # what libjpeg fills in is the same down to the last row
    last = image.crop((0, image.height - 1, image.width, image.height)).tobytes()
    rows = [image.crop((0, y, image.width, y + 1)).tobytes() != last for y in range(image.height)]
    missing = rows[::-1].index(True) if any(rows) else 0
    n = round(missing * height / image.height)
    if not n:
        return error
    return RefusedError(
        "is cut off: about {n} of its {total} rows are missing; save or fetch it again", n=n, total=height
    )


def _find_reduction(frame: JpegFrame, wanted: _Wanted) -> int:
    """Return by how much a JPEG has to be reduced to hold no more pixels than wanted."""
    (width, height), most = frame.size, wanted.max_pixels
    if width * height <= most * (_REDUCED_BUFFERED if frame.buffered else _REDUCED):
        fitting = (n for n in (1, 2, 4, 8) if -(-width // n) * -(-height // n) <= most)
        reduce = next(
            (
                n
                for n in fitting
                if not wanted.is_limited or fits(frame.size, _find_jpeg_cost(frame, n), most)
            ),
            8,
        )
        if wanted.is_limited:
            check_room(frame.size, _find_jpeg_cost(frame, reduce), most, "JPEG")
        _check_dimensions(width, height, max(most, width * height))
        return reduce
    _check_dimensions(width, height, most)
    return 1


def _find_jpeg_cost(frame: JpegFrame, reduce: int) -> float:
    """Return the bytes a pixel that a JPEG takes if it comes so much smaller."""
    made = _A_COPY / reduce**2
    return made + (_A_COEFFICIENT * frame.samples if frame.buffered else made)


def _explain(error: BaseException, data: bytes) -> str:
    """Return why a photo could not be decoded, as a clause without its name."""
    if isinstance(error, RefusedError):
        return error.reason
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return Message("has more than {n} pixels; scale it down", n=MAX_PIXELS)
    if isinstance(error, MemoryError):
        return "does not fit into memory; scale it down"
    if isinstance(error, UnidentifiedImageError):
        return describe_unknown(data, [*FORMATS[:6], *(["HEIC"] if reads_heif() else [])])
    return describe_error(error, data)


def count_pixels(data: bytes) -> int:
    """Return how many pixels a photo's header promises; 0 where it is none."""
    try:
        if data.startswith(b"\xff\xd8") and (frame := read_jpeg_frame(data)):
            return frame.size[0] * frame.size[1]
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


# what the reading of a file, and Pillow's parsers on damaged headers, raise
_FAULTS = (
    RefusedError, Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError, OSError,
    ValueError, SyntaxError, struct.error, IndexError, TypeError, EOFError, ArithmeticError, KeyError,
    RuntimeError, AssertionError, AttributeError,
)  # fmt: skip


def _name_of(source: Source | Image.Image) -> str:
    if not isinstance(source, str | os.PathLike):
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
        raise RefusedError(describe_excess(size, max_bytes))
    if not content:
        raise RefusedError(_EMPTY)
    return content


def _measure_regular(path: Path) -> int:
    """Return a file's bytes; refuse what is none: a pipe would wait for ever, a device never ends."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise RefusedError("is a pipe or a device, not a photo")
    return status.st_size


def _open(data: bytes) -> ImageFile.ImageFile:
    _register_heif()
    formats = [name for name in (*FORMATS, "HEIF") if name in Image.OPEN]
    check_pieces(data)
    stream = CountedBytes(data)
    image = Image.open(stream, formats=formats)
    if image.tile and image.tile[0].codec_name == "bmp_rle":
        stream.allow_runs()
    return image


@functools.cache
def _register_heif() -> None:
    """Add iPhones' format to Pillow's where the extra `heic` is installed."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def _check_dimensions(width: int, height: int, most: int = MAX_PIXELS) -> None:
    if width < 1 or height < 1:
        raise RefusedError(
            "is {width:d} x {height:d} pixels; there is nothing to see", width=width, height=height
        )
    if width * height > most and most < MAX_PIXELS:
        raise RefusedError(describe_pixels(width * height, most))
    if width * height > most:
        raise RefusedError(
            "has {width} x {height} pixels; at most {most} are read, so scale it down",
            width=width,
            height=height,
            most=most,
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise RefusedError(
            "is {width} x {height} pixels; a photo may be at most {most} times as long as wide",
            width=width,
            height=height,
            most=MAX_ASPECT,
        )
