"""What a check found: a table a kind, JSON, and words for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_SHOWN = 5
_LABELS = "doubtful labels"


@dataclass(frozen=True)
class Group:
    """Photos that belong together.

    Attributes
    ----------
    files
        Their names, the best copy first.
    best
        The copy to keep.
    tier
        "bytes" (equal files), "pixels" (equal pictures), "aligned" (nearly equal, laid over each other) or
        "features" (a network brought them up, and laid over each other with more tries they nearly agree).
    score
        The least agreement of a member with the group's centre, in [0, 1].
    labels
        The label of each file.
    """

    files: tuple[str, ...]
    best: str
    tier: str
    score: float
    labels: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the JSON document."""
        return {
            "files": list(self.files), "best": self.best, "tier": self.tier, "score": round(self.score, 4),
        }  # fmt: skip


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class QualityFinding:
    """A photo that shows little: what was measured, and the limit that it is beyond."""

    file: str
    kind: str
    value: float
    threshold: float


@dataclass(frozen=True)
class LabelIssue:
    """A label that the photo contradicts.

    Attributes
    ----------
    file, label
        The photo and its label of today.
    suggested
        The label that fits better.
    label_quality
        In [0, 1]; low is doubtful.
    """

    file: str
    label: str
    suggested: str
    label_quality: float


@dataclass(frozen=True)
class OddPhoto:
    """A photo unlike all others; a higher score is further out."""

    file: str
    score: float


@dataclass(frozen=True)
class ClassCount:
    """How many photos a class has, and a warning, or None."""

    n: int
    warning: str | None = None


@dataclass(frozen=True)
class FeatureSource:
    """Where the features came from.

    Attributes
    ----------
    source
        In words.
    out_of_sample
        Whether whatever made them had never seen these labels; None where no features were used.
    """

    source: str
    out_of_sample: bool | None


@dataclass(frozen=True)
class CheckReport:
    """All findings; files are relative to the checked folder.

    Attributes
    ----------
    folder
        Name of the checked folder.
    photos
        How many readable photos there are.
    unreadable, duplicates, near_duplicates, conflicting_labels, low_quality, label_issues, odd, leaks
        A table each. `label_issues` has the most doubtful label first.
    classes
        {label: count and warning}.
    features
        Where the features came from.
    sealed
        How many test photos no model's answer is shown about.
    notes
        Sentences about what could not be checked, and why.
    answers
        {file: (label, probability)}: what the photo shows, said by something that did not learn from it. Not
        in the JSON document.
    labels_checked
        Whether labels were looked at.
    """

    folder: str
    photos: int
    unreadable: tuple[Unreadable, ...] = ()
    duplicates: tuple[Group, ...] = ()
    near_duplicates: tuple[Group, ...] = ()
    conflicting_labels: tuple[Group, ...] = ()
    low_quality: tuple[QualityFinding, ...] = ()
    label_issues: tuple[LabelIssue, ...] = ()
    odd: tuple[OddPhoto, ...] = ()
    leaks: tuple[Group, ...] = ()
    classes: dict[str, ClassCount] = field(default_factory=dict)
    features: FeatureSource = FeatureSource("none", None)
    sealed: int = 0
    notes: tuple[str, ...] = ()
    answers: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    labels_checked: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of ``fastclf check --json``."""
        return {
            "photos": self.photos,
            "unreadable": [{"file": u.file, "reason": u.reason} for u in self.unreadable],
            "duplicates": [g.to_dict() for g in self.duplicates],
            "near_duplicates": [g.to_dict() for g in self.near_duplicates],
            "conflicting_labels": [g.to_dict() for g in self.conflicting_labels],
            "low_quality": [_round(vars(q)) for q in self.low_quality],
            "label_issues": [_round(vars(i)) for i in self.label_issues],
            "odd": [_round(vars(o)) for o in self.odd],
            "leaks": [g.to_dict() for g in self.leaks],
            "classes": {name: vars(c).copy() for name, c in self.classes.items()},
            "features": vars(self.features).copy(),
            "labels_checked": self.labels_checked,
            "sealed": self.sealed,
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Return a summary for the terminal, a few findings of each kind."""
        counted = ", ".join(f"{label} {c.n}" for label, c in self.classes.items())
        lines = [f"{count(self.photos, 'readable photo')} of {len(self.classes)} classes: {counted}."]
        lines += [f"Attention: {c.warning}" for c in self.classes.values() if c.warning]
        for title, findings in self._describe():
            skipped = title == _LABELS and not self.labels_checked
            lines += [f"{_LABELS}: not looked for."] if skipped else _list_some(title, findings)
        if self.features.out_of_sample is not None:
            lines.append(describe_source(self.features))
        lines += self.notes
        return "\n".join(lines)

    def _describe(self) -> list[tuple[str, list[str]]]:
        return [
            ("cannot be read", [f"{u.file} {u.reason}" for u in self.unreadable]),
            ("groups of identical photos", [describe_group(g) for g in self.duplicates]),
            ("groups of nearly identical photos", [describe_group(g) for g in self.near_duplicates]),
            ("photos under two labels", [describe_group(g) for g in self.conflicting_labels]),
            ("photos that show little", describe_qualities(self.low_quality)),
            (_LABELS, [describe_issue(i) for i in self.label_issues]),
            ("photos unlike all others", [f"{o.file} ({o.score:.2f})" for o in self.odd]),
            ("groups that stand in two splits", [describe_group(g) for g in self.leaks]),
        ]


def count(n: int, noun: str) -> str:
    """Return a number with its noun: "1 photo", "2 photos"."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def describe_source(source: FeatureSource) -> str:
    """Return where features came from, as a sentence."""
    seen = "They never saw these labels." if source.out_of_sample else "They had seen these labels."
    return f"Features: {source.source}. {seen}"


def describe_group(group: Group) -> str:
    """Return a group in one line."""
    others = [f for f in group.files if f != group.best]
    shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return f"{group.best} = {shown} ({group.tier}, {group.score:.2f})"


def describe_quality(finding: QualityFinding) -> str:
    """Return a finding in one line."""
    return f"{finding.file} is {finding.kind} ({finding.value:.2f}; the limit is {finding.threshold:.2f})"


def describe_qualities(findings: Sequence[QualityFinding]) -> list[str]:
    """Return a line for each photo, with all that was found about it."""
    lines: dict[str, str] = {}
    for finding in findings:
        line = describe_quality(finding)
        known = lines.get(finding.file)
        lines[finding.file] = f"{known}, {line.removeprefix(f'{finding.file} ')}" if known else line
    return list(lines.values())


def describe_issue(issue: LabelIssue) -> str:
    """Return a doubtful label in one line."""
    quality = f"label quality {issue.label_quality:.2f}"
    return f"{issue.file}: {issue.label}, more likely {issue.suggested} ({quality})"


def _list_some(title: str, findings: Sequence[str]) -> list[str]:
    if not findings:
        return [f"0 {title}."]
    more = len(findings) - _SHOWN
    tail = [f"  ... and {more} more"] if more > 0 else []
    return [f"{len(findings)} {title}:", *(f"  {line}" for line in findings[:_SHOWN]), *tail]


def _round(values: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}
