"""Labels that are nearly the same: told with the command that merges them, asked about when one is made."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import Message, UsageError
from ..system import find_near_names, unify_name

_MOST_TOLD = 5


def describe_near_labels(folder: Path, labels: Sequence[str]) -> Iterator[Message]:
    """Say which classes somebody may have meant as one, and how they are merged."""
    groups = find_near_names(labels)
    for first, *others in groups[:_MOST_TOLD]:
        # the plainest name stays: without blanks around it, in small letters, the shortest
        kept = min((first, *others), key=lambda name: (name != name.strip(), name != name.lower(), len(name)))
        gone = next(name for name in (first, *others) if name != kept)
        yield Message(
            "Warning: the classes {names} differ little. If they are one, `{command}` merges them.",
            names=", ".join(repr(name) for name in (first, *others)),
            command=shlex.join(["fastclf", "edits", "merge", str(folder), gone, kept]),
        )
    if len(groups) > _MOST_TOLD:
        yield Message("{n} more groups of classes differ little.", n=len(groups) - _MOST_TOLD)


def choose_label(label: str, known: Sequence[str]) -> str:
    """Return a label as it is compared: a known one, or one without blanks around it.

    Raises
    ------
    UsageError
        If it is nearly a known one, and so may be a slip.
    """
    if not isinstance(label, str) or unify_name(label) in known:
        return label
    text = unify_name(label).strip()
    if text in known or not text:
        return text or label
    near = next((group for group in find_near_names([*known, text]) if text in group), ())
    if near:
        raise UsageError(
            "{label!r} would be a new class beside {known!r}, which differs little. Name that one, or say "
            "new_class=True.",
            label=label,
            known=next(name for name in near if name != text),
        )
    return text


def refuse_unknown_class(folder: Path, label: str, known: Sequence[str]) -> None:
    """Refuse a label that no photo of a folder has.

    Raises
    ------
    UsageError
        If `label` is none of the `known` ones.
    """
    if unify_name(label) not in known:
        raise UsageError(
            "{folder} has no class {label!r}. It has {known}.",
            folder=folder,
            label=label,
            known=", ".join(known[:20]) or "none",
        )
