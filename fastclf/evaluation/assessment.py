"""What a model's answers are worth, part by part: metrics, the worst losses, false alarms, foreign photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import PhotosError
from ..metrics import compute_confusion, compute_metrics, wilson_interval
from ..model import ModelBundle, Predictor
from ..photos import TEST, VALID, Photo, Progress
from .ood_photos import ForeignPhotos, judge_foreign
from .predict_many import Asked, ask

Array = npt.NDArray[Any]

_MOST_LOSSES = 12


class Assessment:
    """One judging: the parts are answered one after the other, and what was found is kept.

    Parameters
    ----------
    bundle
        The model.
    parts
        {part: photos} that are to be judged.

    Attributes
    ----------
    bundle
        The model, as of the last thing that was recorded in it.
    photos, metrics, confusion, top_losses
        By part; of the photos that could be read.
    failures
        (file, reason) of the others.
    foreign
        What was found about foreign photos, if there were any.
    """

    def __init__(self, bundle: ModelBundle, parts: dict[str, list[Photo]]) -> None:
        self.bundle = bundle
        self.photos: dict[str, list[Photo]] = {}
        self.metrics: dict[str, dict[str, Any]] = {}
        self.confusion: dict[str, list[list[int]]] = {}
        self.top_losses: dict[str, list[dict[str, Any]]] = {}
        self.failures: list[tuple[str, str]] = []
        self.foreign: dict[str, Any] | None = None
        self._asked: dict[str, Asked] = {}
        # from which probability on it is sure was found on validation photos; others are held to that
        sure = (bundle.manifest["metrics"].get("valid") or {}).get("sure") or {}
        self._sure_threshold: float | None = sure.get("threshold")
        with Predictor(bundle) as predictor:
            for part, photos in parts.items():
                self._judge(predictor, part, photos)

    def _judge(self, predictor: Predictor, part: str, photos: Sequence[Photo]) -> None:
        asked = ask(predictor, [p.path for p in photos])
        self.failures += [(photos[row].name, reason) for row, reason in asked.failures]
        there, vocab = [photos[row] for row in asked.rows], predictor.vocab
        if not there:
            return
        targets = np.array([vocab.index(p.label) for p in there])
        threshold = None if part == VALID else self._sure_threshold
        self.photos[part], self._asked[part] = there, asked
        self.metrics[part] = compute_metrics(asked.probs, targets, vocab, asked.raw, sure_threshold=threshold)
        self.confusion[part] = compute_confusion(asked.probs.argmax(1), targets, len(vocab)).tolist()
        self.top_losses[part] = _find_top_losses(there, asked, targets, vocab)

    def find_false_alarms(self, part: str) -> dict[str, Any] | None:
        """Return how many photos of a part are called unfamiliar."""
        scores, detector = self._asked[part].scores, self.bundle.detector
        if scores is None or detector is None:
            return None
        alarms, n = int(detector.is_unfamiliar(scores).sum()), len(scores)
        return {"n": n, "rate": alarms / n, "interval": list(wilson_interval(alarms, n))}

    def judge_strangers(self, strangers: ForeignPhotos, progress: Progress | None) -> None:
        """Compare foreign photos with the test photos if they were opened, else with validation photos."""
        part = TEST if TEST in self._asked else VALID
        scores = self._asked[part].scores if part in self._asked else None
        if scores is None:
            raise PhotosError("No validation photo could be read, so foreign photos cannot be compared.")
        with Predictor(self.bundle) as predictor:
            entry, failures = judge_foreign(predictor, strangers, scores, part, progress)
        self.bundle = self.bundle.record_foreign(entry)
        self.failures += failures
        self.foreign = {**entry, "known": strangers.known}


def _find_top_losses(
    photos: Sequence[Photo], asked: Asked, targets: Array, vocab: Sequence[str]
) -> list[dict[str, Any]]:
    losses = -np.log(np.clip(asked.probs[np.arange(len(targets)), targets], 1e-12, 1))
    answers = asked.probs.argmax(1)
    return [
        {
            "file": photos[i].name,
            "label": photos[i].label,
            "answer": vocab[answers[i]],
            "loss": float(losses[i]),
            "probability": float(asked.probs[i].max()),
        }
        for i in np.argsort(-losses, kind="stable")[:_MOST_LOSSES]
    ]
