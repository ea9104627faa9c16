"""What the tests of training share: photos read once, weights that nobody has to fetch, a trained Learner."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import ExifTags, Image

from ..conftest import Once
from ..drawing import draw_photo, draw_photos
from .exported import draw_course_photos
from .tiny import write_weights

# as `fastclf.training` sets it, before anything imports torch
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """All tests here need torch, whose import takes seconds: a quick run does not even look at them."""
    return True if "not slow" in config.getoption("markexpr") else None


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "w.safetensors")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Forty-eight drawn photos, read as training reads them; nobody changes them."""
    from fastclf.catalog import load_dataset

    return load_dataset(draw_photos(tmp_path_factory.mktemp("read") / "photos", per_class=16))


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty photos with structure, as the course's users have them; nobody changes them."""
    return draw_course_photos(tmp_path_factory.mktemp("course") / "photos")


@pytest.fixture(scope="session")
def coloured(once: Once) -> SimpleNamespace:
    """A Learner trained on drawn photos, some of which fastai alone would read wrongly, and its bundle."""
    import torch

    from fastclf import ModelBundle
    from fastclf.catalog import load_dataset
    from fastclf.training import build_dls, build_learner, export_bundle, fit, plan_phases

    def train(root: Path) -> str:
        folder = draw_photos(root / "photos", per_class=20, size=(60, 40))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        for i in range(6):
            draw_photo("red", 100 + i, (60, 40)).save(folder / "red" / f"turned{i}.jpg", exif=exif)
            clear = draw_photo("blue", 100 + i, (60, 40)).convert("RGBA")
            clear.paste((0, 0, 0, 0), (0, 0, 20, 40))
            clear.save(folder / "blue" / f"clear{i}.png")
        (folder / "red" / "broken.jpg").write_bytes(b"nothing")
        data = load_dataset(folder)
        dls = build_dls(data, 32, pretrained=False, batch_size=16)
        learn = build_learner(dls, "test_resnet", pretrained=False)
        fit(learn, plan_phases(3, pretrained=False, lr=1e-2), quiet=True)
        export_bundle(learn, data, root / "model", arch="test_resnet", title="Colours")
        torch.save(learn, root / "learn.pt")
        return str(root)

    root = Path(once("coloured", train))
    learn = torch.load(root / "learn.pt", weights_only=False)
    bundle = ModelBundle.load(root / "model")
    return SimpleNamespace(
        folder=root / "photos", data=load_dataset(root / "photos"), learn=learn, bundle=bundle
    )
