"""The owner's part of the About tab: a page without a server, made and saved from the dashboard."""

from __future__ import annotations

from html import escape
from pathlib import Path

import ipywidgets as widgets

from ..texts import say, translate
from ..widgets import SpokenBox, Status, build_row, render_paragraph, render_status
from .file_saver import FileSaver
from .model import FILES, ShareModel


class SharePanel(SpokenBox):
    """What it is, one file or a folder, and a button; then how far it is, and the file to save."""

    def __init__(self, path: Path) -> None:
        self.model = ShareModel(path)
        self.head, self.status = widgets.HTML(), widgets.HTML().add_class("fastclf-note")
        self.kind = widgets.Dropdown(options=[(kind, kind) for kind in FILES])
        self.button, self.cancel = widgets.Button(button_style="primary"), widgets.Button()
        self.saver = FileSaver(self.model.read)
        row = build_row(self.kind, self.button, self.cancel)
        super().__init__([self.head, row, self.status, self.saver])
        self.add_class("fastclf-sharing")
        self.button.on_click(lambda _: self.guard(lambda: self.model.start(self.kind.value)))
        self.cancel.on_click(lambda _: self.guard(self.model.cancel))
        self.model.observe(lambda _: self.guard(self._show), ["status", "message", "file"])
        self.say_words()

    def start(self) -> None:
        """Look whether a page that was made is still one of the model that is served."""
        self.guard(self.model.look)

    def close(self) -> None:
        """Close the widgets, end what is being made, and remove what was made."""
        self.model.cancel()
        if self.model.status is not Status.BUSY:
            self.model.forget()
        super().close()

    def say_words(self) -> None:
        """Say everything in the page's language."""
        what = say(
            "Whoever opens it gets answers in the browser, and no photo leaves it. Put it on any host of "
            "files, send it, or open it from a disk: there is no server to run."
        )
        self.head.value = (
            f'<section class="fastclf-about-part"><h2>{escape(say("Make a page without a server"))}</h2>'
            f"{render_paragraph(what)}</section>"
        )
        kind, names = (
            self.kind.value,
            {"file": say("One HTML file"), "folder": say("A folder, as a zip file")},
        )
        self.kind.options, self.kind.value = [(names[k], k) for k in FILES], kind
        self.kind.description = say("As")
        self.button.description, self.cancel.description = say("Make the page"), say("Cancel")
        self._show()

    def show_failure(self) -> None:
        """Show that what was asked for did not work."""
        self.status.value = render_status(Status.ERROR, say("That did not work. Reload the page."))

    def _show(self) -> None:
        model, busy = self.model, self.model.status is Status.BUSY
        self.button.disabled = self.kind.disabled = busy
        self.cancel.layout.display = "" if busy else "none"
        said = render_status(model.status, translate(model.message))
        if self.status.value != said:
            self.status.value = said
        if model.file is not None:
            self.saver.name = model.file.name
        self.saver.size = 0 if model.file is None else model.file.stat().st_size
