"""Where the photos of a model lie, where nobody says so."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ..photos import find_class_folders
from ..system import expand_home


def find_photo_folder(vocab: Collection[str]) -> Path:
    """Return ``FASTCLF_PHOTOS`` (by default ``photos``), or the folder in it that has these classes."""
    root = expand_home(os.environ.get("FASTCLF_PHOTOS") or "photos")
    if not root.is_dir() or not vocab:
        return root
    for folder in [root, *sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))]:
        if set(find_class_folders(folder, deeper=False)) & set(vocab):
            return folder
    return root
