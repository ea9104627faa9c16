"""What a check found: the findings of every kind, as JSON and as words for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..issues import Finding, IssueKind, list_kinds
from ..system import ShortRepr

_SHOWN = 5
_NAMED = 3


@dataclass(frozen=True)
class ClassCount:
    """How many photos a class has, and a warning, or None."""

    n: int
    warning: str | None = None


@dataclass(frozen=True)
class FeatureSource:
    """Where the features came from, in words, and whether whatever made them had never seen these labels."""

    source: str
    out_of_sample: bool | None  # None where no features were used

    def __str__(self) -> str:
        """Return it as a sentence."""
        seen = "They never saw these labels." if self.out_of_sample else "They had seen these labels."
        return f"Features: {self.source}. {seen}"


@dataclass(frozen=True, repr=False)
class CheckReport(ShortRepr):
    """All findings; files are relative to the checked folder.

    Attributes
    ----------
    folder
        Name of the checked folder.
    photos
        How many readable photos there are.
    classes
        {label: count and warning}.
    findings
        {key of a kind: its findings, the worst first}; without the kinds that were not looked for. The kinds
        are those of `fastclf.issues.list_kinds`.
    features
        Where the features came from.
    sealed
        How many photos were left alone because they are sealed for the test.
    notes
        Sentences for the user.
    answers
        {file: (label, probability)} of the photos whose label was checked: the most probable label, judged
        by a classifier that had not seen them.
    """

    folder: str
    photos: int
    classes: Mapping[str, ClassCount] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    features: FeatureSource = FeatureSource("none", None)
    sealed: int = 0
    notes: tuple[str, ...] = ()
    answers: Mapping[str, tuple[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of ``fastclf check --json``."""
        tables = {
            kind.table: [_round(finding.facts) for finding in self.findings.get(kind.key, ())]
            for kind in list_kinds()
        }
        return {
            "photos": self.photos,
            **tables,
            "classes": {name: vars(c).copy() for name, c in self.classes.items()},
            "features": vars(self.features).copy(),
            "labels_checked": "label" in self.findings,
            "sealed": self.sealed,
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Return a summary for the terminal, a few findings of each kind."""
        counted = ", ".join(f"{label} {c.n}" for label, c in self.classes.items())
        photos = "1 readable photo" if self.photos == 1 else f"{self.photos} readable photos"
        lines = [f"{photos} of {len(self.classes)} classes: {counted}."]
        for kind in list_kinds():
            lines += _list_some(kind, self.findings.get(kind.key))
        if self.features.out_of_sample is not None:
            lines.append(str(self.features))
        return "\n".join([*lines, *self.notes])


def group_findings(kind: IssueKind, findings: Sequence[Finding]) -> Iterator[tuple[Finding, str]]:
    """Yield each photo, group or class once, with all that was found about it in words."""
    together: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Finding]] = {}
    for finding in findings:
        together.setdefault((finding.files, finding.labels), []).append(finding)
    for first, *others in together.values():
        words = ", ".join(finding.words for finding in (first, *others))
        if kind.measure:
            words += f" ({kind.measure.replace('_', ' ')} {first.facts[kind.measure]:.2f})"
        yield first, words


def _list_some(kind: IssueKind, findings: Sequence[Finding] | None) -> list[str]:
    if findings is None:
        return [f"{kind.title}: not looked for."]
    lines = [_write_line(finding, words) for finding, words in group_findings(kind, findings)]
    if not lines:
        return [f"{kind.title}: none."]
    more = [f"  ... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [f"{kind.title}: {len(lines)}", *(f"  {line}" for line in lines[:_SHOWN]), *more]


def _write_line(finding: Finding, words: str) -> str:
    """Return a finding in one line; of copies those that are not the best stand in front."""
    names = finding.files[1:] or finding.files
    if not names:
        return words
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}: {words}"


def _round(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}
