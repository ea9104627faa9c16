"""Files that are named like photos and cannot be read."""

from __future__ import annotations

from ..errors import Message
from .form import ABOUT_PHOTO, FindingForm, is_text
from .kinds import CheckedPhotos, Finding, IssueKind

_SCORE = 0.9  # chosen by hand, to order photos with several doubts; not tuned


def _find(checked: CheckedPhotos) -> list[Finding]:
    return [
        Finding((file,), ("",), score=_SCORE, words=Message(reason), facts={"file": file, "reason": reason})
        for file, reason in checked.failures
    ]


KINDS = (
    IssueKind(
        key="unreadable", table="unreadable", title=Message("Unreadable files"), badge=Message("Unreadable"),
        order=80, find=_find, form=FindingForm(ABOUT_PHOTO, {"reason": is_text}),
    ),
)  # fmt: skip
