"""Learners as the course's users build and export them, tiny, on drawn photos."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from ..drawing import COLOURS, draw_scene


def draw_course_photos(folder: Path, per_class: int = 10) -> Path:
    """Photos with structure, tinted by class; file names begin with a capital where the class is red."""
    for number, label in enumerate(COLOURS):
        (folder / label).mkdir(parents=True)
        for i in range(per_class):
            scene = draw_scene(f"{label}{i}", ((90, 70), (70, 90), (80, 80))[i % 3])
            bands = [b if c == 2 - number else b.point(lambda v: v // 3) for c, b in enumerate(scene.split())]
            name = f"{'Red' if label == 'red' else label}_{i}.{'jpg' if i % 2 else 'png'}"
            Image.merge("RGB", bands).save(folder / label / name)
    return folder


def train_briefly(learn: Any) -> Any:
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1, 5e-3)
    return learn


def export(learn: Any, path: Path) -> Path:
    learn.export(path.absolute())
    return path


def rewrite(path: Path, changes: dict[bytes, bytes], target: Path) -> Path:
    """Copy an exported Learner with other bytes in its pickle, which stays valid."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("/data.pkl"):
                for before, after in changes.items():
                    assert before in data, before
                    data = data.replace(before, after)
            new.writestr(info.filename, data)
    return target
