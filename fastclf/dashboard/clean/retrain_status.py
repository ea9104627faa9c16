"""What Retrain says of itself: a line that can take the focus, and a bar while it is at work."""

from __future__ import annotations

import traitlets

from ..widgets import ScriptedWidget, Status


class RetrainStatus(ScriptedWidget):
    """A status and a progress bar.

    When a retraining is done while the line has the focus, the heading of the comparison takes it.
    """

    said = traitlets.Dict().tag(sync=True)
    work = traitlets.Dict().tag(sync=True)

    def say(self, status: Status, words: str) -> None:
        """Show words in the page's language; a fault is read out at once."""
        self.said = {"kind": status.value, "text": words}

    def show_work(self, share: float, words: str) -> None:
        """Show how much of the whole is done, from 0 to 1, and what is being done."""
        self.work = {"percent": round(100 * share), "text": words}

    def hide_work(self) -> None:
        """Show that nothing is under way."""
        self.work = {}

    def take_focus(self) -> None:
        """Bring the focus to the line: the button that had it is gone."""
        self.send({"type": "focus"})
