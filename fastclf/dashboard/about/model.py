"""What the About tab knows and decides, without a widget: the figures to say, and the cell that is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import traitlets

from ...card import clean
from ...errors import Message, join_messages
from ...model import ModelBundle
from ...photos import VALID
from ...system import start_thread
from ..widgets import Status, say_fault

if TYPE_CHECKING:
    from .photos import ValidationPhotos

# more classes than these make no table that anybody reads on a phone
MOST_CLASSES = 30
PAGE = 24
Tell = Callable[[Message], None]


def scale_share(share: float, n: int) -> tuple[int, int]:
    """Return a share as "98 of 100"; neither all nor none unless it is exactly that.

    Examples
    --------
    >>> scale_share(0.976, 208), scale_share(0.9, 30), scale_share(0.9981, 5000)
    ((98, 100), (27, 30), (998, 1000))
    """
    right = round(share * n)
    if n < 100:
        return right, n
    for of in (100, 1000):
        scaled = round(share * of)
        if (scaled < of or right == n) and (scaled > 0 or right == 0):
            return scaled, of
    return right, n


@dataclass(frozen=True)
class ConfusionTable:
    """Which class was called what: of K classes, those that are shown."""

    names: tuple[str, ...]  # (K,) as they are shown
    counts: tuple[tuple[int, ...], ...]  # (K, K) photos: a row what they show, a column what the model said
    totals: tuple[int, ...]  # (K,) all judged photos of each row, answers that are not shown included
    labels: tuple[str, ...]  # (K,) as the model's files name them
    classes: int  # how many the model has
    part: str  # "valid" or "test": the photos that were judged
    n: int  # how many these were

    def find_worst(self) -> list[tuple[int, int]]:
        """Return (row, column) of the most frequent mix-ups, which are equally frequent; maybe none."""
        k = range(len(self.names))
        cells = [(row, column) for row in k for column in k if row != column]
        most = max((self.counts[row][column] for row, column in cells), default=0)
        return [(row, column) for row, column in cells if self.counts[row][column] == most > 0]


def find_confusion(manifest: dict[str, Any]) -> ConfusionTable | None:
    """Return the table of the validation photos, else of the opened test photos, or None.

    Of more than `MOST_CLASSES` classes those that are mixed up most are shown.
    """
    vocab, metrics = list(manifest["vocab"]), manifest.get("metrics") or {}
    for part in (VALID, "test"):
        m = metrics.get(part) or {}
        matrix = m.get("confusion")
        if matrix and len(matrix) == len(vocab) and all(len(row) == len(vocab) for row in matrix):
            shown = _find_most_mixed(matrix)
            return ConfusionTable(
                names=tuple(clean(vocab[k]) for k in shown),
                counts=tuple(tuple(int(matrix[row][column]) for column in shown) for row in shown),
                totals=tuple(int(sum(matrix[k])) for k in shown),
                labels=tuple(vocab[k] for k in shown),
                classes=len(vocab),
                part=part,
                n=int(m["n"]),
            )
    return None


def _find_most_mixed(matrix: Sequence[Sequence[int]]) -> list[int]:
    k = range(len(matrix))
    wrong = [sum(matrix[i]) + sum(row[i] for row in matrix) - 2 * matrix[i][i] for i in k]
    return sorted(sorted(k, key=lambda i: (-wrong[i], i))[:MOST_CLASSES])


@dataclass(frozen=True)
class CellPhoto:
    """A photo behind a cell."""

    key: int  # names it for `ValidationPhotos.read_thumbnail`
    name: str  # relative path; not escaped
    answer: str  # what the model says of it
    probability: float  # of that answer
    today: str = ""  # its current label where an edit changed it
    removed: bool = False  # whether an edit took it out


@dataclass(frozen=True)
class FoundPhotos:
    """The photos behind a cell, as far as they may be shown, the surest answer first."""

    photos: tuple[CellPhoto, ...] = ()
    gone: int = 0  # photos of the row's class that are no longer in the folder
    sealed: int = 0  # photos of the row's class that belong to the sealed test set by now


_NOTHING = FoundPhotos()


class CellModel(traitlets.HasTraits):
    """The cell that an owner has opened, and the photos behind it; a visitor has none."""

    status = traitlets.UseEnum(Status, Status.EMPTY)
    revision = traitlets.Int(0)

    def __init__(self, bundle: ModelBundle, table: ConfusionTable, photos: ValidationPhotos | None) -> None:
        super().__init__()
        self.table, self.photos = table, photos
        self.cell: tuple[int, int] | None = None
        self.found = _NOTHING
        self.note = ""
        self.limit = PAGE
        self.done = threading.Event()
        self._bundle = bundle
        self._lock = threading.RLock()
        self._number = 0

    @property
    def shown(self) -> tuple[CellPhoto, ...]:
        """The photos that are shown by now."""
        return self.found.photos[: self.limit]

    @property
    def words(self) -> str:
        """What the photos of the open cell are."""
        row, column = self.cell or (0, 0)
        label, answer = self.table.labels[row], self.table.labels[column]
        if label == answer:
            return Message("Photos of {label} that were recognised.", label=label)
        return Message("Photos of {label} that were called {answer}.", label=label, answer=answer)

    def open(self, row: int, column: int) -> None:
        """Look for the photos behind a cell, in the background; what was open before is closed."""
        k = range(len(self.table.names))
        if self.photos is None or self.table.part != VALID or row not in k or column not in k:
            return
        self.done.clear()
        with self._lock:
            self._number += 1
            number = self._number
            self.cell, self.found, self.limit = (row, column), _NOTHING, PAGE
            self._show(Status.BUSY, Message("Looking for the photos ..."))
        start_thread(self._find, number, row, column, self.photos)

    def show_more(self) -> None:
        """Show as many photos again."""
        if self.limit < len(self.found.photos):
            self.limit += PAGE
            self._show(self.status, self.note)

    def close(self) -> None:
        """Close the cell; what is still looked for is not shown."""
        with self._lock:
            self._number += 1
            self.cell, self.found = None, _NOTHING
            self._show(Status.EMPTY)

    def _find(self, number: int, row: int, column: int, photos: ValidationPhotos) -> None:
        try:
            photos.prepare(self._bundle, self._tell)
            found = photos.find(self.table.labels[row], self.table.labels[column])
            self._finish(number, Status.DONE, _describe(found, self.table.counts[row][column]), found)
        except Exception as e:
            words = Message("Something went wrong while looking for the photos. Close this and try again.")
            self._finish(number, Status.ERROR, say_fault(e, words))

    def _tell(self, words: Message) -> None:
        # the work may have begun for a cell that was closed meanwhile; the open one waits for it as well
        with self._lock:
            if self.status is Status.BUSY:
                self._show(Status.BUSY, words)

    def _finish(self, number: int, status: Status, note: str, found: FoundPhotos = _NOTHING) -> None:
        with self._lock:
            if number == self._number:
                self.found = found
                self._show(status, note)
                self.done.set()

    def _show(self, status: Status, note: str = "") -> None:
        self.status, self.note = status, note
        self.revision += 1


def _describe(found: FoundPhotos, counted: int) -> Message:
    """Say why there are not as many photos as the cell counts."""
    n = len(found.photos)
    if n == counted:
        return Message("")
    notes = [Message("Counted when the model was judged: {of}. Found today: {n}.", of=counted, n=n)]
    if found.gone and n < counted:
        notes.append(Message("Some of its validation photos are no longer in the folder."))
    if found.sealed and n < counted:
        notes.append(Message("Photos that belong to the sealed test set by now are not shown."))
    return join_messages(notes)
