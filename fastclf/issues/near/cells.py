"""Regions of very many feature vectors, so that each is compared with its surroundings instead of with all.

An inverted file (Jégou, Douze and Schmid, "Product Quantization", TPAMI 2011): what lies near one of some
centres is compared with what lies near the centres next to it. A neighbour may be missed, hardly one that is
much the same vector.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .hashes import FloatArray, IntArray

# Chosen by hand: among 12,000 drawn vectors nine in ten of the true five nearest are found, and 999 of 1,000
# copies (benchmarks/scale.md).
_CENTRES = 2.0  # times the square root of the number of vectors
_AROUND = 24  # cells that are looked through for the vectors of one
_ROUNDS = 2
_ROWS = 4096


def list_surroundings(unit: FloatArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield positions of some of the (N, D) unit vectors, each once, and of all that lie around them."""
    centres = _find_centres(unit, round(_CENTRES * np.sqrt(len(unit))))
    cell = _assign(unit, centres)
    order = np.argsort(cell, kind="stable")
    members = np.split(order, np.searchsorted(cell[order], np.arange(1, len(centres))))
    nearest = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :_AROUND]
    for rows, around in zip(members, nearest, strict=True):
        if len(rows):
            yield rows, np.sort(np.concatenate([members[number] for number in around]))


def _find_centres(unit: FloatArray, n: int) -> FloatArray:
    """Return (n, D) centres: vectors that stand evenly apart in the order, moved to the middle of theirs."""
    centres = unit[np.linspace(0, len(unit) - 1, n).astype(np.intp)].copy()
    for _ in range(_ROUNDS):
        cell = _assign(unit, centres)
        sums = np.zeros_like(centres)
        for start in range(0, len(unit), _ROWS):
            np.add.at(sums, cell[start : start + _ROWS], unit[start : start + _ROWS])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres).astype(np.float32)
    return centres


def _assign(unit: FloatArray, centres: FloatArray) -> IntArray:
    """Return (N,) numbers of the nearest centres."""
    parts = (unit[start : start + _ROWS] @ centres.T for start in range(0, len(unit), _ROWS))
    return np.concatenate([part.argmax(axis=1) for part in parts])
