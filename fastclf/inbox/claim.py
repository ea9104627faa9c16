"""What a visitor reports: a photo, what the model said of it, and what it is said to show."""

from __future__ import annotations

import io
import json
import math
import unicodedata
import zipfile
from dataclasses import asdict, dataclass

from PIL import Image

from ..photos import encode_jpeg
from ..system import hash_bytes, unify_name, utc_now

_LONGEST_SIDE = 1600
_MOST_NAME, _MOST_TEXT = 100, 200


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a visitor says of one photo and of the answer about it.

    Attributes
    ----------
    name
        The photo's name; not escaped.
    answer
        What the model said, None where it said nothing.
    probability
        How sure it was, in [0, 1].
    label
        What the visitor says it shows; None: none of the model's classes.
    model
        The model's `features_id`, or "".

    Examples
    --------
    >>> Claim(name="bear.jpg", answer="black", probability=0.6, label=None).label is None
    True
    """

    name: str
    answer: str | None
    probability: float | None
    label: str | None
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class Report(Claim):
    """A claim as it is kept: its name without folders and control characters, its texts bounded.

    Attributes
    ----------
    id
        Its number in the inbox.
    time
        When it was made, as ISO 8601 in UTC.
    sha256
        Of the stored JPEG.
    """

    id: int
    time: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class KeptReport(Report):
    """A report with what became of it.

    Attributes
    ----------
    state
        "waiting", "taken" or "dismissed".
    bytes
        Of its photo; 0 where that is freed already.
    """

    state: str
    bytes: int


def build_report(claim: Claim, jpeg: bytes) -> Report:
    """Return a report of now, with the number 0."""
    p = claim.probability
    return Report(
        id=0,
        name=clean_name(claim.name),
        answer=_bound(claim.answer),
        probability=None if p is None or not math.isfinite(p) else float(p),
        label=_bound(claim.label),
        model=_bound(claim.model) or "",
        time=utc_now(),
        sha256=hash_bytes(jpeg),
    )


def build_report_zip(image: Image.Image, claim: Claim) -> bytes:
    """Return a report as a ZIP file for its visitor to send, where there is no inbox.

    It holds ``photo.jpg`` and ``report.json``.
    """
    jpeg = encode_report_photo(image)
    report = asdict(build_report(claim, jpeg))
    del report["id"]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("photo.jpg", jpeg)
        archive.writestr("report.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    return out.getvalue()


def clean_name(name: str) -> str:
    r"""Return a file's name without folders and without characters that are not seen, at most 100 long.

    Examples
    --------
    >>> clean_name("../../etc/bear\n.jpg"), clean_name("C:\\photos\\bear.jpg"), clean_name("/")
    ('bear.jpg', 'bear.jpg', 'photo')
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    seen = "".join(c for c in last if not unicodedata.category(c).startswith("C")).strip()
    return seen[-_MOST_NAME:] if seen.strip(".") else "photo"


def _bound(text: str | None) -> str | None:
    # a lone surrogate is no text
    return None if text is None else unify_name(text.encode(errors="replace").decode())[:_MOST_TEXT]


def encode_report_photo(image: Image.Image) -> bytes:
    """Return a photo as it is kept: a JPEG of at most 1600 pixels, without metadata."""
    small = image.convert("RGB")
    small.info = {}
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return encode_jpeg(small)
