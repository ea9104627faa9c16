"""What may be decided about a training."""

from __future__ import annotations

from dataclasses import fields

import pytest

from fastclf.collect import list_recipes, load_recipe
from fastclf.training import TrainOptions

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", list_recipes())
def test_what_a_recipe_says_of_training_is_what_training_takes(name: str) -> None:
    train = load_recipe(name).train
    assert set(train) <= {field.name for field in fields(TrainOptions)}
    TrainOptions(**train)
