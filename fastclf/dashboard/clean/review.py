"""What the cleaner shows and decides: photos, reasons, decisions, and who keeps them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...head import EarlierModel, Refit, RefitProgress
from ...issues import list_kinds

# what a photo may be that is not in the set
REPORT: str = "report"
NEW: str = "new"
KINDS = (REPORT, NEW, *(kind.key for kind in list_kinds() if kind.badge))
ACTIONS = ("relabel", "remove", "restore")
# beside them a person can say that a photo was looked at and stays as it is, or take a choice back
SKIP, KEEP = "skip", "keep"


@dataclass(frozen=True)
class Reason:
    """Why a photo is in the queue."""

    kind: str  # one of KINDS, or another that has no view of its own
    text: str  # for people, in English, best a message; not escaped: "the model says dress, 97 %"
    doubt: float  # 0 to 1; 1 is most doubtful
    suggested: str | None = None  # a label to give
    group: int | None = None  # what the members of one group of copies share
    best: bool = False  # the copy to keep of that group


@dataclass(frozen=True)
class ReviewItem:
    """One photo of the set, with the edits of today; or one outside: reported, or not labelled yet.

    What is outside has no label: a relabel takes it into the set, a removal dismisses it.
    """

    key: int  # stable
    fn: Path
    name: str  # relative path, not escaped
    label: str
    split: str = ""  # "train", "valid", "test" or ""
    removed: bool = False  # by an edit
    answer: str | None = None  # the model's; None where it is sealed or unknown
    probability: float | None = None
    reasons: tuple[Reason, ...] = ()
    outside: str = ""  # REPORT or NEW
    noted: str = ""  # when it was reported

    @property
    def doubt(self) -> float:
        """The largest doubt of all reasons; 0 without any."""
        return max(reason.doubt for reason in self.reasons) if self.reasons else 0.0

    @property
    def classes(self) -> set[str]:
        """The classes under which it is looked for; outside the set those that were answered and claimed."""
        if not self.outside:
            return {self.label}
        return {label for label in (self.answer, *(r.suggested for r in self.reasons)) if label}


@dataclass(frozen=True)
class Decision:
    """What a person decided for a photo."""

    key: int
    action: str  # one of ACTIONS; or SKIP, which is never applied
    label: str | None = None  # the new one, for "relabel"
    why: str = ""  # the doubt that led to it, in words


@dataclass(frozen=True)
class Waiting:
    """A decision that waits to be applied, and what the photo was when it was made."""

    decision: Decision
    name: str
    label: str
    removed: bool
    time: str  # ISO 8601 in UTC


class ReviewStore(ABC):
    """Keeps the photos and the edits. What it says is English, best a message."""

    vocab: list[str]
    summary: str = ""  # what the order follows, and what is left out
    remarks: Sequence[str] = ()  # what else is to be known about the photos and the order
    new_remarks: Sequence[str] = ()  # what is to be known about those without a label
    wants_retraining = False  # whether so many photos were labelled that a model should learn from them
    has_inbox = False  # whether visitors can report photos
    keeps_drafts = False  # whether decisions that wait outlive the session
    finds_similar = False  # whether it can tell which photos are most alike

    @abstractmethod
    def load_items(self) -> list[ReviewItem]:
        """Return all photos; tens of thousands are normal."""

    @abstractmethod
    def read_thumbnail(self, key: int) -> bytes | None:
        """Return a JPEG, or None without one; may raise a FastclfError that says why there is none."""

    def read_large(self, key: int) -> bytes | None:
        """Return a JPEG to be looked at closely; by default the thumbnail."""
        return self.read_thumbnail(key)

    def find_similar(self, key: int, n: int) -> list[int]:
        """Return the photos of the last `load_items` most like one, the nearest first.

        Called where the store `finds_similar`.

        Raises
        ------
        FastclfError
            If that cannot be told, with the reason.
        """
        raise NotImplementedError

    @abstractmethod
    def apply(self, decisions: Sequence[Decision]) -> str:
        """Store decisions as one step, all or none; return words of what was done."""

    def read_drafts(self) -> list[Waiting]:
        """Return the decisions that an earlier session left waiting, in their order."""
        return []

    def keep_drafts(self, waiting: Sequence[Waiting], dropped: Collection[int]) -> None:
        """Keep decisions that wait, and forget others; called, where it `keeps_drafts`, by a thread."""
        raise NotImplementedError

    def look(self) -> object:
        """Return what differs once somebody else has changed anything; called every few seconds."""
        return None

    def find_news(self) -> str:
        """Return words of what others changed since the last call, "" for nothing."""
        return ""

    def count_steps(self) -> tuple[int, int]:
        """Return how many stored steps can be undone, and how many done again."""
        return 0, 0

    def undo(self) -> str | None:
        """Undo the last stored step; return words, None when nothing is left."""
        return None

    def redo(self) -> str | None:
        """Store the last undone step again; return words, None when nothing is left."""
        return None

    def export_edits(self) -> bytes:
        """Return the edits as CSV."""
        return b""


class Retrainer(Protocol):
    """Makes a new model of current labels."""

    def retrain(self, progress: Callable[[RefitProgress], object]) -> Refit:
        """Train and judge the new model; blocks; may raise a FastclfError.

        What `progress` raises ends it, and nothing is changed.
        """

    def use_new(self) -> str:
        """Put the new model in the old one's place; return words of what was done."""

    def keep_old(self) -> str:
        """Forget the new model; return words of what was done."""

    def list_earlier(self) -> Sequence[EarlierModel]:
        """Return the models that were in use before, the last one first."""

    def use_earlier(self, stamp: str) -> str:
        """Put one of them back into its place; return words of what was done."""
