"""The file that a visitor of a page without a server sends: a photo, and what was answered wrongly."""

from __future__ import annotations

from pathlib import Path

from ..collect import ReadLimits, read_archive
from ..errors import ArchiveError, ProjectError, UnreadablePhotoError
from ..inbox import Claim, Inbox
from ..photos import MAX_BYTES, decode_photo
from ..system import hash_bytes
from .kinds import REPORT_FILE
from .values import Values, parse_json

PHOTO_FILE = "photo.jpg"
MOST_PIXELS = 20_000_000
"""Pixels of the photo: a page makes it at most 1600 pixels long."""

_MOST_TEXT = 2**16
_LIMITS = ReadLimits(member_bytes=MAX_BYTES, total_bytes=2 * MAX_BYTES, members=16)
_LONGEST, _LONGEST_NAME = 400, 400  # what is kept is bounded once more


def add_report(inbox: Inbox, file: str | Path) -> int:
    """Take a visitor's report into the inbox, where it waits in Clean; returns its number there.

    The photo is decoded and stored anew, as one that is reported on the dashboard is, and the same report
    is kept once.

    Parameters
    ----------
    inbox
        The inbox.
    file
        What "That's wrong" of a page without a server wrote: a zip file of ``photo.jpg`` and ``report.json``.

    Returns
    -------
    int
        Its number in the inbox.

    Raises
    ------
    ProjectError
        If it is no such file, or something in it is not as it has to be.
    InboxError
        If the inbox is full or cannot be written.

    Examples
    --------
    >>> from fastclf.inbox import Inbox
    >>> add_report(Inbox("inbox.sqlite"), "report.zip")
    1
    """
    path, called = Path(file), str(file)
    members = _read(path, called)
    values = parse_json(members[REPORT_FILE], REPORT_FILE, called)
    photo = members[PHOTO_FILE]
    if hash_bytes(photo) != values.get("sha256"):
        raise ProjectError(
            "{called}: {name} is another photo than the report was made of (its hash differs). Have it sent "
            "again.",
            called=called,
            name=PHOTO_FILE,
        )
    claim = _read_claim(values)
    try:
        image = decode_photo(photo, PHOTO_FILE, max_bytes=MAX_BYTES, max_pixels=MOST_PIXELS).image
    except UnreadablePhotoError as e:
        raise ProjectError(
            "{called}: {name} {reason}. Have it sent again.", called=called, name=e.name, reason=e.reason
        ) from None
    return inbox.add(image, claim)


def _read(path: Path, called: str) -> dict[str, bytes]:
    """Return the two files of a report."""
    found: dict[str, bytes] = {}
    try:
        for member in read_archive(path, lambda _: True, limits=_LIMITS, most_bytes=2 * MAX_BYTES):
            if member.data is None or member.name in found or member.name not in (PHOTO_FILE, REPORT_FILE):
                found.clear()
                break
            found[member.name] = member.data
    except ArchiveError as e:
        raise ProjectError(e.message) from None
    if found.keys() != {PHOTO_FILE, REPORT_FILE} or len(found[REPORT_FILE]) > _MOST_TEXT:
        raise ProjectError(
            "{called} is no report: it has to hold {photo} and {report}, and nothing else.",
            called=called,
            photo=PHOTO_FILE,
            report=REPORT_FILE,
        )
    return found


def _read_claim(values: Values) -> Claim:
    probability = None if values.get("probability") is None else values.real("probability", 0, 1)
    return Claim(
        name=values.text("name", _LONGEST_NAME),
        answer=_read_name(values, "answer"),
        probability=probability,
        label=_read_name(values, "label"),
        model=values.text("model", _LONGEST),
    )


def _read_name(values: Values, name: str) -> str | None:
    return None if values.get(name) is None else values.text(name, _LONGEST, least=1)
