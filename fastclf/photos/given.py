"""What people hold instead of a file: pictures of Pillow, arrays, open files, uploads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from ..errors import UsageError, describe_error
from .decode import Source

Given = Source | Image.Image | npt.NDArray[Any] | IO[bytes] | Mapping[str, Any]
"""A path, a file's bytes, an open file, a picture, an array, or an upload with `name` and `content`."""

NO_NAME = "the photo"
_KNOWN = "a path, bytes, an open file, a PIL image or an array (height, width, 3)"
_ADDRESSES = ("http://", "https://", "ftp://", "data:")


def take_photo(given: object) -> tuple[str, Source | Image.Image]:
    """Return the name of what is given as a photo, "" where it has none, and its path, bytes or picture.

    Arrays are (height, width), or (height, width, channels) with 1, 3 or 4 channels: grey, RGB or RGBA. They
    hold whole numbers from 0 to 255, truth values, or floats from 0 to 1; greys may have 16 bits.

    Raises
    ------
    UsageError
        If it is none of these.

    Examples
    --------
    >>> take_photo("photos/bear.jpg")
    ('photos/bear.jpg', 'photos/bear.jpg')
    """
    if isinstance(given, str | os.PathLike):
        return _take_path(given)
    if isinstance(given, bytes | bytearray | memoryview):
        return "", bytes(given)
    if isinstance(given, Image.Image):
        return _take_image(given)
    if isinstance(given, Mapping):
        content, name = given.get("content"), given.get("name")
        if isinstance(content, bytes | bytearray | memoryview):
            return str(name or ""), bytes(content)
    inner = getattr(given, "file", None)  # uploads of web frameworks
    for held in (given, inner):
        if callable(getattr(held, "read", None)) and not _is_async(held):
            return _find_name(given), _read(held)
    if hasattr(given, "__array__") or hasattr(given, "__array_interface__"):
        return "", _take_array(given)
    raise UsageError(
        "A photo is given as {known}; this is of type {kind}.{hint}",
        known=_KNOWN,
        kind=type(given).__name__,
        hint=" For several photos there is predict_many." if isinstance(given, list | tuple | set) else "",
    )


def _take_path(given: str | os.PathLike[Any]) -> tuple[str, Source]:
    path = os.fspath(given)
    path = os.fsdecode(path)
    if path.lower().startswith(_ADDRESSES):
        raise UsageError(
            "{address} is a web address, and this opens files only. `fastclf predict MODEL ADDRESS` fetches "
            "it; in Python, fetch it yourself and give its bytes.",
            address=path[:60],
        )
    if not path or "\0" in path:
        raise UsageError("{path!r} is no path of a file.", path=path)
    return path, path


def _take_image(image: Image.Image) -> tuple[str, Source | Image.Image]:
    """Return a picture; one of which no pixel has been read is its file, which is decoded like any other."""
    name = str(getattr(image, "filename", "") or "")
    if isinstance(image, ImageFile.ImageFile) and image.tile and not image.tell():
        if image.fp is None or image.fp.closed:
            raise UsageError("This picture was closed before its pixels were read. Open it again.")
        try:
            place = image.fp.tell()
            image.fp.seek(0)
            content = image.fp.read()
            image.fp.seek(place)
            return name, content
        except (OSError, ValueError):
            return name, image
    return name, image


def _is_async(held: Any) -> bool:
    return bool(getattr(getattr(type(held), "read", None), "__code__", None)) and bool(
        type(held).read.__code__.co_flags & 0x80  # a coroutine
    )


def _find_name(given: object) -> str:
    """Return the name that an open file or an upload has."""
    for field in ("filename", "name"):
        name = getattr(given, field, None)
        if isinstance(name, str) and name:
            return Path(name).name
    return ""


def _read(held: Any) -> bytes:
    """Return all of an open file, from its start: somebody may have looked at it."""
    try:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            held.seek(0)
        content = held.read()
    except (OSError, ValueError) as e:
        raise UsageError("The open file cannot be read ({reason}).", reason=describe_error(e)) from e
    if not isinstance(content, bytes | bytearray | memoryview):
        raise UsageError('The file was opened as text; open it with open(path, "rb").')
    return bytes(content)


def _take_array(given: Any) -> Image.Image:
    try:
        values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (TypeError, ValueError, RuntimeError) as e:
        raise UsageError("This {kind} is no array of numbers.", kind=type(given).__name__) from e
    _check_shape(values)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.dtype.kind == "b":
        values = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype.kind == "f":
        values = _scale_floats(values)
    elif values.dtype.kind not in "ui":
        raise UsageError(
            "An array of {kind} is no photo; use uint8, or floats from 0 to 1.", kind=values.dtype
        )
    elif values.ndim == 2 and values.dtype in (np.uint16, np.int32):
        return Image.fromarray(np.ascontiguousarray(values))  # its depth is scaled as a file's is
    elif values.dtype != np.uint8:
        _check_range(values, 0, 255)
        values = values.astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(values))


def _check_shape(values: npt.NDArray[Any]) -> None:
    shape = values.shape
    if 0 not in shape and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))):
        return
    hint = ""
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        hint = " Move its channels to the end: transpose(1, 2, 0), in torch permute(1, 2, 0)."
    elif len(shape) == 4:
        hint = " This is a batch: give its photos to predict_many one by one."
    raise UsageError(
        "An array of a photo is (height, width), or (height, width, 3) for RGB or 4 for RGBA; this is "
        "{shape}.{hint}",
        shape=shape,
        hint=hint,
    )


def _scale_floats(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    _check_range(values, 0, 1)
    scaled: npt.NDArray[np.uint8] = (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    return scaled


def _check_range(values: npt.NDArray[Any], least: int, most: int) -> None:
    low, high = values.min(), values.max()
    if not (low >= least - 1e-3 and high <= most + 1e-3):  # NaN is neither
        raise UsageError(
            "An array of {kind} is read from {least} to {most}; this one goes from {low:g} to {high:g}. "
            "Scale it.",
            kind=values.dtype,
            least=least,
            most=most,
            low=float(low),
            high=float(high),
        )
