"""Reports as a visitor's page leaves them."""

from __future__ import annotations

from PIL import Image

from fastclf.images import encode_jpeg
from fastclf.inbox import Inbox


def add_report(
    inbox: Inbox, image: Image.Image, name: str, *, answer: str, label: str | None, sha256: str = ""
) -> None:
    """Put a report into an inbox."""
    inbox.add(name, answer, 0.61, label, encode_jpeg(image), sha256)
