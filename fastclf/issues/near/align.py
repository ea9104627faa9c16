"""Confirm that two photos are one: lay one signature over the other, then compare what is left of detail.

The second photo is taken for a part of the first: a window, which shifts and scales each axis by itself.
Gauss-Newton steps (Lucas and Kanade, 1981) move the window from 16 to 32 to 64 pixels, with the gain and
the offset of the light fitted on the way; pairs that cannot become one are dropped at the coarse levels.
"""

from __future__ import annotations

import functools

import numpy as np

from .hashes import COLOUR_SIDE, SIDE, FloatArray, IntArray, UInt8Array, blur, make_kernel
from .turns import PLAIN, turn_pixels

# Side of a coarse picture, and its blur, steps and least correlation to go on; then, finer, the same by how
# much is shrunk. Of 20,329 pairs of copies of photos of hands and clothes, some in frames, 16 stay under the
# first (145 would under 0.8); so do 39 in 100 of 25,339 other close photos of hands.
COARSE_SIDE = 16
_COARSE = (0.6, 3, 0.75)
_FINE = ((2, 0.8, 3, 0.85), (1, 1.0, 4, 0.0))
# of a pixel, in a step
_TERMS = 6
_MIN_OVERLAP = 0.6  # chosen by hand, not tuned
# The worst spot of the difference, where each photo's detail has the variance 1. A photo that is the same but
# for one object has a high correlation and one bad spot; 998 in 1,000 of the copies stay under this.
_MAX_SPOT = 0.8
# in levels of 0 to 255; the same copies differ by at most 6.0, at JPEG quality 30 too
_MAX_COLOUR_GAP = 8.0


