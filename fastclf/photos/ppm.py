"""Portable greymaps and pixmaps whose samples are text, or do not reach 255: Pillow reads these one by one.

The values are the same; a table has what each sample becomes.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from .budget import refuse_pieces

_NAME = "fastclf_portable"
_COMMENT = re.compile(rb"#[^\n\r]*[\n\r]?")
_BLOCK, _MOST_COMMENTS = 2**20, 10_000
_LONGEST = 10
_IS_SPACE = np.isin(np.arange(256), list(b" \t\n\v\f\r"))


def quicken_samples(image: ImageFile.ImageFile) -> None:
    """Let an unloaded photo whose samples are text or rarely scaled be read all at once."""
    image.tile = [
        tile._replace(codec_name=_NAME, args=(tile.codec_name, tile.args))
        if tile.codec_name in ("ppm", "ppm_plain")
        else tile
        for tile in image.tile
    ]


class _Decoder(ImageFile.PyDecoder):
    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        codec, args = self.args
        n = self.state.xsize * self.state.ysize * Image.getmodebands(self.mode)
        data = self.fd.read() if self.fd else b""
        if codec == "ppm_plain" and data.count(b"#") > _MOST_COMMENTS:
            refuse_pieces()
        if self.mode == "1":
            self.set_as_raw(_read_bits(data, n), "1;8")
            return -1, 0
        most, is_wide = args[-1], self.mode == "I"
        values = _read_text(data, n, most) if codec == "ppm_plain" else _read_samples(data, n, most)
        scaled = _build_table(most, 65535 if is_wide else 255)[values]
        self.set_as_raw(scaled.tobytes(), "I;32" if is_wide else self.mode)
        return -1, 0


def _build_table(most: int, white: int) -> npt.NDArray[Any]:
    scaled = np.rint(np.arange(2**16 if most > 255 else 256) / most * white)
    return np.minimum(scaled, white).astype(np.int32 if white > 255 else np.uint8)


def _read_samples(data: bytes, n: int, most: int) -> npt.NDArray[Any]:
    kind = np.dtype("u1" if most < 256 else ">u2")
    return np.frombuffer(data, kind, min(n, len(data) // kind.itemsize))


def _read_bits(data: bytes, n: int) -> bytes:
    bits = _COMMENT.sub(b"", data).translate(None, b" \t\n\v\f\r")[:n]
    if bits.translate(None, b"01"):
        raise ValueError("a bit is 0 or 1")
    return bits.translate(bytes.maketrans(b"01", b"\xff\x00"))


def _read_text(data: bytes, n: int, most: int) -> npt.NDArray[np.uint16]:
    text, found, at = _COMMENT.sub(b"", data), np.zeros(n, np.uint16), 0
    start = 0
    while at < n and start < len(text):
        end = start + _BLOCK
        while end < len(text) and not _IS_SPACE[text[end]]:
            end += 1
            if end > start + _BLOCK + _LONGEST:
                raise ValueError("a sample is too long")
        values = _read_numbers(text[start:end])[: n - at]
        if values.max(initial=0) > most:
            raise ValueError("a sample is too large")
        found[at : at + len(values)] = values
        at, start = at + len(values), end
    return found[:at]


def _read_numbers(text: bytes) -> npt.NDArray[np.int64]:
    """Return the whole numbers in a text of digits and spaces."""
    codes = np.frombuffer(text, np.uint8)
    digits = codes - np.uint8(48)
    is_digit = digits < 10
    if not (is_digit | _IS_SPACE[codes]).all():
        raise ValueError("a sample is no number")
    edges = np.diff(np.concatenate(([0], is_digit.view(np.int8), [0])))
    ends = (edges == -1).nonzero()[0]
    lengths = ends - (edges == 1).nonzero()[0]
    if lengths.max(initial=0) > _LONGEST:
        raise ValueError("a sample is too long")
    values = np.zeros(len(ends), np.int64)
    for place in range(int(lengths.max(initial=0))):
        has = lengths > place
        values[has] += digits[ends[has] - 1 - place].astype(np.int64) * 10**place
    return values


Image.register_decoder(_NAME, _Decoder)
