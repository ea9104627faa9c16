"""How far a refit is: the child writes it into a file, the parent reads it there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STEPS = ("scan", "features", "fit", "write")
# seconds: nobody sees more than some steps of a bar in one
_OFTEN = 0.1


@dataclass(frozen=True)
class RefitProgress:
    """The step that is under way, one of `STEPS`, with the photos that are `done` in it, of `total`."""

    step: str
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        """How much of the whole is done, from 0 to 1; the steps count alike."""
        inside = min(1.0, self.done / self.total) if self.total else 0.0
        return (STEPS.index(self.step) + inside) / len(STEPS)


class ProgressFile:
    """Writes a refit's progress into a file, ten times a second at most."""

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        self._last = float("-inf")

    def begin(self, step: str) -> Callable[[int, int], None]:
        """Write that a step begins; return what writes (done, all) of it."""
        self._write(step, 0, 0)

        def tell(done: int, total: int) -> None:
            if time.monotonic() - self._last >= _OFTEN:
                self._write(step, done, total)

        return tell

    def _write(self, step: str, done: int, total: int) -> None:
        self._last = time.monotonic()
        self.file.write_text(f"{step} {done} {total}\n", encoding="utf-8")


def read_progress(file: Path) -> RefitProgress | None:
    """Return what a `ProgressFile` wrote last; None where it is just being written, or was not yet."""
    try:
        step, done, total = file.read_text(encoding="utf-8").split()
        return RefitProgress(step, int(done), int(total)) if step in STEPS else None
    except (OSError, ValueError):
        return None
