"""Classes with few photos: too few to learn from, or far fewer than the others have."""

from __future__ import annotations

import math
from statistics import median

from ..errors import Message, count_message, join_messages
from ..metrics import wilson_interval
from ..photos import VALID
from .form import ABOUT_CLASS, FindingForm, is_count, is_number
from .kinds import CheckedPhotos, Finding, IssueKind

# All chosen by hand, not tuned: with fewer photos a class is small whatever the others have; below a third of
# the median class, or a tenth of the largest one, it is small beside them.
_SMALL = 10
_OF_MEDIAN, _OF_LARGEST = 3, 10
# What training draws for validation unless it is told otherwise.
_VALID_SHARE = 0.2


def _find(checked: CheckedPhotos) -> list[Finding]:
    usual = median([n for n in checked.classes.values() if n] or [0])
    largest = max(checked.classes.values(), default=0)
    found = [_judge(checked, label, n, usual, largest) for label, n in checked.classes.items()]
    return sorted((f for f in found if f is not None), key=lambda f: (-f.score, f.labels))


def _judge(checked: CheckedPhotos, label: str, n: int, usual: float, largest: int) -> Finding | None:
    """Return what is wrong with the number of a class's photos, or None."""
    third, tenth = math.ceil(usual / _OF_MEDIAN), math.ceil(largest / _OF_LARGEST)
    wanted = third if n < third else tenth if n < tenth else _SMALL
    if n >= wanted:
        return None
    valid = _count_validation(checked, label, n)
    low = wilson_interval(valid, valid)[0] if valid else None
    words = [_say_size(label, n)]
    if 0 < n < third:
        words.append(Message("That is under a third of the median class ({median}).", median=f"{usual:g}"))
    if 0 < n < tenth:
        words.append(Message("The largest class has {times} times as many.", times=largest // n))
    if 0 < n < max(third, tenth):
        words += [_say_cost(valid, low), _say_remedy(wanted - n, is_third=n < third)]
    facts = {
        "label": label,
        "n": n,
        "median": usual,
        "missing": wanted - n,
        "valid": valid,
        "recall_from": low,
    }
    return Finding((), (label,), score=1 - n / wanted, words=join_messages(words), facts=facts)


def _count_validation(checked: CheckedPhotos, label: str, n: int) -> int:
    """Return how many of a class's photos are for validation, on record or as they would be drawn."""
    splits = [(p.label, p.split or p.given_split) for p in checked.photos]
    if any(split for _, split in splits):
        return splits.count((label, VALID))
    return max(1, round(_VALID_SHARE * n)) if n else 0


def _say_size(label: str, n: int) -> Message:
    if not n:
        words = "{label} has no usable photo left: its folder is empty, unreadable, or all was taken out."
        return Message(words, label=label)
    if n >= _SMALL:
        return Message("{label} has {n} photos.", label=label, n=n)
    return count_message(
        n,
        "{label} has 1 photo; some dozens a class make a model.",
        "{label} has {n} photos; some dozens a class make a model.",
        label=label,
    )


def _say_cost(valid: int, low: float | None) -> Message:
    if low is None:
        return Message("None of them is for validation, so its recall is not measured.")
    return Message(
        "With {valid} of them for validation, the 95 % interval of its recall reaches down to {low} even "
        "without an error.",
        valid=valid,
        low=f"{100 * low:.0f} %",
    )


def _say_remedy(missing: int, *, is_third: bool) -> Message:
    if is_third:
        return Message("{n} more would make a third of the median.", n=missing)
    return Message("{n} more would make a tenth of the largest class.", n=missing)


_FORM = FindingForm(
    ABOUT_CLASS,
    {
        "n": is_count,
        "median": is_number,
        "missing": is_count,
        "valid": is_count,
        "recall_from": lambda value: value is None or is_number(value),
    },
)
KINDS = (
    IssueKind(
        key="balance", table="small_classes", title=Message("Small classes"), order=90, find=_find,
        form=_FORM,
    ),
)  # fmt: skip
