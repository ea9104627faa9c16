"""How photos of a class are told that the model never learned: by leaving classes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..evaluation import Answers
from ..metrics import compute_auroc, wilson_interval
from ..model import JointDetector
from .linear import fit_head

Array = npt.NDArray[Any]

# So many times a part of the classes is left out; no more photos are learned from then, or asked about.
_PARTS, _MOST = 3, 1000


def measure_left_out(train: Answers, valid: Answers, C: float) -> dict[str, Any] | None:  # noqa: N803
    """Return how photos of classes that were left out are told from those of the others.

    Each third of the classes is left out in turn: a head and a detector learn the others, and
    all photos of what was left out are asked about.

    Parameters
    ----------
    train, valid
        What the head learned from and is judged on; their features are of a body that learned neither.
    C
        The head's regularisation.

    Returns
    -------
    As `Ood.left_out`; None where fewer than three classes are there, or one has no validation photo.
    """
    classes = np.unique(train.targets)
    if len(classes) < 3 or len(np.unique(valid.targets)) < len(classes):
        return None
    found = [_leave_out(train, valid, classes[part::_PARTS], C) for part in range(min(_PARTS, len(classes)))]
    n, flagged = sum(f["n"] for f in found), sum(f["flagged"] for f in found)
    return {
        "n": n,
        "auroc": float(np.average([f["auroc"] for f in found], weights=[f["n"] for f in found])),
        "flagged": flagged / n,
        "flagged_interval": list(wilson_interval(flagged, n)),
    }


def _leave_out(train: Answers, valid: Answers, classes: Array, C: float) -> dict[str, Any]:  # noqa: N803
    out, out_valid = (np.isin(part.targets, classes) for part in (train, valid))
    rows = np.flatnonzero(~out)
    rows = rows[:: max(1, -(-len(rows) // _MOST))]
    targets = np.unique(train.targets[rows], return_inverse=True)[1]
    head = fit_head(train.features[rows], targets, C, exactly=False)
    inside = valid.features[~out_valid]
    detector = JointDetector.fit(train.features[rows], inside, targets, (head.weight, head.bias))
    asked = detector.ood_score(np.concatenate([train.features[out], valid.features[out_valid]])[:_MOST])
    return {
        "n": len(asked),
        "auroc": compute_auroc(detector.ood_score(inside), asked),
        "flagged": int(detector.is_unfamiliar(asked).sum()),
    }
