"""Progress: a bar a class on a terminal or in a notebook, and sentences that do not tear the bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self


class ProgressBars:
    """A bar for each class; `tell` takes the sentences where none is shown."""

    def __init__(self, tell: Callable[[str], None], shown: bool | None = None) -> None:
        self._tell, self._shown = tell, shown
        self._bars: dict[str, Any] = {}
        self._wanted: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def expect(self, wanted: dict[str, int]) -> None:
        """Show a bar for each class, with how many photos it shall have."""
        self._wanted = wanted
        for label in wanted:
            self._bar(label, "photos")

    def counted(self, label: str, stored: int, refused: int) -> None:
        """Show how many photos a class has, and how many were refused or doubled."""
        bar = self._bar(label, "photos")
        bar.set_postfix(refused=refused, refresh=False)
        bar.update(stored - bar.n)

    def downloaded(self, done: int, total: int | None) -> None:
        """Show how much of an archive is there."""
        bar = self._bar("archive", "B")
        bar.total = total
        bar.update(done - bar.n)

    def say(self, text: str) -> None:
        """Tell a sentence."""
        shown = next((bar for bar in self._bars.values() if not bar.disable), None)
        if shown is None:
            self._tell(text)
        else:  # where the bars are: stdout is for the result
            shown.write(text, file=shown.fp)

    def _bar(self, label: str, unit: str) -> Any:
        if label not in self._bars:
            from tqdm.auto import tqdm

            self._bars[label] = tqdm(
                desc=label,
                total=self._wanted.get(label),
                unit=unit,
                unit_scale=unit == "B",
                disable=None if self._shown is None else not self._shown,
            )
        return self._bars[label]
