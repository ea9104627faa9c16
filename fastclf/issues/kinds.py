"""The kinds of doubt that a check knows; each stands in a file of this room, in its ``KINDS``."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import Message
from .form import FindingForm

if TYPE_CHECKING:
    from ..photos import Photo
    from .labels import LabelIssues
    from .near import Copies
    from .quality import Quality

Today = Mapping[str, tuple[str, str]]
"""{file: (label, split or "")} of the photos that are still in the set, some edits after the check."""


@dataclass(frozen=True)
class Finding:
    """One doubt.

    Attributes
    ----------
    files, labels
        The photos, relative to the folder, and their labels at the time; of copies the best one first. A
        finding about a whole class has no file and one label.
    score
        How doubtful that is, in [0, 1]; high is doubtful.
    words
        What is wrong, as a clause; of copies what the others are to the first.
    facts
        The row of the JSON document.
    suggested
        A label that fits better.
    """

    files: tuple[str, ...]
    labels: tuple[str, ...]
    score: float
    words: Message
    facts: Mapping[str, Any]
    suggested: str | None = None

    @cached_property
    def places(self) -> dict[str, int]:
        """{file: its position}."""
        return {file: place for place, file in enumerate(self.files)}

    @classmethod
    def of_photo(cls, photo: Photo, score: float, words: Message, /, **facts: object) -> Finding:
        """Return a finding about one photo; `facts` are all but its name."""
        row = {"file": photo.name, **facts}
        return cls((photo.name,), (photo.label,), score=score, words=words, facts=row)


@dataclass(frozen=True)
class CheckedPhotos:
    """What is known of N photos, for the kinds to look through.

    Attributes
    ----------
    photos
        (N,) readable ones.
    failures
        (file, reason) of the others.
    classes
        {label: number of photos}, empty class folders too.
    copies
        Which of them are copies of which.
    is_open
        (N,) whether an answer about it may be shown: it is no sealed test photo, and no copy of one.
    features
        (N, D) with NaN rows where there are none; D may be 0.
    measures
        {sha256: what was measured on it}.
    label_issues
        Whose labels are doubtful, of the `usable` ones; None where that was not asked.
    """

    photos: Sequence[Photo]
    failures: Sequence[tuple[str, str]]
    classes: Mapping[str, int]
    copies: Copies
    is_open: npt.NDArray[np.bool_]
    features: npt.NDArray[Any]
    measures: Mapping[str, Quality] = field(default_factory=dict)
    label_issues: LabelIssues | None = None

    @property
    def usable(self) -> npt.NDArray[np.intp]:
        """Positions of the open photos with features."""
        has_features = np.isfinite(self.features).all(1) & bool(self.features.shape[1])
        return np.flatnonzero(self.is_open & has_features)


@dataclass(frozen=True)
class IssueKind:
    """A kind of doubt.

    Attributes
    ----------
    key
        Names it on the page.
    table
        Names its table in the JSON document.
    title
        Heads its findings in the report and on the page.
    order
        Kinds are shown from small to large.
    find
        Returns its findings, the worst first; None where it was not looked for.
    form
        What each of its findings looks like; one that was kept and looks otherwise is not believed.
    badge
        A word or two for a photo with this doubt; None for a doubt about whole classes.
    measure
        Which fact says how sure it is, to be shown beside the words; or "".
    needs_open
        Whether it follows from an answer or from features, so that it must not be told of sealed photos.
    describe
        What is wrong with one of a finding's photos today, None where the doubt no longer holds; by default
        the finding's words.
    """

    key: str
    table: str
    title: Message
    order: int
    find: Callable[[CheckedPhotos], Iterable[Finding] | None]
    form: FindingForm
    badge: Message | None = None
    measure: str = ""
    needs_open: bool = False
    describe: Callable[[Finding, str, Today], Message | None] = lambda finding, name, today: finding.words


@lru_cache(maxsize=1)
def list_kinds() -> tuple[IssueKind, ...]:
    """Return the kinds of all files of this room, in the order in which they are shown."""
    room = import_module(__package__)
    names = [module.name for module in pkgutil.iter_modules(room.__path__) if not module.ispkg]
    modules = (import_module(f"{__package__}.{name}") for name in names)
    kinds: list[IssueKind] = [kind for module in modules for kind in getattr(module, "KINDS", ())]
    return tuple(sorted(kinds, key=lambda kind: kind.order))
