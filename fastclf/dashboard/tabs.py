"""The tabs: Classify, the owner's Clean, and About; those begin to work when they are first looked at."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import traitlets

from ..errors import FastclfError, Message
from ..model import ModelBundle
from ..system import start_thread
from .texts import translate
from .widgets import ScriptedWidget, SpokenBox, Status, render_status

if TYPE_CHECKING:
    from .about import AboutPanel
    from .clean import CatalogStore, CleanPanel, Watch
    from .share import EmbedSnippet, SharePanel

_logger = logging.getLogger(__name__)

# Seconds that the page has to draw a list that began early, before the work behind it takes a core.
_BREATH = 2.0


class TabStrip(ScriptedWidget):
    """A row of tabs over panels that stand beside it, each with the class ``fastclf-panel-NAME``.

    The first of {name: panel} is shown; a panel with a `start` is started when it is looked at.
    """

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)

    def __init__(self, panels: dict[str, widgets.Widget]) -> None:
        self.panels = panels
        for name, panel in panels.items():
            panel.add_class(f"fastclf-panel-{name}")
        super().__init__(names=list(panels), selected=next(iter(panels)))

    @traitlets.observe("selected")
    def _on_selected_change(self, change: dict[str, Any]) -> None:
        start = getattr(self.panels.get(change["new"]), "start", None)
        if start is not None:
            self.guard(start)

    def show(self, name: str) -> None:
        """Have the page show a panel, as if its tab had been chosen."""
        self.send({"type": "show", "name": name})


class CleanTab(SpokenBox):
    """The Clean panel behind a line that says what is being prepared."""

    def __init__(self, store: CatalogStore) -> None:
        self.store = store
        self.note = widgets.HTML().add_class("fastclf-note")
        self.panel: CleanPanel | None = None
        # photos that were asked for before there was a panel
        self._asked: tuple[Sequence[int], str] | None = None
        self._words, self._status = "", Status.BUSY
        self._started, self.done = threading.Event(), threading.Event()
        self._watch: Watch | None = None
        self._ranking = threading.Lock()
        super().__init__([self.note])

    def start(self) -> None:
        """Scan and check in the background; a second call does nothing."""
        if not self._started.is_set():
            from .clean import Watch

            self._started.set()
            self._watch = Watch(self.store.look, self._meet_others)
            start_thread(self._prepare)

    def show_photos(self, keys: Sequence[int], words: str) -> None:
        """Show some photos in place of the list, at once or when the photos are there."""
        self._asked = keys, words
        self._show_asked()

    def _show_asked(self) -> None:
        if self.panel is not None and self._asked is not None:
            asked, self._asked = self._asked, None
            self.panel.show_photos(*asked)

    def stop(self) -> None:
        """Look for no changes of others any more: another tab has taken this one's place."""
        if self._watch is not None:
            self._watch.stop()

    def _meet_others(self) -> None:
        if self.panel is not None:
            self.panel.guard(self.panel.model.meet_others)

    def say_words(self) -> None:
        """Say in the page's language what is being prepared."""
        self.note.value = render_status(self._status, translate(self._words))

    def _prepare(self) -> None:
        try:
            self._fill()
        except FastclfError as e:
            self._fail(e.message)
        except OSError as e:
            self._fail(
                Message(
                    "The photos cannot be worked on ({reason}). Mend that and reload the page.",
                    reason=e.strerror or e,
                )
            )
        except Exception:
            _logger.exception("preparing the Clean tab failed")
            self._fail(Message("Something went wrong while looking through the photos. Reload the page."))
        finally:
            self.done.set()

    def _fill(self) -> None:
        from .clean import CleanPanel

        self.store.open(self._tell)
        obstacle = self.store.find_obstacle()
        self.panel = CleanPanel(self.store, None if obstacle else self.store, why_not=obstacle)
        self.children = [self.note, self.panel]
        self._show_asked()
        if self._watch is not None:
            self._watch.start()
        if self.store.is_hurried:
            time.sleep(_BREATH)
            self.store.finish_opening(self._tell)
            self.panel.refresh()
        self.store.prepare(self._tell)
        self.panel.refresh()
        self._rank_new()
        self.panel.model.observe(lambda _: self._on_load(), "loads")
        self._tell(self.store.note)

    def _on_load(self) -> None:
        """Rank the new photos anew when labels have changed, in the background."""
        if self._ranking.acquire(blocking=False):
            start_thread(self._rank_again)

    def _rank_again(self) -> None:
        try:
            self._rank_new()
            self._tell(self.store.note)
        except Exception:
            _logger.exception("the new photos could not be ranked")
        finally:
            self._ranking.release()

    def _rank_new(self) -> None:
        while self.store.rank_new(self._tell, self._show_ranking):
            self._show_ranking()

    def _show_ranking(self) -> None:
        """Show the new order, unless somebody is labelling: it comes with the next step then."""
        if self._watch is not None:
            self._watch.call(self._renew)

    def _renew(self) -> None:
        if self.panel is not None and not self.panel.model.is_labelling:
            self.panel.refresh()

    def _tell(self, words: str, status: Status = Status.BUSY) -> None:
        self._words, self._status = words, status
        self.say_words()

    def _fail(self, words: str) -> None:
        # the next look at the tab tries again
        self._started.clear()
        self._tell(words, Status.ERROR)


class AboutTab(widgets.VBox):
    """The About panel, which nothing is imported for before it is looked at; a visitor has no folder.

    With `clean_photos` the photos of a cell of the confusion matrix can be opened in the Clean tab; with
    `shares` it is said how another site shows the page, and a page without a server can be made of the model.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        folder: Path | None = None,
        clean_photos: Callable[[Sequence[int], str], None] | None = None,
        *,
        shares: bool = False,
    ) -> None:
        self.bundle, self.folder, self._clean_photos = bundle, folder, clean_photos
        self._shares = shares
        self.panel: AboutPanel | None = None
        self.share: SharePanel | None = None
        self.embed: EmbedSnippet | None = None
        super().__init__()

    def start(self) -> None:
        """Fill the tab, with the model as it is now."""
        if self.panel is None:
            from .about import AboutPanel, ValidationPhotos

            photos = None if self.folder is None else ValidationPhotos(self.folder)
            self.panel = AboutPanel(self.bundle, photos, self._clean_photos)
            if self._shares:
                from .share import EmbedSnippet, SharePanel

                self.share, self.embed = SharePanel(self.bundle.path), EmbedSnippet(self.bundle)
            self.children = [part for part in (self.panel, self.share, self.embed) if part is not None]
        self.panel.start()
        if self.share is not None:
            self.share.start()
