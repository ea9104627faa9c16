"""What the cleaner shows and decides: photos, reasons, decisions, and who keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...issues import list_kinds
from ...refit import ChangedPhoto

KINDS = ("report", *(kind.key for kind in list_kinds() if kind.badge))
ACTIONS = ("relabel", "remove", "restore")


@dataclass(frozen=True)
class Reason:
    """Why a photo is in the queue.

    Attributes
    ----------
    kind
        One of `KINDS`, or another that has no view of its own.
    text
        Words for people in English, best a phrase; not escaped: "the model says dress, 97 %".
    doubt
        0 to 1; 1 is most doubtful.
    suggested
        A label to give.
    group
        What the members of one group of copies share.
    best
        Whether this is the copy to keep of that group.
    """

    kind: str
    text: str
    doubt: float
    suggested: str | None = None
    group: int | None = None
    best: bool = False


@dataclass(frozen=True)
class ReviewItem:
    """One photo of the set, with the edits of today; or one that a visitor reported.

    Attributes
    ----------
    key
        Stable id of the photo.
    fn
        The file.
    name
        Relative path, not escaped.
    label
        Label of today.
    split
        "train", "valid", "test" or "".
    removed
        Whether an edit took it out of the set.
    answer
        The model's answer; None where it is sealed or unknown.
    probability
        Probability of that answer.
    reasons
        Why it should be looked at.
    report
        Whether it is a visitor's report: not in the set, without a label. A relabel takes it into the set,
        a removal dismisses it.
    noted
        When it was reported.
    """

    key: int
    fn: Path
    name: str
    label: str
    split: str
    removed: bool = False
    answer: str | None = None
    probability: float | None = None
    reasons: tuple[Reason, ...] = ()
    report: bool = False
    noted: str = ""

    @property
    def doubt(self) -> float:
        """The largest doubt of all reasons; 0 without any."""
        return max((reason.doubt for reason in self.reasons), default=0.0)

    @property
    def classes(self) -> set[str]:
        """The classes under which it is looked for; a report has those that were answered and claimed."""
        if not self.report:
            return {self.label}
        return {label for label in (self.answer, *(r.suggested for r in self.reasons)) if label}


@dataclass(frozen=True)
class Decision:
    """What a person decided for a photo.

    Attributes
    ----------
    key
        The photo's id.
    action
        One of `ACTIONS`.
    label
        The new label, for "relabel".
    why
        The doubt that led to it, in words.
    """

    key: int
    action: str
    label: str | None = None
    why: str = ""


class ReviewStore(Protocol):
    """Keeps the photos and the edits. What it says is English, best a phrase.

    Attributes
    ----------
    vocab
        The classes.
    has_inbox
        Whether visitors can report photos.
    """

    vocab: list[str]
    has_inbox: bool

    def load_items(self) -> list[ReviewItem]:
        """Return all photos; tens of thousands are normal."""
        ...

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return a JPEG, or None without one; may raise a FastclfError that says why there is none."""
        ...

    def apply(self, decisions: Sequence[Decision]) -> str:
        """Store decisions as one step, all or none; return words of what was done."""
        ...

    def undo(self) -> str | None:
        """Undo the last stored step; return words, None when nothing is left."""
        ...

    def redo(self) -> str | None:
        """Store the last undone step again; return words, None when nothing is left."""
        ...

    def export_edits(self) -> bytes:
        """Return the edits as CSV."""
        ...


@dataclass(frozen=True)
class RetrainResult:
    """A new model beside the old one, judged on the same validation photos with today's labels.

    Attributes
    ----------
    before, after
        Accuracy of the old and of the new model, 0 to 1.
    n
        Number of those photos.
    changed
        Photos whose answer changed between right and wrong.
    seconds
        How long it took.
    notes
        Sentences to show beside it.
    """

    before: float
    after: float
    n: int
    changed: tuple[ChangedPhoto, ...]
    seconds: float
    notes: tuple[str, ...]


class Retrainer(Protocol):
    """Makes a new model of today's labels."""

    def retrain(self) -> RetrainResult:
        """Train and judge the new model; blocks; may raise a FastclfError."""
        ...

    def use_new(self) -> str:
        """Put the new model in the old one's place; return words of what was done."""
        ...

    def keep_old(self) -> str:
        """Forget the new model; return words of what was done."""
        ...
