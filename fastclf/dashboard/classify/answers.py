"""Answers about photos: in words that are honest about doubt, as cards and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...system import clean_text, defuse_formula
from ..texts import name_class, say, translate
from ..widgets import say_share

if TYPE_CHECKING:
    from ...model import Manifest, Prediction

TOP_K = 5
# from where on answers are called sure where nobody measured it; and from where on they are probable
SURE, FAIR = 0.9, 0.6
_MOST_LABEL = 255
_LEAST_BAR = 0.005  # what is less is "under 1 %"
_MOST_CHOICES = 12
_MOST_NAMED = 3  # classes of a set in one line
COLUMNS = ("file", "label", "probability", "unfamiliar", "error", "correction")


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
    sure: float = SURE  # from which probability on this model's answers are sure
    example: int = 0  # which of the page's examples it is, from 1
    said: Said | None = None  # what its visitor says that it is

    @property
    def words(self) -> str:
        """The answer in words, not escaped."""
        return describe(self.prediction, self.sure)

    @property
    def shown_name(self) -> str:
        """What the photo is called on the page."""
        return say("Example photo {n}", n=self.example) if self.example else self.name


@dataclass(frozen=True)
class Said:
    """A visitor's word about an answer that is wrong; no label is "none of these"."""

    label: str | None

    @property
    def words(self) -> str:
        """The class, or that it is none."""
        return say("none of these") if self.label is None else _say_class(self.label)


def find_sure(manifest: Manifest) -> float:
    """Return from which probability on the card calls answers sure, `SURE` where it was not measured."""
    try:
        found = manifest.metrics.valid["sure"] if manifest.metrics.valid else None
        return SURE if found is None else float(found["threshold"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return SURE  # a model whose figures nobody can read still answers


def describe(prediction: Prediction, sure: float = SURE) -> str:
    """Say a prediction in words that are honest about doubt.

    Parameters
    ----------
    prediction
        The answer.
    sure
        From which probability on answers are sure, see `find_sure`.

    Examples
    --------
    >>> from fastclf import Prediction
    >>> describe(Prediction("a.jpg", "grizzly", 0.94, {"grizzly": 0.94, "black": 0.06}, False, 0.1))
    'grizzly, 94 %'
    """
    if prediction.error is not None or prediction.probability is None:
        return translate(prediction.error or "")
    label, share = _say_class(prediction.label), say_share(prediction.probability)
    level = find_level(prediction, sure)
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
    a, b, *more = map(_say_class, prediction.label_set or [])
    if more:
        return say("{a}, {b} or {c}, {share}", a=a, b=b, c=more[0], share=share)
    return say("{a} or {b}, {share}", a=a, b=b, share=share)


def find_level(prediction: Prediction, sure: float = SURE) -> str:
    """Return "failed", "unfamiliar", "sure", "probable" or "unsure"."""
    if prediction.error is not None or prediction.probability is None:
        return "failed"
    if prediction.unfamiliar:
        return "unfamiliar"
    if prediction.probability >= sure:
        return "sure"
    return "probable" if prediction.probability >= FAIR else "unsure"


def build_card(answer: Answer) -> dict[str, Any]:
    """Return one card as JSON; names and labels go out as they are and are never read as HTML."""
    prediction = answer.prediction
    probs, level = prediction.probs or {}, find_level(prediction, answer.sure)
    shown = [(_say_class(label), p) for label, p in list(probs.items())[: _count_bars(probs)]]
    said = answer.said
    return {
        "key": answer.key,
        "batch": answer.batch,
        "order": answer.order,
        "name": answer.shown_name,
        "example": bool(answer.example),
        "words": answer.words,
        "level": level,
        "label": prediction.label,
        "probability": prediction.probability,
        "unfamiliar": prediction.unfamiliar,
        "bars": [[label, p, translate(say_share(p))] for label, p in shown],
        "more": _say_rest(probs, len(shown)),
        "among": _say_choices(probs) if level in ("probable", "unsure") else "",
        "said": None if said is None else {"label": said.label, "words": said.words},
    }


def _count_bars(probs: Mapping[str, float]) -> int:
    """Return how many bars are worth their place: one alone is never left out."""
    likely = max(1, sum(p >= _LEAST_BAR for p in list(probs.values())[:TOP_K]))
    return len(probs) if len(probs) - likely <= 1 else likely


def _say_rest(probs: Mapping[str, float], shown: int) -> str:
    """Say what stands below the bars of the others, which are several where there are any."""
    rest = list(probs.values())[shown:]
    if not rest:
        return ""
    if rest[0] < _LEAST_BAR:
        return say("{n} more classes, each under 1 %.", n=len(rest))
    return say("{n} more classes are less likely.", n=len(rest))


def _say_choices(probs: Mapping[str, float]) -> str:
    """Say between which classes a doubtful answer was chosen."""
    labels = sorted(_say_class(label) for label in probs)
    named = ", ".join(labels[:_MOST_CHOICES])
    if len(labels) > _MOST_CHOICES:
        named = say("{labels} and {n} more", labels=named, n=len(labels) - _MOST_CHOICES)
    return say("Chosen among {labels}. If it shows something else, the answer is wrong.", labels=named)


def _say_class(label: str | None) -> str:
    """Return a class as the page shows it, no longer than fits."""
    return name_class(label or "", lambda name: clean_text(name, _MOST_LABEL))


def build_table(answers: Sequence[Answer]) -> bytes:
    """Return the session's answers as CSV (UTF-8 with a mark, which spreadsheets need), a row a photo.

    "correction" is what a visitor says that a wrong answer should have been. Each class that one of them
    tells has a column of probabilities.
    """
    labels = list(dict.fromkeys(label for a in answers for label in sorted(a.prediction.probs or ())))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(defuse_formula, [*COLUMNS, *labels]))
    for answer in answers:
        p = answer.prediction
        unfamiliar = "" if p.unfamiliar is None else str(p.unfamiliar).lower()
        shares = [_write((p.probs or {}).get(label)) for label in labels]
        said = (answer.said.label or answer.said.words) if answer.said else ""
        row = [
            answer.shown_name,
            p.label or "",
            _write(p.probability),
            unfamiliar,
            p.error or "",
            said,
            *shares,
        ]
        writer.writerow(map(defuse_formula, row))
    return text.getvalue().encode("utf-8-sig")


def _write(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
