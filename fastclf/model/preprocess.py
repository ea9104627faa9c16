"""The only definition of the evaluation transform: decoded RGB in, the network's input out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import BundleError, UnreadablePhotoError
from ..photos import MAX_BYTES, MAX_PIXELS, DecodedPhoto, Source, decode_photo
from .session import count_cores

Array = npt.NDArray[Any]
Readable = Source | Image.Image | UnreadablePhotoError
P = TypeVar("P", bound=Readable)
Method = Literal["squish", "crop", "pad"]
PadMode = Literal["reflection", "border", "zeros"]

METHODS: tuple[Method, ...] = ("squish", "crop", "pad")
PUBLISHED = "published"
"""As most pretrained weights were judged: "crop" to somewhat more than the input, then its middle."""

PUBLISHED_SHARE = 0.875
"""How much of the resized photo's side is seen then; it is resized by bicubic interpolation."""

_NUMPY_PAD = {"reflection": "reflect", "border": "edge", "zeros": "constant"}
_INTERPOLATION = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# A padded canvas larger than this is made from a photo scaled down by a whole number first.
_MAX_CANVAS = 40_000_000
BATCH = 4
"""Photos a run of a network: what more of them need for a layer is handed back to the system and asked for
again at every run, and each photo takes 1.6 times as long (benchmarks/README.md)."""

_AHEAD = 8
# What frozen networks are shown has twice the pixels that it is resized to, and is enough for people, too.
# How far features move by that stands in benchmarks/README.md.
_OVERSAMPLING, _LEAST_SIDE = 2, 512


