"""Writing the card's two files beside the model, so that a kill leaves a model that opens."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..model import write_manifest
from ..system import hash_bytes, hash_file, write_atomic
from .render import build_card_html, build_card_markdown

_logger = logging.getLogger(__name__)

CARD_FILES = ("card.md", "card.html")


def build_card(manifest: dict[str, Any]) -> dict[str, bytes]:
    """Return the card's files, {name: content}: the same for the same manifest."""
    texts = (build_card_markdown(manifest), build_card_html(manifest))
    return {name: text.encode() for name, text in zip(CARD_FILES, texts, strict=True)}


def write_card(folder: Path, manifest: dict[str, Any]) -> dict[str, str]:
    """Write `card.md` and `card.html`, each in one step; returns {name: sha256}.

    Parameters
    ----------
    folder
        The bundle's folder.
    manifest
        What the card tells.
    """
    files = build_card(manifest)
    for name, content in files.items():
        write_atomic(folder / name, content)
    return {name: hash_bytes(content) for name, content in files.items()}


def save_manifest(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write a changed manifest and the card that follows from it; returns the manifest as written.

    The manifest comes first, since the card can be made from it again: after a kill in between,
    `mend_card` does so when the model is opened.

    Parameters
    ----------
    folder
        The bundle's folder.
    manifest
        The new manifest; the card's hashes are entered.
    """
    card = build_card(manifest)
    hashes = {name: hash_bytes(content) for name, content in card.items()}
    manifest = {**manifest, "files": {**manifest["files"], **hashes}}
    write_manifest(folder, manifest)
    for name, content in card.items():
        write_atomic(folder / name, content)
    return manifest


def mend_card(folder: Path, manifest: dict[str, Any]) -> bool:
    """Make the card anew where a file of it is missing or not as recorded; returns whether it was.

    A folder that cannot be written keeps the card that it has, with a warning.
    """
    listed = [name for name in CARD_FILES if name in manifest["files"]]
    if all(_hash_or_none(folder / name) == manifest["files"][name] for name in listed):
        return False
    card = build_card(manifest)
    stale = [name for name in listed if _hash_or_none(folder / name) != hash_bytes(card[name])]
    try:
        for name in stale:
            write_atomic(folder / name, card[name])
    except OSError as e:
        _logger.warning("The card of %s is not of today and cannot be written (%s).", folder, e.strerror)
        return False
    return bool(stale)


def _hash_or_none(file: Path) -> str | None:
    return hash_file(file) if file.is_file() else None
