"""What the Clean tab works on: a folder's catalog, the check of it, and the model to retrain."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..bundle import ModelBundle
from ..catalog import Catalog, Edit, EditRow, count_words
from ..checks.report import CheckReport, Group
from ..errors import FastclfError
from ..examine import examine, find_bundle, find_first_answers
from ..refit import discard_refit, find_obstacle, find_previous, refit, use_refit
from ..splits import TEST
from .models import format_share
from .review import Decision, Reason, RetrainResult, ReviewItem

# How doubtful a photo is for the queue, beside doubtful labels, which are ranked by their quality.
_DOUBT = {
    "conflict": 0.95, "unreadable": 0.9, "leak": 0.85, "duplicate": 0.7, "near-duplicate": 0.6, "odd": 0.5,
    "quality": 0.45,
}  # fmt: skip
_GROUP_WORDS = {
    "bytes": "the same file as {}",
    "pixels": "the same picture as {}",
    "aligned": "nearly the same picture as {}",
    "features": "cut from the same picture as {}",
}
Say = Callable[[str], None]


class CatalogDesk:
    """A ReviewStore over a folder's catalog, and a Retrainer of the model beside it.

    Parameters
    ----------
    folder
        One sub-folder a class.
    model
        Folder of the bundle.
    """

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        self.vocab: list[str] = []
        self.note = ""
        self._report: CheckReport | None = None
        self._catalog: Catalog | None = None
        self._hashes: dict[int, str] = {}
        self._lock = threading.Lock()
        self._stamp: str | None = None

    def open(self, say: Say) -> None:
        """Scan the folder and look for what needs no network: enough to begin with.

        Parameters
        ----------
        say
            Called with words about the progress.

        Raises
        ------
        FastclfError
            If the folder or its catalog cannot be used.
        """
        with self._lock:
            catalog = self._open()
            say("Looking through the photos ...")
            catalog.scan(
                lambda done, n: say(f"Reading photo {done:,} of {n:,} ...") if done % 25 == 0 else None
            )
            nothing = np.zeros((len(catalog.photos().photos), 0), np.float32)
            report = catalog.check(nothing, labels=False)
            bundle = find_bundle(self.model, catalog.photos().photos)
            first = find_first_answers(catalog, bundle) if bundle else {}
            self._report = replace(report, answers=first)
            self.note = catalog.note

    def prepare(self, say: Say) -> None:
        """Check the labels as well, with the best features at hand; takes seconds the first time.

        Parameters
        ----------
        say
            Called with words about the progress.

        Raises
        ------
        FastclfError
            If the folder or its catalog cannot be used.
        """
        with self._lock:
            catalog = self._open()
            bundle = find_bundle(self.model, catalog.photos().photos)
            say("Begin already; doubtful labels are still being looked for ...")
            self._report = examine(
                catalog, bundle, progress=lambda done, n: say(f"Looking at photo {done:,} of {n:,} ...")
            )
            self.note = " ".join([catalog.note, *self._report.notes]).strip()

    def find_obstacle(self) -> str:
        """Return why the model cannot be retrained on these photos, or ""."""
        try:
            bundle = ModelBundle.load(self.model, verify=False)
        except FastclfError as e:
            return str(e)
        obstacle = find_obstacle(bundle)
        if obstacle:
            return obstacle
        if find_bundle(self.model, self._open().photos().photos) is None:
            return "The model was trained on other photos than these, so there is nothing to retrain."
        return ""

    def load_items(self) -> list[ReviewItem]:
        """Return all photos with today's labels and the reasons to look at them."""
        catalog = self._open()
        photos = catalog.photos(removed=True).photos
        self._hashes = {p.id: p.sha256 for p in photos}
        opened = catalog.opened_hashes()
        answers = dict(self._report.answers) if self._report else {}
        for photo in photos:
            # it may have been sealed after it was judged
            if photo.split == TEST and photo.sha256 not in opened:
                answers.pop(photo.name, None)
        items = [
            ReviewItem(p.id, p.path, p.name, p.label, p.split, p.removed, *answers.get(p.name, (None, None)))
            for p in photos
        ]
        items += [
            ReviewItem(f.id, self.folder / f.name, f.name, f.label, "", f.removed)
            for f in catalog.unreadable()
        ]
        self.vocab = sorted({i.label for i in items} | set(self._read_vocab()))
        reasons = self._collect_reasons({i.name: i for i in items if not i.removed})
        return [replace(i, reasons=tuple(reasons.get(i.name, ()))) for i in items]

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return a photo's JPEG, or None."""
        sha256 = self._hashes.get(key)
        return self._open().thumbnail(sha256) if sha256 else None

    def apply(self, decisions: Sequence[Decision]) -> str:
        """Record decisions as one step; returns words."""
        rows = self._open().apply([Edit(d.key, d.action, d.label, d.why) for d in decisions])
        return f"Applied: {count_words(rows)}. No file was changed."

    def undo(self) -> str | None:
        """Take the last recorded step back; returns words, or None if there is none."""
        return _describe_step("Undone", self._open().undo())

    def redo(self) -> str | None:
        """Record the last undone step again; returns words, or None if there is none."""
        return _describe_step("Done again", self._open().redo())

    def export_edits(self) -> bytes:
        """Return the net edits as CSV."""
        return self._open().export_edits()

    def retrain(self) -> RetrainResult:
        """Refit the model's head on today's labels."""
        result = refit(self.model, self.folder)
        self._stamp = result.stamp
        return RetrainResult(
            result.before, result.after, result.n, result.changed, result.seconds, result.notes
        )

    def use_new(self) -> str:
        """Put the refitted model in the old one's place."""
        use_refit(self.model, self._stamp)
        kept = find_previous(self.model).name
        return f"The new model answers from now on. The old one is kept beside it as {kept}."

    def keep_old(self) -> str:
        """Forget the refitted model."""
        discard_refit(self.model, self._stamp)
        return "The old model goes on."

    def _open(self) -> Catalog:
        if self._catalog is None:
            self._catalog = Catalog(self.folder)
        return self._catalog

    def _read_vocab(self) -> list[str]:
        try:
            return ModelBundle.load(self.model, verify=False).vocab
        except FastclfError:
            return []

    def _collect_reasons(self, items: dict[str, ReviewItem]) -> dict[str, list[Reason]]:
        """Return the reasons that still hold: of photos that are in, under the labels that were checked."""
        reasons: dict[str, list[Reason]] = defaultdict(list)
        report = self._report
        if report is None:
            return reasons
        for name, reason in _find_label_reasons(report, items):
            reasons[name].append(reason)
        tables = (
            ("conflict", report.conflicting_labels), ("leak", report.leaks), ("duplicate", report.duplicates),
            ("near-duplicate", report.near_duplicates),
        )  # fmt: skip
        number = 0
        for kind, groups in tables:
            for group in groups:
                number += 1
                for name, reason in _find_group_reasons(kind, group, items, number):
                    reasons[name].append(reason)
        for quality in report.low_quality:
            words = f"{quality.kind} ({quality.value:.2f}, limit {quality.threshold:.2f})"
            reasons[quality.file].append(Reason("quality", words, _DOUBT["quality"]))
        sealed = {name for name, i in items.items() if i.split == TEST and i.answer is None}
        for odd in report.odd:
            if odd.file in sealed:
                continue
            reasons[odd.file].append(Reason("odd", "unlike all the other photos", _DOUBT["odd"]))
        for file in report.unreadable:
            reasons[file.file].append(Reason("unreadable", file.reason, _DOUBT["unreadable"]))
        return {name: found for name, found in reasons.items() if name in items}


