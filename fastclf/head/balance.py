"""Classes of very different size: from when on that is evened out, and what evens the answers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .linear import LinearHead

AUTO, ON, OFF = "auto", "on", "off"
BALANCES = (AUTO, ON, OFF)
"""What `--balance` can be: `AUTO` evens out from three times as many photos on."""

_FROM_TIMES = 3


def find_shift(targets: npt.NDArray[Any], balance: str) -> npt.NDArray[np.float64] | None:
    """Return what to add to the (K,) biases so that rare classes count as much as frequent ones.

    A head that is fitted on few photos of a class calls new photos of it something else too often, by more
    than the class is rare. Without the logarithm of a class's share in its logit, photos of all classes are
    expected alike. On clothing with 7, 20 and 70 photos a class that was better than weights in the loss
    (benchmarks/README.md, "Balance").

    Parameters
    ----------
    targets
        (N,) indices 0 to K - 1 of the training photos' classes, each at least once.
    balance
        One of `BALANCES`; what a stranger's model says instead is taken for "off".

    Returns
    -------
    (K,) of mean 0, or None where nothing is to be evened out.

    References
    ----------
    Menon et al., "Long-tail Learning via Logit Adjustment", ICLR 2021.

    Examples
    --------
    >>> find_shift(np.array([0, 0, 0, 0, 1]), "auto").round(2).tolist()
    [-0.69, 0.69]
    """
    counts = np.bincount(targets).astype(float)
    if balance != ON and (balance != AUTO or counts.max() < _FROM_TIMES * counts.min()):
        return None
    logs = np.log(counts)
    return np.asarray(logs.mean() - logs)


def even_out(head: LinearHead, targets: npt.NDArray[Any], balance: str) -> LinearHead:
    """Return the head with biases that even out its (N,) training photos, where they are to be."""
    shift = find_shift(targets, balance)
    return head if shift is None else replace(head, bias=(head.bias + shift).astype(np.float32))


def describe_balance(targets: npt.NDArray[Any], vocab: Sequence[str]) -> str:
    """Say that the answers were evened out, and for which classes that matters most."""
    counts = np.bincount(targets, minlength=len(vocab))
    most, least = int(counts.argmax()), int(counts.argmin())
    return (
        f"Balance: {vocab[most]} has {counts[most]} training photos, {vocab[least]} {counts[least]}; the "
        "answers are evened out, so that a rare class is not overlooked (--balance off leaves them)."
    )
