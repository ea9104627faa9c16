"""The tabs: Classify, the owner's Clean, and About; those begin to work when they are first looked at."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets
import traitlets

from ..errors import FastclfError
from .scripted import ScriptedWidget
from .texts import say, translate

_logger = logging.getLogger(__name__)


class TabStrip(ScriptedWidget):
    """A row of tabs over panels that stand beside it, each with the class ``fastclf-panel-NAME``.

    Parameters
    ----------
    panels
        {name: panel}, in order; the first is shown.
    starts
        {name: what to call when that tab is looked at}.
    """

    script = "tabs.js"

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)

    def __init__(self, panels: dict[str, widgets.Widget], starts: dict[str, Callable[[], None]]) -> None:
        self.panels = panels
        self._starts = starts
        for name, panel in panels.items():
            panel.add_class(f"fastclf-panel-{name}")
        super().__init__(names=list(panels), selected=next(iter(panels)))

    @traitlets.observe("selected")
    def _on_selected_change(self, change: dict[str, Any]) -> None:
        start = self._starts.get(change["new"])
        if start is None:
            return
        try:
            start()
        except Exception:
            _logger.exception("a tab could not be started")


class CleanTab(widgets.VBox):
    """The Clean panel behind a line that says what is being prepared.

    Parameters
    ----------
    desk
        What the panel works on.
    """

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.note = widgets.HTML()
        self.note.add_class("fastclf-note")
        self.panel: Any = None
        self._started = threading.Event()
        self.done = threading.Event()
        super().__init__([self.note])

    def start(self) -> None:
        """Scan and check in the background; a second call does nothing."""
        if not self._started.is_set():
            self._started.set()
            threading.Thread(target=self._prepare, daemon=True).start()

    def _prepare(self) -> None:
        from .clean import CleanPanel

        try:
            self.desk.open(self._say)
            obstacle = self.desk.find_obstacle()
            self.panel = CleanPanel(self.desk, None if obstacle else self.desk, why_not=obstacle)
            self.children = [self.note, self.panel]
            self.desk.prepare(self._say)
            self.panel.refresh()
            self._say(self.desk.note)
        except FastclfError as e:
            self._fail(translate(str(e)))
        except OSError as e:
            self._fail(
                say(
                    "The photos cannot be worked on ({reason}). Mend that and reload the page.",
                    reason=e.strerror or e,
                )
            )
        except Exception:
            _logger.exception("preparing the Clean tab failed")
            self._fail(say("Something went wrong while looking through the photos. Reload the page."))
        finally:
            self.done.set()

    def _say(self, words: str) -> None:
        self.note.value = f'<p role="status">{escape(words)}</p>' if words else ""

    def _fail(self, words: str) -> None:
        # the next look at the tab tries again
        self._started.clear()
        self.note.value = f'<p role="alert" class="fastclf-error">{escape(words)}</p>'