def _find_label_reasons(report: CheckReport, items: dict[str, ReviewItem]) -> Iterable[tuple[str, Reason]]:
    """Return doubtful labels, and labels that the answer differs from."""
    doubtful = {issue.file: issue for issue in report.label_issues}
    for name, item in items.items():
        issue = doubtful.get(name)
        if item.split == TEST and item.answer is None:
            continue  # sealed
        if issue is not None and issue.label == item.label:
            words = f"more likely {issue.suggested} than {issue.label}"
            yield name, Reason("label", words, 1 - issue.label_quality, issue.suggested)
        elif item.answer is not None and item.answer != item.label and issue is None:
            share = item.probability or 0.0
            words = f"looks like {item.answer}, {format_share(share)}"
            # below what the check calls doubtful, above what is only a copy
            yield name, Reason("label", words, 0.94 * share, item.answer)


def _find_group_reasons(
    kind: str, group: Group, items: dict[str, ReviewItem], number: int
) -> Iterable[tuple[str, Reason]]:
    here = [name for name in group.files if name in items]
    labels = {items[name].label for name in here}
    if len(here) < 2 or (kind == "conflict" and len(labels) < 2):
        return
    best = group.best if group.best in here else here[0]
    for name in here:
        other = best if name != best else next(n for n in here if n != best)
        words = _GROUP_WORDS[group.tier].format(other)
        if kind == "conflict":
            words += f", which is labelled {items[other].label}"
        elif kind == "leak":
            words += f", which is in {items[other].split or 'another split'}"
        # which label is right is not told by which file is larger
        is_best = name == best and len(labels) == 1
        yield name, Reason(kind, words, _DOUBT[kind], None, number, is_best)


def _describe_step(word: str, rows: list[EditRow] | None) -> str | None:
    """Return words that name photos, since the step may be an earlier day's or another person's."""
    if rows is None:
        return None
    names = sorted({row.path for row in rows})
    which = f" ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})" if names else ""
    return f"{word}: {count_words(rows)}{which}."
