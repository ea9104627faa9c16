from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf.catalog import Catalog
from fastclf.collect import list_recipes, load_recipe, write_digits
from fastclf.collect.recipe import parse_recipe
from fastclf.errors import UsageProblem

GOOD = 'name = "n"\ntitle = "t"\nsample = "digits"\n'


def test_every_recipe_that_comes_with_fastclf_is_valid() -> None:
    assert [load_recipe(name).name for name in list_recipes()] == list_recipes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = \nx = 1", r"mine\.toml is not valid TOML.*line 1"),
        (GOOD + "colour = 1", r"mine\.toml: unknown key colour"),
        (GOOD + "[train]\nsizes = 1", r"unknown key train\.sizes"),
        (GOOD + '[train]\nsize = "big"', r"train\.size is 'big'; it must be a int"),
        (GOOD + "[train]\nsize = true", r"train\.size is True"),
        ('name = "n"\ntitle = "t"', "lacks the key 'sample'"),
        (GOOD.replace("digits", "letters"), "sample is 'letters'"),
    ],
)
def test_a_recipe_with_a_fault_is_refused_with_file_and_key(text: str, words: str) -> None:
    with pytest.raises(UsageProblem, match=words):
        parse_recipe(text, "mine.toml")


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(UsageProblem, match="digits"):
        load_recipe("unicorns")


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
