"""The owner's tabs: Classify, and Clean, which begins to work when it is first looked at."""

from __future__ import annotations

import logging
import threading
from html import escape
from typing import Any

import ipywidgets as widgets

from ..errors import FastclfError
from .clean import CleanPanel
from .desk import CatalogDesk

_logger = logging.getLogger(__name__)

CLEAN = 1


class CleanTab(widgets.VBox):
    """The Clean panel behind a line that says what is being prepared.

    Parameters
    ----------
    desk
        What the panel works on.
    """

    def __init__(self, desk: CatalogDesk) -> None:
        self.desk = desk
        self.note = widgets.HTML()
        self.note.add_class("fastclf-note")
        self.panel: CleanPanel | None = None
        self._started = threading.Event()
        self.done = threading.Event()
        super().__init__([self.note])

    def start(self) -> None:
        """Scan and check in the background; a second call does nothing."""
        if not self._started.is_set():
            self._started.set()
            threading.Thread(target=self._prepare, daemon=True).start()

    def _prepare(self) -> None:
        try:
            self.desk.open(self._say)
            obstacle = self.desk.find_obstacle()
            self.panel = CleanPanel(self.desk, None if obstacle else self.desk, why_not=obstacle)
            self.children = [self.note, self.panel]
            self.desk.prepare(self._say)
            self.panel.refresh()
            self._say(self.desk.note)
        except FastclfError as e:
            self._fail(str(e))
        except OSError as e:
            self._fail(f"The photos cannot be worked on ({e.strerror or e}). Mend that and reload the page.")
        except Exception:
            _logger.exception("preparing the Clean tab failed")
            self._fail(
                "Something went wrong while looking through the photos. Reload the page and try again."
            )
        finally:
            self.done.set()

    def _say(self, words: str) -> None:
        self.note.value = f'<p role="status">{escape(words)}</p>' if words else ""

    def _fail(self, words: str) -> None:
        # the next look at the tab tries again
        self._started.clear()
        self.note.value = f'<p role="alert" class="fastclf-error">{escape(words)}</p>'


def build_tabs(classify: widgets.Widget, clean: CleanTab) -> widgets.Tab:
    """Return the two tabs; Clean starts when it is selected."""
    tabs = widgets.Tab([classify, clean], titles=["Classify", "Clean"])

    def on_selected_index_change(change: dict[str, Any]) -> None:
        if change["new"] == CLEAN:
            clean.start()

    tabs.observe(on_selected_index_change, "selected_index")
    return tabs
