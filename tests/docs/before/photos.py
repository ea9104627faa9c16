"""Photos in folders, as a page's reader has them."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from PIL import Image, ImageFilter

from fastclf import Catalog

from ...illustrations import draw_objects
from ..tableware import draw_tableware, draw_thing

# with a GPU all layers would be trained, and the pages would say other things
_AT_A_LAPTOP = {"CUDA_VISIBLE_DEVICES": ""}


def photos_of_mugs(folder: Path) -> None:
    """`photos/mugs` with twenty photos each of mugs, glasses and bowls."""
    draw_objects(folder / "photos" / "mugs", per_class=20)


def photos_without_labels(folder: Path) -> dict[str, str]:
    """`photos/mugs` with twelve photos of each class, nine others in its `_new`, and nine in `holiday`."""
    photos = draw_objects(folder / "photos" / "mugs", per_class=12)
    for place, first in ((photos / "_new", 50), (folder / "holiday", 60)):
        place.mkdir()
        for path in sorted(draw_objects(folder / "drawn", per_class=3, first=first).rglob("*.jpg")):
            path.rename(place / f"IMG_{path.name}")
        shutil.rmtree(folder / "drawn")
    return _AT_A_LAPTOP


def photos_from_a_phone(folder: Path) -> dict[str, str]:
    """`photos/mugs` with twenty photos of mugs and of glasses each, and `new.jpg`, another mug."""
    return _draw_mugs(folder, 20)


def model_of_mugs(folder: Path) -> dict[str, str]:
    """The same with forty of each and `model`, trained on them; `october` and `november` are later photos.

    November's are of spoons as well, and `photos/spoons` holds nothing else.
    """
    shutil.copytree(_train_once(), folder, dirs_exist_ok=True)
    _draw_month(folder / "photos" / "october", glass=20, mug=20)
    _draw_month(folder / "photos" / "november", glass=8, mug=20, spoon=12)
    _draw_month(folder / "photos" / "spoons", spoon=24)
    return _AT_A_LAPTOP


def photos_in_october(folder: Path) -> None:
    """`photos/october` with photos whose names say the class."""
    _draw_month(folder / "photos" / "october", glass=4, mug=4)


def photos_by_day(folder: Path) -> dict[str, str]:
    """`photos/mugs` with sixty photos in a folder a day, as a camera keeps them."""
    for label in ("glass", "mug"):
        for i in range(30):
            day = folder / "photos" / "mugs" / label / f"day-{i // 3 + 1:02d}"
            day.mkdir(parents=True, exist_ok=True)
            draw_thing(label, i).save(day / f"{i:02d}.jpg", quality=85)
    return _AT_A_LAPTOP


def lopsided_photos(folder: Path) -> dict[str, str]:
    """`photos/mugs` with sixty glasses and eight mugs."""
    draw_tableware(folder / "photos" / "mugs", "glass", n=60)
    draw_tableware(folder / "photos" / "mugs", "mug", n=8)
    return _AT_A_LAPTOP


def photos_with_faults(folder: Path) -> dict[str, str]:
    """`photos/kitchen`: glasses, mugs and spoons with wrong labels, copies and files that are no photos."""
    kitchen = draw_tableware(folder / "photos" / "kitchen", "glass", "mug", "spoon", n=24)
    for wrong, label, i in (("glass", "mug", 50), ("mug", "spoon", 51), ("spoon", "glass", 52)):
        draw_thing(label, i).save(kitchen / wrong / f"found-{i}.jpg", quality=85)
    shutil.copy(kitchen / "glass" / "IMG_1020.jpg", kitchen / "glass" / "IMG_1020 (1).jpg")
    shutil.copy(kitchen / "spoon" / "IMG_3025.jpg", kitchen / "mug" / "shared.jpg")
    with Image.open(kitchen / "mug" / "IMG_2022.jpg") as photo:
        photo.resize((300, 225)).save(kitchen / "mug" / "small.jpg", quality=70)
    with Image.open(kitchen / "mug" / "IMG_2027.jpg") as photo:
        photo.point(lambda value: value // 12).save(kitchen / "mug" / "IMG_2027.jpg")
    with Image.open(kitchen / "spoon" / "IMG_3031.jpg") as photo:
        photo.filter(ImageFilter.GaussianBlur(9)).save(kitchen / "spoon" / "IMG_3031.jpg")
    cut = (kitchen / "glass" / "IMG_1035.jpg").read_bytes()
    (kitchen / "glass" / "IMG_1035.jpg").write_bytes(cut[: len(cut) // 2])
    (kitchen / "spoon" / "download.jpg").write_text("<!DOCTYPE html><html><body>Not found</body></html>")
    return _AT_A_LAPTOP


def kitchen_cleaned(folder: Path) -> None:
    """Decide in `photos/kitchen` what the tutorial's reader decides in the browser."""
    with Catalog(folder / "photos" / "kitchen") as catalog:
        catalog.scan()
        catalog.relabel(["glass/found-50.jpg"], "mug")
        catalog.relabel(["spoon/found-52.jpg"], "glass")
        catalog.relabel(["mug/found-51.jpg"], "spoon")
        catalog.remove(["glass/IMG_1020.jpg", "mug/shared.jpg", "mug/small.jpg", "mug/IMG_2027.jpg"])
        catalog.remove(["glass/IMG_1035.jpg", "spoon/download.jpg"])


@cache
def _train_once() -> Path:
    """Draw mugs and glasses and train on them, once a process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _draw_mugs(folder, 40)
    command = [sys.executable, "-m", "fastclf", "train", "photos/mugs", "--mode", "head"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def _draw_mugs(folder: Path, n: int) -> dict[str, str]:
    draw_tableware(folder / "photos" / "mugs", "glass", "mug", n=n)
    draw_thing("mug", 99).save(folder / "new.jpg", quality=85)
    return _AT_A_LAPTOP


def _draw_month(folder: Path, **numbers: int) -> None:
    """Draw photos that the model has not seen, in one folder and without labels."""
    folder.mkdir(parents=True)
    for label, n in numbers.items():
        for i in range(n):
            draw_thing(label, 60 + i).save(folder / f"{label}-{i:02d}.jpg", quality=85)
