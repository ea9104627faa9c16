"""The embedded sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf import Catalog
from fastclf.collect import write_digits

# thorough rather than quick
pytestmark = pytest.mark.slow


def test_digits_are_written_whole_and_once(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    folder = write_digits(tmp_path / "photos" / "digits")
    with Catalog(folder) as catalog:
        catalog.scan()
        photos = catalog.photos()
    assert len(photos.photos) == 1797
    assert photos.vocab == [str(i) for i in range(10)]
    assert not photos.failures
    source = load_digits()
    for number in (0, 700, 1796):
        [file] = folder.glob(f"*/{number:04d}.png")
        assert file.parent.name == str(source.target[number])
        small = np.asarray(Image.open(file).convert("L").resize((8, 8), Image.Resampling.BOX), float)
        ink = 255 - source.images[number] * (255 / 16)
        assert np.corrcoef(small.ravel(), ink.ravel())[0, 1] > 0.97
    (folder / "0" / "0000.png").unlink()
    write_digits(folder)
    assert not (folder / "0" / "0000.png").exists()
