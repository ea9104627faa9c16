"""How long training all layers would take here, told by a few runs of the frozen network."""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from ..backbone import Backbone
from ..model import open_session

_RUNS = 5
# A photo takes so many times as long in an epoch, decoded, changed and judged, as in a run of the frozen
# network (benchmarks/README.md, "fine_tuning").
_A_STEP = 20


def estimate_fine_tuning(body: Backbone, photos: int, epochs: int) -> float:
    """Return the minutes that so many epochs of all layers would take on this machine's CPU.

    Parameters
    ----------
    body
        The frozen network.
    photos
        How many would be learned from.
    epochs
        How often.
    """
    session = open_session(body.graph)
    photo = np.zeros((1, *body.preprocess.input_size), np.float32)
    took = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        session.run(["features"], {"image": photo})
        took.append(time.perf_counter() - started)
    return median(took) * _A_STEP * photos * epochs / 60
