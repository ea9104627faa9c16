"""What systems leave behind."""

import pytest

from fastclf.system import is_stray

STRAY = (
    ".DS_Store", "._cat.jpg", "__MACOSX", "Icon\r", ".Spotlight-V100", ".fseventsd", ".TemporaryItems",
    ".AppleDouble", "Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "RECYCLER", "FOUND.000",
    "System Volume Information", "lost+found", ".Trash-1000", ".nfs000000001", ".thumbnails", ".directory",
    "@eaDir", "@Recycle", "#recycle", "#snapshot", ".snapshot", "cat.jpg@SynoEAStream", ".picasa.ini",
    "Previews.lrdata", ".picasaoriginals", "~$labels.xlsx", ".ipynb_checkpoints", "__pycache__", "LOST.DIR",
    "node_modules", "wandb", "Photos Library.photoslibrary", "_gsdata_", "trashbox",
)  # fmt: skip
SOMEBODYS = (
    "cat", "cat.jpg", ".git", ".fastclf", "models", "recycling", "thumbs", "desktop", "lost", "trash", "icon",
)  # fmt: skip


@pytest.mark.parametrize("name", STRAY)
def test_what_a_system_leaves_behind_is_known(name: str) -> None:
    assert is_stray(name)
    assert is_stray(name.upper())


@pytest.mark.parametrize("name", SOMEBODYS)
def test_what_somebody_made_is_not_taken_for_it(name: str) -> None:
    assert not is_stray(name)
