"""Temperature scaling: make 90 % mean right nine times out of ten."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .scores import compute_log_loss, compute_softmax

_PARTS = 10
_TEMPERATURES = np.exp(np.linspace(np.log(0.1), np.log(10), 401))


def fit_temperature(logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    """Find the temperature T for which softmax(logits / T) has the least log loss.

    A weak pull towards 1 (worth one photo) keeps a model that makes no mistake on its few validation
    photos from being called certain of everything.

    Parameters
    ----------
    logits
        (N, K), of photos that the model was not trained on.
    targets
        (N,) indices of the true classes.

    Returns
    -------
    float
        Above 1 where the model is too sure.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[8.0, 0.0], [8.0, 0.0], [0.0, 8.0], [0.0, 8.0]])
    >>> fit_temperature(logits, np.array([0, 1, 1, 1])) > 2
    True
    """
    if not len(targets):
        return 1.0
    losses = [
        len(targets) * compute_log_loss(compute_softmax(logits, t), targets) + np.log(t) ** 2
        for t in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def choose_temperature(logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    """Return the fitted temperature where it also helps photos that it was not fitted on, else 1.

    Each tenth of the photos is judged by the temperature of the others: scaling stays where their log loss is
    less than without. The (N, K) logits and (N,) indices are as for `fit_temperature`.
    """
    parts = np.arange(len(targets)) % _PARTS
    scaled = unscaled = 0.0
    for part in range(min(_PARTS, len(targets))):
        held = parts == part
        temperature = fit_temperature(logits[~held], targets[~held])
        scaled += held.sum() * compute_log_loss(compute_softmax(logits[held], temperature), targets[held])
        unscaled += held.sum() * compute_log_loss(compute_softmax(logits[held]), targets[held])
    return fit_temperature(logits, targets) if scaled < unscaled else 1.0
