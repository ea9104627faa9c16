"""What near-duplicates are found by, computed from one decoded photo: its hashes and a small signature.

A photo is shrunk once to 64 x 64 pixels, whatever its shape. From the grey of that come the perceptual hash,
the hashes of the turned and mirrored photo, and those of ten parts of it, so that a crop lies close to one.
The grey itself and a coarse map of the colours are the signature, on which pairs are confirmed later without
decoding a photo again.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .turns import MIRRORED, PLAIN

UInt8Array = NDArray[np.uint8]
UInt64Array = NDArray[np.uint64]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

SIDE = 64
COLOUR_SIDE = 16
# grey above, then the blue and the red difference, each 16 x 16 and laid out in four rows
SIGNATURE_SHAPE = (SIDE + 2 * COLOUR_SIDE**2 // SIDE, SIDE)

_EDGES_5, _EDGES_10 = ((0.0, 0.95), (0.05, 1.0)), ((0.0, 0.9), (0.1, 1.0))
# (top, bottom, left, right) in shares of the photo: all of it; the middle after crops of 5 % and of 10 %
# from each side; the four corners after crops of 5 % and of 10 %.
WINDOWS: tuple[tuple[float, float, float, float], ...] = (
    (0.0, 1.0, 0.0, 1.0),
    (0.05, 0.95, 0.05, 0.95),
    (0.1, 0.9, 0.1, 0.9),
    *((*y, *x) for edges in (_EDGES_5, _EDGES_10) for y in edges for x in edges),
)
# The turns whose hash is kept, first of all. What is turned by 270 degrees is, seen from the other, by 90.
TURNS = (PLAIN, MIRRORED, 1, 2, MIRRORED + 1, MIRRORED + 2, MIRRORED + 3)
N_HASHES = len(TURNS) + len(WINDOWS) - 1

# Under these two a photo cannot be told from another one by pixels alone. Digits of 28 or 32 pixels and
# icons differ in single strokes that the noise of a JPEG hides. And a copy saved at JPEG quality 30 differs
# from its original by about 0.8 grey levels (standard deviation) in the band of detail that is compared:
# with less than 2 levels of detail the correlation of true copies falls under the threshold, and what
# correlates in photos of paper, sky or fog is the light, not the scene.
MIN_SHORT_SIDE = 48
MIN_DETAIL = 2.0
# of a kernel's middle: less than the eighth digit of a sum
_NOTHING = 1e-9


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a photo to find its near-duplicates.

    Attributes
    ----------
    hashes
        (17,) 64-bit hashes: the photo's, turned in seven ways (see `TURNS`), then ten parts' (`WINDOWS`).
    signature
        (72, 64) grey of the photo squeezed to 64 x 64 pixels, then its colours at 16 x 16.
    detail
        Standard deviation of the grey's fine detail, in grey levels of 0 to 255.
    comparable
        Whether the photo is large and structured enough to be compared by pixels.
    """

    hashes: UInt64Array
    signature: UInt8Array
    detail: float
    comparable: bool

    @property
    def phash(self) -> int:
        """The perceptual hash of the photo."""
        return int(self.hashes[TURNS.index(PLAIN)])

    @property
    def mirror(self) -> int:
        """The perceptual hash of the mirrored photo."""
        return int(self.hashes[TURNS.index(MIRRORED)])


def describe_photo(image: Image.Image, short_side: int | None = None) -> Fingerprint:
    """Compute a photo's fingerprint.

    The first hash is the DCT hash of ImageHash's ``phash`` (Zauner, "Implementation and Benchmarking of
    Perceptual Image Hash Functions", 2010) with the first term in the highest bit. It differs from that one
    by two bits at most on nearly every photo, because the shrinking to 32 x 32 goes over 64 x 64 pixels.

    Parameters
    ----------
    image
        A decoded photo, mode RGB.
    short_side
        Of the photo before it was reduced, in pixels; by default the picture's own.
    """
    signature = _make_signature(image)
    detail = measure_detail(signature[None, :SIDE])[0]
    comparable = is_comparable(short_side or min(image.size), float(detail))
    return Fingerprint(hash_signatures(signature[None])[0], signature, float(detail), comparable)


def is_comparable(short_side: int, detail: float) -> bool:
    """Return whether a photo can be told from others by its pixels."""
    return short_side >= MIN_SHORT_SIDE and detail >= MIN_DETAIL


