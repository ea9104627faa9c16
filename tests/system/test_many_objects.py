"""Very many objects at once are the same objects as one by one, and unused ones are still looked for after."""

from __future__ import annotations

import gc
from dataclasses import FrozenInstanceError, dataclass, replace

import pytest

from fastclf.system import make_frozen, making_many


@dataclass(frozen=True)
class Spot:
    x: int
    y: int = 3
    names: tuple[str, ...] = ()


def test_an_object_made_of_its_fields_is_the_one_that_its_class_makes() -> None:
    made = make_frozen(Spot, {"x": 1})
    assert made == Spot(1)
    assert hash(made) == hash(Spot(1))
    assert repr(made) == repr(Spot(1))
    assert replace(made, y=4) == Spot(1, 4)
    with pytest.raises(FrozenInstanceError):
        made.x = 2  # type: ignore[misc]


def test_the_search_for_unused_objects_waits_and_comes_back() -> None:
    with making_many():
        assert not gc.isenabled()
        with making_many():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_search_for_unused_objects_comes_back_after_a_fault_and_stays_off_where_it_was() -> None:
    with pytest.raises(ValueError, match="stop"), making_many():
        raise ValueError("stop")
    assert gc.isenabled()
    gc.disable()
    try:
        with making_many():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
