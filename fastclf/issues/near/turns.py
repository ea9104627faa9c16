"""The eight ways to lay a picture down: turned by quarters, mirrored or not; how they follow on each other.

A turn is a number: how many quarters clockwise, and 4 more if the picture is mirrored before that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PLAIN, MIRRORED = 0, 4
N_TURNS = 8


def turn_pixels(pixels: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return (..., n, n) pixels, mirrored and turned."""
    laid = pixels[..., ::-1] if turn >= MIRRORED else pixels
    return np.rot90(laid, -(turn % 4), axes=(-2, -1))


def invert_turn(turn: int) -> int:
    """Return the turn that undoes another."""
    return turn if turn >= MIRRORED else -turn % 4


def follow_turns(first: int, then: int) -> int:
    """Return the one turn that does what two do, one after the other."""
    quarters = then - first if then >= MIRRORED else then + first
    return quarters % 4 + MIRRORED * ((first >= MIRRORED) != (then >= MIRRORED))


def find_degrees(turn: int) -> int:
    """Return by how many degrees clockwise a turn turns."""
    return turn % 4 * 90
