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
from ..system import hash_bytes, utc_now

_LONGEST_SIDE = 1600
_MOST_NAME, _MOST_TEXT = 100, 200


@dataclass(frozen=True)
class Report:
    """A visitor's claim about one photo.

    Attributes
    ----------
    id
        Its number in the inbox.
    name
        The photo's name, without folders and control characters; not escaped.
    answer
        What the model said, None where it said nothing.
    probability
        How sure it was, in [0, 1].
    label
        What the visitor says it shows; None: none of the model's classes.
    model
        The model's `features_id`, or "".
    time
        When, as ISO 8601 in UTC.
    sha256
        Of the stored JPEG.
    """

    id: int
    name: str
    answer: str | None
    probability: float | None
    label: str | None
    model: str
    time: str
    sha256: str


def build_report_zip(
    image: Image.Image,
    name: str,
    *,
    answer: str | None,
    probability: float | None,
    label: str | None,
    model: str = "",
) -> bytes:
    """Return a report as a ZIP file for its visitor to send, where there is no inbox.

    It holds ``photo.jpg`` and ``report.json``. The parameters are those of `Inbox.add`.
    """
    jpeg = encode_report_photo(image)
    report = asdict(describe_report(jpeg, name, answer, probability, label, model))
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


def describe_report(
    jpeg: bytes,
    name: str,
    answer: str | None,
    probability: float | None,
    label: str | None,
    model: str,
) -> Report:
    """Return a report of now, with the number 0, its texts bounded and its name cleaned."""
    sure = None if probability is None or not math.isfinite(probability) else float(probability)
    return Report(
        0,
        clean_name(name),
        _bound(answer),
        sure,
        _bound(label),
        _bound(model) or "",
        utc_now(),
        hash_bytes(jpeg),
    )


def _bound(text: str | None) -> str | None:
    # a lone surrogate is no text
    return None if text is None else text.encode(errors="replace").decode()[:_MOST_TEXT]


def encode_report_photo(image: Image.Image) -> bytes:
    """Return a photo as it is kept: a JPEG of at most 1600 pixels, without metadata."""
    small = image.convert("RGB")
    small.info = {}
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return encode_jpeg(small)
