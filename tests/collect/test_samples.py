"""The built-in sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf.collect import write_digits
from fastclf.errors import UsageError

# thorough rather than quick
pytestmark = pytest.mark.slow


def test_digits_are_written_whole_and_once(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    folder = write_digits(tmp_path / "photos" / "digits")
    assert len(list(folder.glob("*/*.png"))) == 1797
    assert sorted(p.name for p in folder.iterdir()) == [str(i) for i in range(10)]
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


def test_a_persons_file_is_not_replaced_by_the_sample(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    for name in ("notes.txt", "folder"):
        with pytest.raises(UsageError, match="holds something else"):
            write_digits(tmp_path / name)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "notes.txt"]
