"""Answers about photos: in words that are honest about doubt, as cards and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...system import clean_text, defuse_formula
from ..texts import say, translate
from ..widgets import say_share

if TYPE_CHECKING:
    from ...model import Prediction

TOP_K = 5
SURE, FAIR = 0.9, 0.6
_MOST_LABEL = 255
_MOST_NAMED = 3  # classes of a set in one line


@dataclass(frozen=True)
class Answer:
    """One photo's card."""

    key: int  # the card's number in this session
    name: str  # the file's, as its owner sent it; not escaped
    thumbnail: bytes | None  # JPEG; None where the photo could not be read
    prediction: Prediction  # the answer, or the sentence why there is none
    photo: bytes | None = None  # what is kept for asking why and for reporting: the bytes of a file
    batch: int = 0  # which upload it came with, and its place there
    order: int = 0

    @property
    def words(self) -> str:
        """The answer in words, not escaped."""
        return describe(self.prediction)


def describe(prediction: Prediction) -> str:
    """Say a prediction in words that are honest about doubt.

    Examples
    --------
    >>> from fastclf import Prediction
    >>> describe(Prediction("a.jpg", "grizzly", 0.94, {"grizzly": 0.94, "black": 0.06}, False, 0.1))
    'grizzly, 94 %'
    """
    if prediction.error is not None or prediction.probability is None:
        return translate(prediction.error or "")
    label, share = clean_text(prediction.label, _MOST_LABEL), say_share(prediction.probability)
    level = find_level(prediction)
    if level == "unfamiliar":
        return say(
            "Unlike the photos this model learned from (closest: {label}, {share})", label=label, share=share
        )
    if level == "sure":
        return say("{label}, {share}", label=label, share=share)
    if 2 <= len(prediction.label_set or []) <= _MOST_NAMED:
        return _describe_set(prediction)
    if level == "probable":
        return say("probably {label}, {share}", label=label, share=share)
    return say("not sure; perhaps {label}, {share}", label=label, share=share)


def _describe_set(prediction: Prediction) -> str:
    """Name the classes one of which is right, where one is not enough."""
    share = say_share(prediction.set_coverage or 0)
    a, b, *more = (clean_text(label, _MOST_LABEL) for label in prediction.label_set or [])
    if more:
        return say("{a}, {b} or {c}, {share}", a=a, b=b, c=more[0], share=share)
    return say("{a} or {b}, {share}", a=a, b=b, share=share)


def find_level(prediction: Prediction) -> str:
    """Return "failed", "unfamiliar", "sure", "probable" or "unsure"."""
    if prediction.error is not None or prediction.probability is None:
        return "failed"
    if prediction.unfamiliar:
        return "unfamiliar"
    if prediction.probability >= SURE:
        return "sure"
    return "probable" if prediction.probability >= FAIR else "unsure"


def build_card(answer: Answer) -> dict[str, Any]:
    """Return one card as JSON; names and labels go out as they are and are never read as HTML."""
    probs = answer.prediction.probs or {}
    shown = [(clean_text(label, _MOST_LABEL), p) for label, p in list(probs.items())[:TOP_K]]
    return {
        "key": answer.key,
        "batch": answer.batch,
        "order": answer.order,
        "name": answer.name,
        "words": answer.words,
        "level": find_level(answer.prediction),
        "label": answer.prediction.label,
        "bars": [[label, p, translate(say_share(p))] for label, p in shown],
        "more": max(0, len(probs) - TOP_K),
    }


def build_table(answers: Sequence[Answer]) -> bytes:
    """Return the session's answers as CSV (UTF-8 with a mark, which spreadsheets need), a row a photo.

    Each class that one of them tells has a column of probabilities.
    """
    labels = list(dict.fromkeys(label for a in answers for label in sorted(a.prediction.probs or ())))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(defuse_formula, ["file", "label", "probability", "unfamiliar", "error", *labels]))
    for answer in answers:
        p = answer.prediction
        unfamiliar = "" if p.unfamiliar is None else str(p.unfamiliar).lower()
        shares = [_write((p.probs or {}).get(label)) for label in labels]
        row = [answer.name, p.label or "", _write(p.probability), unfamiliar, p.error or "", *shares]
        writer.writerow(map(defuse_formula, row))
    return text.getvalue().encode("utf-8-sig")


def _write(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
