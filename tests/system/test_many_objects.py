"""Very many objects at once are the same objects as one by one, and unused ones are still looked for after."""

from __future__ import annotations

import gc
import threading
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


def test_the_search_for_unused_objects_comes_back_after_blocks_of_threads_that_overlap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_enabled, lets_go = gc.isenabled, threading.Event()
    has_begun = threading.Event()

    def hold() -> None:
        with making_many():
            has_begun.set()
            lets_go.wait(10)

    def look() -> bool:
        """Tell what a second block sees; meanwhile the first one ends."""
        was_on = is_enabled()
        lets_go.set()
        first.join(10)
        return was_on

    first = threading.Thread(target=hold)
    first.start()
    assert has_begun.wait(10)
    monkeypatch.setattr(gc, "isenabled", look)
    with making_many():
        lets_go.set()
        first.join(10)
        assert not is_enabled()
    assert is_enabled()