def make_coarse(signatures: UInt8Array) -> FloatArray:
    """Return the (B, 16, 16) coarse pictures of (B, 72, 64) signatures."""
    return _reduce(signatures, SIDE // COARSE_SIDE, _COARSE[0])


def align_coarse(first: FloatArray, second: FloatArray, windows: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return which of B pairs of coarse pictures may become one, and the moved windows of these.

    Takes (B, 16, 16) pictures, the second already turned as the first is, and (B, 4) shares where the second
    lies in the first to begin with: top, bottom, left, right.
    """
    _, steps, least = _COARSE
    windows = _align(first, second, windows.astype(np.float32), steps)
    alike = np.flatnonzero(_correlate_detail(first, second, windows) >= least)
    return alike, windows[alike]


def score_aligned(first: UInt8Array, second: UInt8Array, windows: FloatArray) -> FloatArray:
    """Return (B,) correlations of fine detail after alignment, from the windows of the coarse pictures on.

    0 for pairs dropped on the way, and where a spot or the colours differ or the overlap is too small.
    Takes (B, 72, 64) signatures, the second already turned.
    """
    scores = np.zeros(len(first), np.float32)
    alive = np.arange(len(first))
    for shrink, sigma, steps, least in _FINE:
        if not len(alive):
            return scores
        fixed, moving = (_reduce(signatures[alive], shrink, sigma) for signatures in (second, first))
        windows = _align(moving, fixed, windows, steps)
        level = _correlate_detail(moving, fixed, windows)
        keep = level >= least
        alive, windows, level = alive[keep], windows[keep], level[keep]
    if not len(alive):
        return scores
    same = _measure_worst_spot(moving[keep], fixed[keep], windows) <= _MAX_SPOT
    same &= _measure_colour_gap(first[alive], second[alive], windows) <= _MAX_COLOUR_GAP
    scores[alive] = np.where(same, np.clip(level, 0, 1), 0)
    return scores


def turn_signatures(signatures: UInt8Array, turn: int) -> UInt8Array:
    """Return the (B, 72, 64) signatures of the turned photos; there may be none."""
    if turn == PLAIN:
        return signatures
    grey, colours = signatures[:, :SIDE], _get_colours(signatures)
    rows = turn_pixels(colours, turn).reshape(len(signatures), 2 * COLOUR_SIDE**2 // SIDE, SIDE)
    return np.concatenate([turn_pixels(grey, turn), rows], axis=1)


def _get_colours(signatures: UInt8Array) -> UInt8Array:
    return signatures[:, SIDE:].reshape(len(signatures), 2, COLOUR_SIDE, COLOUR_SIDE)


def _reduce(signatures: UInt8Array, shrink: int, sigma: float) -> FloatArray:
    """Return the grey of (B, 72, 64) signatures, shrunk and blurred."""
    reduce = _make_reduction(shrink, sigma)
    grey = signatures[:, :SIDE].astype(np.float32)
    reduced: FloatArray = np.matmul(reduce, grey @ reduce.T)
    return reduced


@functools.cache
def _make_reduction(shrink: int, sigma: float) -> FloatArray:
    # as products of matrices, means over blocks are six times faster
    side = SIDE // shrink
    pool = np.repeat(np.eye(side, dtype=np.float32), shrink, axis=1) / shrink
    return np.asarray(make_kernel(side, sigma) @ pool, np.float32)


def _align(moving: FloatArray, fixed: FloatArray, windows: FloatArray, steps: int) -> FloatArray:
    """Move the windows so that what they cut out of `moving` resembles `fixed` (both (B, n, n))."""
    n = fixed.shape[1]
    system = np.empty((len(fixed), _TERMS + 1, n, n), np.float32)
    system[:, _TERMS] = fixed
    for _ in range(steps):
        _fill_terms(system, *_cut(moving, windows))
        solved = _solve(system.reshape(len(fixed), _TERMS + 1, -1))
        # the gain is the factor of every other term; a step never moves an edge further than a tenth
        gain = np.maximum(solved[:, :1], 0.3)
        step = np.clip(solved[:, 2:] / (gain * n), -0.05, 0.05)
        height, width = windows[:, 1] - windows[:, 0], windows[:, 3] - windows[:, 2]
        y, y_scale, x, x_scale = step.T
        moves = (y - y_scale) * height, (y + y_scale) * height, (x - x_scale) * width, (x + x_scale) * width
        windows = windows + np.stack(moves, axis=1)
        windows = np.clip(windows, (-0.3, 0.7, -0.3, 0.7), (0.3, 1.3, 0.3, 1.3)).astype(np.float32)
    return windows


def _fill_terms(system: FloatArray, cut: FloatArray, inside: FloatArray) -> None:
    """Fill the terms of (B, 7, n, n): gain and offset, what a move and a stretch change, down and right."""
    gain, offset, down, down_wide, right, right_wide = system[:, :_TERMS].swapaxes(0, 1)
    n = cut.shape[1]
    across = 2 * (np.arange(n, dtype=np.float32) + 0.5) / n - 1
    np.multiply(cut, inside, out=gain)
    offset[:] = inside
    for slope, picture in ((down, cut), (right.swapaxes(1, 2), cut.swapaxes(1, 2))):
        np.subtract(picture[:, 2:], picture[:, :-2], out=slope[:, 1:-1])
        slope[:, 0], slope[:, -1] = 2 * (picture[:, 1] - picture[:, 0]), 2 * (picture[:, -1] - picture[:, -2])
    half = 0.5 * inside
    down *= half
    right *= half
    np.multiply(down, across[:, None], out=down_wide)
    np.multiply(right, across, out=right_wide)


def _solve(system: FloatArray) -> FloatArray:
    """Return the (B, 6) weights of the terms in (B, 7, P) that give the last row in the least squares."""
    # a product of an array with itself goes another way, three times as long: so all but one by all but one
    products = system[:, :_TERMS] @ system[:, 1:].transpose(0, 2, 1)
    normal = np.empty((len(system), _TERMS, _TERMS), np.float32)
    normal[:, :, 1:] = products[:, :, :-1]
    normal[:, 1:, 0] = products[:, 0, :-1]
    normal[:, 0, 0] = np.einsum("bp,bp->b", system[:, 0], system[:, 0])
    ridge = 1e-4 * np.trace(normal, axis1=1, axis2=2) + 1e-3
    normal += ridge[:, None, None] * np.eye(_TERMS, dtype=np.float32)
    solved: FloatArray = np.linalg.solve(normal, products[:, :, -1:])[..., 0]
    return solved


def _cut(images: FloatArray, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut the windows out of (B, n, n) images, enlarged to n x n, and say which pixels lie inside."""
    n = images.shape[-1]
    y, y_inside = _interpolate(windows[:, 0], windows[:, 1], n)
    x, x_inside = _interpolate(windows[:, 2], windows[:, 3], n)
    cut: FloatArray = np.matmul(np.matmul(y, images), x.transpose(0, 2, 1))
    return cut, y_inside[:, :, None] * x_inside[:, None, :]


def _interpolate(low: FloatArray, high: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Build (B, n, n) matrices of linear interpolation along one axis, and (B, n) what lies inside."""
    shares = (np.arange(n, dtype=np.float32) + 0.5) / n
    places = (low[:, None] + (high - low)[:, None] * shares) * n - 0.5
    inside = (places > -0.75) & (places < n - 0.25)
    # at its rim a photo is blurred with itself, a part of a photo with what lies around it
    rim = n // 32
    inside[:, :rim] = inside[:, n - rim :] = False
    places = np.clip(places, 0, n - 1)
    weights = np.maximum(0, 1 - np.abs(np.arange(n, dtype=np.float32) - places[..., None]))
    return weights.astype(np.float32), inside.astype(np.float32)


def _correlate_detail(moving: FloatArray, fixed: FloatArray, windows: FloatArray) -> FloatArray:
    """Return the (B,) correlation of fine detail inside the windows."""
    cut, inside = _cut(moving, windows)
    cut, fixed = cut - blur(cut, 2.0), fixed - blur(fixed, 2.0)
    weight = inside.sum(axis=(1, 2)) + 1e-6
    a = (cut - ((cut * inside).sum(axis=(1, 2)) / weight)[:, None, None]) * inside
    b = (fixed - ((fixed * inside).sum(axis=(1, 2)) / weight)[:, None, None]) * inside
    power = (a * a).sum(axis=(1, 2)) * (b * b).sum(axis=(1, 2))
    correlation = (a * b).sum(axis=(1, 2)) / np.sqrt(power + 1e-6)
    enough = weight >= _MIN_OVERLAP * fixed.shape[1] * fixed.shape[2]
    result: FloatArray = np.where(enough, correlation, 0).astype(np.float32)
    return result


def _measure_worst_spot(moving: FloatArray, fixed: FloatArray, windows: FloatArray) -> FloatArray:
    """Return the (B,) largest local mean of the squared difference of standardised detail."""
    cut, inside = _cut(moving, windows)
    a, b = (cut - blur(cut, 2.0)) * inside, (fixed - blur(fixed, 2.0)) * inside
    a /= np.sqrt((a * a).mean(axis=(1, 2), keepdims=True) + 1e-6)
    b /= np.sqrt((b * b).mean(axis=(1, 2), keepdims=True) + 1e-6)
    worst: FloatArray = blur((a - b) ** 2, 3.0).max(axis=(1, 2))
    return worst


def _measure_colour_gap(first: UInt8Array, second: UInt8Array, windows: FloatArray) -> FloatArray:
    """Return the (B,) mean difference of the colour maps after alignment, in levels of 0 to 255.

    More light makes colours stronger by the same factor; it is fitted, within a third either way.
    """
    a, b = _get_colours(first).astype(np.float32) - 128, _get_colours(second).astype(np.float32) - 128
    cut = np.stack([_cut(a[:, plane], windows)[0] for plane in range(2)], axis=1)
    inside = _cut(a[:, 0], windows)[1][:, None]
    cut, b = cut * inside, b * inside
    gain = (cut * b).sum(axis=(1, 2, 3)) / ((cut * cut).sum(axis=(1, 2, 3)) + 1e-6)
    gain = np.where((cut * cut).mean(axis=(1, 2, 3)) < 1, 1, np.clip(gain, 0.75, 1.33))
    gap = np.abs(cut * gain[:, None, None, None] - b).sum(axis=(1, 2, 3))
    result: FloatArray = gap / (2 * inside.sum(axis=(1, 2, 3)) + 1e-6)
    return result
