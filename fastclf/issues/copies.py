"""Copies among the photos as doubts: under two labels, in two splits, identical, nearly identical."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

from ..errors import Message
from ..photos import TEST, TRAIN, VALID
from .form import ABOUT_COPIES, FindingForm, is_list_of, is_number, is_one_of
from .kinds import CheckedPhotos, Finding, IssueKind, Today
from .near import MIRRORED, PLAIN, Group, find_degrees, follow_turns, invert_turn

# chosen by hand, to order photos with several doubts; not tuned
_SCORES = {"conflict": 0.95, "leak": 0.85, "duplicate": 0.7, "near-duplicate": 0.6}


def _find(kind: str, checked: CheckedPhotos) -> list[Finding]:
    copies = checked.copies
    groups = {
        "conflict": copies.conflicts, "leak": copies.leaks, "duplicate": copies.identical,
        "near-duplicate": copies.near,
    }  # fmt: skip
    return [_make_finding(kind, group) for group in groups[kind]]


def _make_finding(kind: str, group: Group) -> Finding:
    files, best = [p.name for p in group.photos], group.photos[0]
    turns = group.turns or (PLAIN,) * len(files)
    return Finding(
        files=tuple(files),
        labels=tuple(p.label for p in group.photos),
        score=_SCORES[kind],
        words=_say(kind, _say_copy(group.tier, best.name, turns[1:]), best.label, best.split),
        facts={
            "files": files,
            "best": best.name,
            "tier": group.tier,
            "score": group.score,
            "turned": [find_degrees(turn) for turn in turns],
            "mirrored": [turn >= MIRRORED for turn in turns],
        },
    )


def _describe(kind: str, finding: Finding, name: str, today: Today) -> Message | None:
    """Return what a photo is to the best copy, or that one to the next; None where no copy is left."""
    here = list(islice((file for file in finding.files if file in today), 2))
    if len(here) < 2 or (kind == "conflict" and not _differ(finding, today, today[here[0]][0])):
        return None
    other = here[0] if name != here[0] else here[1]
    turn = follow_turns(_read_turn(finding, other, undone=True), _read_turn(finding, name))
    return _say(kind, _say_copy(str(finding.facts["tier"]), other, [turn]), *today[other])


def _differ(finding: Finding, today: Today, label: str) -> bool:
    return any(today[file][0] != label for file in finding.files if file in today)


def _read_turn(finding: Finding, name: str, *, undone: bool = False) -> int:
    """Return how the best copy becomes another one, or that one the best."""
    at = finding.places[name]
    turn = finding.facts["turned"][at] // 90 + MIRRORED * finding.facts["mirrored"][at]
    return invert_turn(turn) if undone else turn


def _say(kind: str, copy: Message, label: str, split: str) -> Message:
    if kind == "conflict":
        return Message("{copy}, which is labelled {label}", copy=copy, label=label)
    if kind == "leak":
        return Message("{copy}, which is in {split}", copy=copy, split=_say_split(split))
    return copy


def _say_copy(tier: str, name: str, turns: Sequence[int]) -> Message:
    """Return in words what is a copy of `name`, which becomes it by one of the turns."""
    degrees = {find_degrees(turn) for turn in turns}
    if tier == "bytes":
        return Message("the same file as {name}", name=name)
    if tier == "pixels":
        return Message("the same picture as {name}", name=name)
    if tier != "aligned":
        return Message("cut from the same picture as {name}", name=name)
    if degrees == {0}:
        return Message("nearly the same picture as {name}", name=name)
    if len(degrees) > 1:
        return Message("nearly the same picture as {name}, some turned", name=name)
    return Message("nearly the same picture as {name}, turned by {n} degrees", name=name, n=degrees.pop())


def _say_split(split: str) -> Message:
    words = {TRAIN: Message("training"), VALID: Message("validation"), TEST: Message("test (sealed)")}
    return words.get(split, Message("another split"))


_FORM = FindingForm(
    ABOUT_COPIES,
    {
        "tier": is_one_of("bytes", "pixels", "aligned", "features"),
        "score": is_number,
        "turned": is_list_of(is_one_of(0, 90, 180, 270)),
        "mirrored": is_list_of(is_one_of(False, True)),
    },
)
KINDS = tuple(
    IssueKind(
        key=key, table=table, title=title, badge=badge, order=order, find=partial(_find, key),
        form=_FORM, measure="score", describe=partial(_describe, key),
    )
    for order, key, table, title, badge in (
        (20, "conflict", "conflicting_labels", Message("Same photo, two labels"), Message("Two labels")),
        (30, "leak", "leaks", Message("Copies across the split"), Message("Across the split")),
        (40, "duplicate", "duplicates", Message("Exact copies"), Message("Exact copy")),
        (50, "near-duplicate", "near_duplicates", Message("Near copies"), Message("Near copy")),
    )
)  # fmt: skip