def measure_detail(grey: UInt8Array) -> FloatArray:
    """Return the standard deviation of the fine detail of (N, 64, 64) grey signatures, in grey levels."""
    band: FloatArray = keep_detail(grey.astype(np.float32)).std(axis=(1, 2))
    return band


def keep_detail(grey: FloatArray) -> FloatArray:
    """Keep of (N, n, n) images the band of detail from two to about ten pixels: no noise, no shading."""
    fine = blur(grey, 1.0)
    return fine - blur(fine, 2.0)


def blur(grey: FloatArray, sigma: float) -> FloatArray:
    """Blur (N, n, n) images with a Gaussian of `sigma` pixels."""
    kernel = make_kernel(grey.shape[-1], sigma)
    return np.asarray(kernel @ grey @ kernel.T, np.float32)


@functools.cache
def make_kernel(side: int, sigma: float) -> FloatArray:
    """Return the (side, side) matrix that blurs a line of pixels with a Gaussian of `sigma` pixels."""
    distance = np.arange(side, dtype=np.float32)
    kernel: FloatArray = np.exp(-0.5 * ((distance[:, None] - distance) / sigma) ** 2)
    # numbers so small that they are kept with fewer digits make products a hundred times slower
    kernel[kernel < _NOTHING] = 0
    kernel /= kernel.sum(axis=1, keepdims=True)
    return kernel


def hash_signatures(signatures: UInt8Array) -> UInt64Array:
    """Return (N, 17) hashes of (N, 72, 64) signatures: of the photo, turned in all ways, and of ten parts."""
    grey = signatures[:, :SIDE].astype(np.float32)
    coefficients = np.asarray(_DOWN @ grey[:, None] @ _ACROSS, np.float32)
    turned = [_turn_terms(coefficients[:, 0], turn) for turn in TURNS]
    every = np.concatenate([np.stack(turned, axis=1), coefficients[:, 1:]], axis=1)
    flat = every.reshape(len(grey), N_HASHES, 64)
    bits = flat > np.median(flat, axis=2, keepdims=True)
    packed = np.packbits(bits, axis=2).view(">u8")[..., 0]
    return packed.astype(np.uint64)


def _turn_terms(terms: FloatArray, turn: int) -> FloatArray:
    """Return the (N, 8, 8) terms of the turned photos: mirroring turns the sign of a line's odd ones."""
    if turn >= MIRRORED:
        terms = terms * _SIGNS
    for _ in range(turn % 4):
        # rows become columns, then left becomes right
        terms = terms.swapaxes(1, 2) * _SIGNS
    return terms


def _make_signature(image: Image.Image) -> UInt8Array:
    # averaging whole blocks first is four times faster than one resize, and looks the same
    factors = (max(1, image.width // 128), max(1, image.height // 128))
    # the last block of a line may be cut: the photo's true end lies within it
    end = (image.width / factors[0], image.height / factors[1])
    grey, *colours = image.reduce(factors).convert("YCbCr").split()
    detail = grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=(0, 0, *end))
    coarse = [c.resize((COLOUR_SIDE,) * 2, Image.Resampling.BOX, box=(0, 0, *end)) for c in colours]
    return np.concatenate([np.asarray(detail), *(np.asarray(c).reshape(-1, SIDE) for c in coarse)])


def _make_basis(low: float, high: float) -> FloatArray:
    """Build the (8, 64) matrix that cuts a part out of a line, shrinks it to 32 and takes 8 DCT terms."""
    scale = (high - low) * SIDE / 32
    centres = (low + (high - low) * (np.arange(32) + 0.5) / 32) * SIDE - 0.5
    offset = (np.arange(SIDE) - centres[:, None]) / max(scale, 1.0)
    lanczos = np.where(np.abs(offset) < 3, np.sinc(offset) * np.sinc(offset / 3), 0)
    lanczos /= lanczos.sum(axis=1, keepdims=True)
    terms = np.cos(np.pi * np.arange(8)[:, None] * (2 * np.arange(32) + 1) / 64)
    basis: FloatArray = (terms @ lanczos).astype(np.float32)
    return basis


_DOWN = np.stack([_make_basis(top, bottom) for top, bottom, _, _ in WINDOWS])
_ACROSS = np.stack([_make_basis(left, right).T for _, _, left, right in WINDOWS])
_SIGNS = np.where(np.arange(8) % 2, -1, 1).astype(np.float32)
