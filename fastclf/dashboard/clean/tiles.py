"""What the grid's JavaScript is told of a photo, and what it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..texts import say, show, translate
from .history import Mark
from .queue import GroupId
from .review import ACTIONS, Reason, ReviewItem
from .wording import KIND_WORDS, SPLIT_WORDS, say_answer, say_fate

MOST_KEYS = 10_000
EVENTS = ("act", "page", "undo", "redo", "group", "need")


class BadEventError(ValueError):
    """A message that the page cannot have sent."""


@dataclass(frozen=True)
class Event:
    """A checked message of the page."""

    type: str
    keys: tuple[int, ...] = ()
    action: str = ""
    label: str | None = None
    step: int = 0
    group: GroupId | None = None


def parse_event(
    content: Any,
    is_known: Callable[[int], bool],
    vocab: Collection[str],
    groups: Collection[GroupId],
) -> Event:
    """Check a message of the page.

    Parameters
    ----------
    content
        What arrived.
    is_known
        Tells whether a key is a photo of this set.
    vocab, groups
        The labels and the groups that there are.

    Raises
    ------
    BadEventError
        If anything in it is unknown.
    """
    kind = content.get("type") if isinstance(content, dict) else None
    if kind not in EVENTS:
        raise BadEventError(f"the type is {kind!r}; known are {', '.join(EVENTS)}")
    if kind in ("undo", "redo"):
        return Event(kind)
    if kind == "page":
        step = content.get("step")
        if type(step) is not int or abs(step) != 1:
            raise BadEventError(f"the step is {step!r}; it must be 1 or -1")
        return Event(kind, step=step)
    if kind == "group":
        name, number = content.get("kind"), content.get("group")
        if not isinstance(name, str) or type(number) is not int or (name, number) not in groups:
            raise BadEventError(f"there is no group {name!r} {number!r}")
        return Event(kind, group=(name, number))
    keys = _parse_keys(content.get("keys"), is_known)
    return Event(kind, keys) if kind == "need" else _parse_act(content, keys, vocab)


def build_tile(
    item: ReviewItem, mark: Mark, fault: str, groups: Mapping[GroupId, tuple[ReviewItem, ...]]
) -> dict[str, Any]:
    """Return one tile as JSON; names and labels go out as they are and are never read as HTML."""
    decision = mark.decision
    fate = say("stays as it is") if mark.skipped else translate(say_fate(item, decision)) if decision else ""
    return {
        "key": item.key,
        "name": item.name,
        "label": item.label,
        "report": item.report,
        "split": show(SPLIT_WORDS.get(item.split, item.split)) if item.split else item.noted,
        "removed": item.removed,
        "answer": translate(say_answer(item)),
        "differs": item.answer is not None and item.answer != item.label and not item.report,
        "reasons": [_build_reason(reason, item, groups) for reason in item.reasons],
        "mark": "skip" if mark.skipped else decision.action if decision else "",
        "words": fate,
        "choice": decision.label if decision else None,
        "fault": translate(fault),
    }


def _parse_keys(keys: Any, is_known: Callable[[int], bool]) -> tuple[int, ...]:
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
        raise BadEventError(f"the keys are no list of 1 to {MOST_KEYS:,}")
    for key in keys:
        if type(key) is not int or not is_known(key):
            raise BadEventError(f"there is no photo {key!r}")
    return tuple(keys)


def _parse_act(content: dict[str, Any], keys: tuple[int, ...], vocab: Collection[str]) -> Event:
    action, label = content.get("action"), content.get("label")
    if action not in (*ACTIONS, "skip", "keep"):
        raise BadEventError(f"the action is {action!r}")
    if action != "relabel":
        return Event("act", keys, str(action))
    if not isinstance(label, str) or label not in vocab:
        raise BadEventError(f"the label {label!r} is no class")
    return Event("act", keys, "relabel", label)


def _build_reason(
    reason: Reason, item: ReviewItem, groups: Mapping[GroupId, tuple[ReviewItem, ...]]
) -> dict[str, Any]:
    size = len(groups.get((reason.kind, reason.group), ())) if reason.group is not None else 0
    suggested = reason.suggested if reason.suggested != item.label else None
    return {
        "kind": reason.kind,
        "title": show(KIND_WORDS.get(reason.kind, reason.kind)),
        "text": translate(reason.text),
        "suggested": suggested,
        "group": reason.group,
        "size": size,
        "best": reason.best,
    }
