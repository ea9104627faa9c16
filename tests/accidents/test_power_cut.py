"""A power cut at any moment: what was told as done is there, and what is there opens.

`kill -9` never shows this, since the system goes on to write what a dead program left. A library between the
program and its C library records each change in order; after each of them the disk is left as a cut may leave
it, with what was not synced dropped, kept or torn, and opened.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .power import check_recorded, cut, record, write_tree
from .scenes import SCENES

QUICK = 15  # moments of a scene that are looked at in `make test`, of some hundreds


def look(shim: str, name: str, memory: Path, draws: int, moments: int | None = None) -> int:
    """Record a scene and open what power cuts leave of it; returns how many states were opened."""
    scene, root = SCENES[name], memory / "root"
    root.mkdir()
    scene.before(root)
    made = record(shim, name, root, memory / "log")
    states = 0
    for number, how, tree, told in cut(made, draws, moments):
        states += 1
        place = write_tree(tree, memory / "state")
        try:
            scene.find(place, told)
            if states % 5 == 0:
                scene.go_on(place)
        except Exception as e:
            call = made.changes[number]
            raise AssertionError(
                f"{name}: after call {number} ({call.what} {call.first[-80:]!r}) with {how}; told {told}"
            ) from e
    check_recorded(made)
    return states


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_leaves_what_was_told_as_done(shim: str, name: str, memory: Path) -> None:
    assert look(shim, name, memory, draws=1, moments=QUICK) > QUICK


@pytest.mark.thorough
@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_at_every_moment(
    shim: str, name: str, memory: Path, record_property: pytest.RecordProperty
) -> None:
    states = look(shim, name, memory, draws=4)
    record_property("states", states)
    assert states > 500