@dataclass(frozen=True)
class Preprocess:
    """How a decoded photo becomes the network's input.

    Equals fastai's ``Resize`` on a validation photo, and its ``RandomResizedCrop``, which squishes a
    validation photo to somewhat more than the input's size and cuts from the middle.

    Attributes
    ----------
    input_size
        (channels, height, width) of the network's input; channels is 3.
    resize_to
        (height, width) that the photo is brought to; what is more than `input_size` is cut off around the
        middle.
    method
        "squish" changes the aspect ratio, "crop" cuts from the middle, "pad" adds on the short side.
    pad_mode
        What "pad" adds: "reflection", "border" or "zeros".
    interpolation
        "bilinear" or "bicubic".
    mean, std
        Normalisation inside the graph, a value a channel, or None where there is none. For the record:
        the tensor made here is not normalised.
    least_side
        A large JPEG is decoded at a half, a quarter or an eighth of its size, as long as its shorter side
        keeps so many pixels. 0 decodes it whole, as fastai does.
    """

    input_size: tuple[int, int, int]
    resize_to: tuple[int, int]
    method: Method = "squish"
    pad_mode: PadMode = "reflection"
    interpolation: str = "bilinear"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    least_side: int = 0

    @classmethod
    def build(
        cls,
        size: int,
        method: str,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> Self:
        """Return how a photo becomes an input of `size` pixels, by one of `METHODS` or `PUBLISHED`."""
        known: dict[str, Any] = {"mean": mean and tuple(mean), "std": std and tuple(std)}
        side = round(size / PUBLISHED_SHARE) if method == PUBLISHED else size
        known["least_side"] = max(_LEAST_SIDE, _OVERSAMPLING * side)
        if method != PUBLISHED:
            return cls((3, size, size), (size, size), method, **known)  # type: ignore[arg-type]
        return cls((3, size, size), (side, side), "crop", interpolation="bicubic", **known)

    def decode(
        self,
        source: Source | Image.Image,
        name: str | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        max_pixels: int = MAX_PIXELS,
    ) -> DecodedPhoto:
        """Decode a photo in as many pixels as the network's input takes; otherwise as `decode_photo` does."""
        return decode_photo(
            source, name, max_bytes=max_bytes, least_short_side=self.least_side, max_pixels=max_pixels
        )

    def __call__(self, image: Image.Image) -> npt.NDArray[np.float32]:
        """Turn one RGB photo into an array (3, height, width) of values in [0, 1]."""
        resized = self.resize(image)
        return np.asarray(resized, np.float32).transpose(2, 0, 1) / np.float32(255)

    def batch(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Turn N RGB photos into one array (N, 3, height, width) of values in [0, 1]."""
        out = np.empty((len(images), *self.input_size), np.float32)
        for row, image in zip(out, images, strict=True):
            row[:] = self(image)
        return out

    def read_batches(
        self, sources: Iterable[P], *, batch_size: int = BATCH, max_bytes: int = MAX_BYTES
    ) -> Iterator[list[tuple[P, Array | UnreadablePhotoError]]]:
        """Yield photos with their arrays, or with why there is none, a batch at a time and in order.

        While a batch is looked at, the next ones are decoded and resized. A fault may stand for a photo that
        could not be had.
        """
        remaining = iter(sources)
        waiting: deque[list[tuple[P, Future[Array | UnreadablePhotoError]]]] = deque()
        with ThreadPoolExecutor(count_cores(), thread_name_prefix="decode") as pool:
            try:
                while True:
                    while len(waiting) < _AHEAD and (chunk := list(islice(remaining, batch_size))):
                        waiting.append([(s, pool.submit(self._read, s, max_bytes)) for s in chunk])
                    if not waiting:
                        return
                    yield [(source, future.result()) for source, future in waiting.popleft()]
            finally:
                pool.shutdown(cancel_futures=True)

    def _read(self, source: Readable, max_bytes: int) -> Array | UnreadablePhotoError:
        if isinstance(source, UnreadablePhotoError):
            return source
        try:
            return self(self.decode(source, max_bytes=max_bytes).image)
        except UnreadablePhotoError as e:
            return e

    def resize(self, image: Image.Image) -> Image.Image:
        """Bring one RGB photo to `resize_to`, and cut it to `input_size`."""
        height, width = self.resize_to
        if self.method != "squish":
            image = self._to_aspect(image, width, height)
        resized = image.resize((width, height), _INTERPOLATION[self.interpolation])
        _, inner_height, inner_width = self.input_size
        left, top = (width - inner_width) // 2, (height - inner_height) // 2
        if (inner_height, inner_width) == self.resize_to:
            return resized
        return resized.crop((left, top, left + inner_width, top + inner_height))

    def find_seen(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return which part of a photo of (width, height) the network sees: left, top, right and bottom.

        They are shares of the photo's width and height; below 0 and above 1 where "pad" adds something.

        Examples
        --------
        >>> Preprocess((3, 64, 64), (64, 64), "crop").find_seen((200, 100))
        (0.25, 0.0, 0.75, 1.0)
        """
        (height, width), (_, inner_height, inner_width) = self.resize_to, self.input_size
        left, top, right, bottom = (0, 0, *size)
        if self.method != "squish":
            left, top, right, bottom = self._find_canvas(size, width, height)
        x, y = (width - inner_width) // 2 / width, (height - inner_height) // 2 / height
        wide, high = right - left, bottom - top
        return (
            (left + x * wide) / size[0],
            (top + y * high) / size[1],
            (left + (x + inner_width / width) * wide) / size[0],
            (top + (y + inner_height / height) * high) / size[1],
        )

    def _find_canvas(self, size: tuple[int, int], width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of what is resized; fastai's floors, in fastai's order."""
        ratios = (size[0] / width, size[1] / height)
        scale = max(ratios) if self.method == "pad" else min(ratios)
        canvas = (int(scale * width), int(scale * height))
        left, top = int(0.5 * (size[0] - canvas[0])), int(0.5 * (size[1] - canvas[1]))
        return left, top, left + canvas[0], top + canvas[1]

    def _to_aspect(self, image: Image.Image, width: int, height: int) -> Image.Image:
        """Crop or pad around the middle to the target's aspect."""
        left, top, right, bottom = self._find_canvas(image.size, width, height)
        canvas = (right - left, bottom - top)
        if self.method == "pad" and canvas[0] * canvas[1] > _MAX_CANVAS:
            factor = int((canvas[0] * canvas[1] / _MAX_CANVAS) ** 0.5) + 1
            return self._to_aspect(image.reduce(factor), width, height)
        image = image.crop((max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)))
        missing_x, missing_y = canvas[0] - image.width, canvas[1] - image.height
        if missing_x <= 0 and missing_y <= 0:
            return image
        before = (max(-left, 0), max(-top, 0))
        return self._pad(image, before, (missing_x - before[0], missing_y - before[1]))

    def _pad(self, image: Image.Image, before: tuple[int, int], after: tuple[int, int]) -> Image.Image:
        widths = ((before[1], after[1]), (before[0], after[0]), (0, 0))
        pixels = np.pad(np.asarray(image), widths, _NUMPY_PAD[self.pad_mode])  # type: ignore[call-overload]
        return Image.fromarray(pixels)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises
        ------
        BundleError
            If a field is missing, unknown or outside of what is allowed.
        """
        try:
            fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            made = cls(**fields)
            channels, height, width = made.input_size
            sane = (
                channels == 3
                and len(made.resize_to) == 2
                and all(isinstance(n, int) and 0 < n <= 4096 for n in (*made.input_size, *made.resize_to))
                and height <= made.resize_to[0]
                and width <= made.resize_to[1]
                and made.method in METHODS
                and made.pad_mode in _NUMPY_PAD
                and made.interpolation in _INTERPOLATION
                and isinstance(made.least_side, int)
                and made.least_side >= 0
            )
        except (TypeError, ValueError, AttributeError):
            sane = False
        if not sane:
            raise BundleError("The model's preprocess description is not usable: {values!r}.", values=values)
        return made
