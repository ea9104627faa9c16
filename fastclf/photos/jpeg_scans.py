"""Whether the last scan of a progressive JPEG came whole, seen while it is decoded.

Such a photo comes out when its end mark is read, which also ends a scan in its middle without a word. So the
decoder gets some bytes that mean nothing in front of the mark, one at a time. Between scans it passes over
each at once; in a scan it waits until it has several.
"""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageFile

from .jpeg_rows import END

_NAME = "fastclf_progressive"
# What the decoder reads ahead at most, and so many more as a scan hardly ends in by chance.
_AHEAD, _SINGLE = 8, 24


def watch_last_scan(image: ImageFile.ImageFile, n_bytes: int) -> ScanWatch:
    """Let an unloaded JPEG of so many bytes be watched when it is loaded."""
    watch = ScanWatch(n_bytes - image.tile[0].offset)
    tile = image.tile[0]
    args = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    image.tile = [tile._replace(codec_name=_NAME, args=(watch, *args))]
    return watch


class ScanWatch:
    """How many bytes are still to come, and whether the last scan was whole, once the photo is loaded."""

    def __init__(self, n_left: int) -> None:
        self.n_left = n_left
        self.whole = True


class _WatchedDecoder(ImageFile.PyDecoder):
    """libjpeg's decoder, held up before the end mark."""

    def __init__(self, mode: str, watch: ScanWatch, *args: Any) -> None:
        super().__init__(mode)
        self._watch = watch
        self._decoder = Image._getdecoder(mode, "jpeg", args)

    def setimage(self, im: Any, extents: tuple[int, int, int, int] | None = None) -> None:
        self._decoder.setimage(im, extents)

    def decode(self, buffer: Any) -> tuple[int, int]:
        data = bytes(buffer)
        if len(data) < self._watch.n_left or not data.endswith(END):
            n, error = self._decoder.decode(data)
            self._watch.n_left -= max(n, 0)
            return n, error
        left = self._feed(data[: -len(END)] + bytes(_AHEAD))
        for _ in range(_SINGLE):
            left = self._feed(left + b"\0")
            self._watch.whole = self._watch.whole and not left
        return self._decoder.decode(left + END)

    def _feed(self, data: bytes) -> bytes:
        """Return what the decoder has no use for yet."""
        n, _ = self._decoder.decode(data)
        return data[n:] if n >= 0 else b""


Image.register_decoder(_NAME, _WatchedDecoder)
