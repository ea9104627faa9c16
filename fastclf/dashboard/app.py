"""The dashboard as one widget."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

import ipywidgets as widgets

from ..errors import FastclfError
from ..inbox import find_inbox
from ..model import ModelBundle, ModelSource, find_photo_folder, read_stamp
from ..photos import find_new_folder
from ..system import guard_process
from .classify import ClassifyModel, ClassifyPanel
from .tabs import AboutTab, CleanTab, TabStrip
from .texts import find_maker_text, language, name_class, say, translate
from .widgets import PageFrame, PhotoViewer, SpokenBox, find_accents, render_paragraph

_MOST_NAMED = 12


def build_app(model: str | Path | None = None) -> widgets.VBox:
    """Build the dashboard.

    Parameters
    ----------
    model
        Folder of the bundle; by default ``FASTCLF_MODEL``, else ``model``.

    Returns
    -------
    VBox
        The whole page as a widget.

    Examples
    --------
    >>> app = build_app("model")
    >>> app.bundle.vocab
    ['black', 'grizzly', 'teddy']
    """
    _remember_little()
    guard_process()
    page = DashboardPage(Path(model or os.environ.get("FASTCLF_MODEL") or "model"))
    page.add_class("fastclf")
    return page


def is_owner() -> bool:
    """Return whether whoever opens the page may change things: ``FASTCLF_OWNER`` says so, nothing else."""
    return os.environ.get("FASTCLF_OWNER") == "1"


def _remember_little() -> None:
    """Let the kernel remember a thousand signatures of messages: 65,536 by its default, which take 10 MB."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is not None:
        kernel.session.digest_history_size = 1000


class DashboardPage(SpokenBox):
    """Title, tabs, their panels, and the foot.

    The kernel may have run before anybody came, so the model is looked at again when a page comes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head, self.refusal = widgets.HTML().add_class("fastclf-head"), widgets.HTML()
        self.frame, self.viewer = PageFrame(foot=True), PhotoViewer()
        super().__init__()
        self.clean: CleanTab | None = None
        self._build()
        self.frame.observe(lambda _: self.guard(self._renew), "wanted")

    def _renew(self) -> None:
        if read_stamp(self.path) != self._stamp:
            self._build()

    def _build(self) -> None:
        self._stamp = read_stamp(self.path)
        self.bundle: ModelBundle | None = None
        self.fault = ""
        try:
            # the hashes are compared when the model opens, in the background
            self.bundle = ModelBundle.load(self.path, verify=False)
        except FastclfError as e:
            self.fault = e.message
        language.maker = {} if self.bundle is None else self.bundle.manifest.translations
        panels: dict[str, widgets.Widget] = {"classify": self._build_classify()}
        if self.clean is not None:
            self.clean.stop()
        if is_owner():
            # only here does anything come to be that can change something
            panels["clean"] = self.clean = self._build_clean()
        if self.bundle is not None:
            folder = _find_photos(self.bundle) if is_owner() else None
            clean_photos = self._clean_photos if is_owner() else None
            panels["about"] = self.about = AboutTab(self.bundle, folder, clean_photos, shares=is_owner())
        self.strip = TabStrip(panels)
        self.strip.layout.display = "none" if len(panels) == 1 else ""
        self.frame.accents = find_accents(_find_text(self.bundle, "colour"))
        self.say_words()
        self.children = [self.head, self.strip, *panels.values(), self.frame, self.viewer]

    def _build_classify(self) -> widgets.Widget:
        if self.bundle is None:
            return widgets.VBox([self.refusal])
        source = ModelSource(self.path)
        inbox = find_inbox()
        # where things lie is the host's business
        private = [] if is_owner() else [str(self.path), *([str(inbox.path)] if inbox else [])]
        self.model = ClassifyModel(source.open, inbox, private)
        side = max(self.bundle.preprocess.input_size[1:])
        panel = ClassifyPanel(self.model, self.bundle.example_files, self.bundle.vocab, side)
        box = widgets.VBox([panel])

        def refuse(fault: str) -> None:
            self.fault = fault
            self._show_refusal()
            box.children = [self.refusal]

        source.start(refuse)
        return box

    def _clean_photos(self, keys: Sequence[int], words: str) -> None:
        """Lead from photos behind a number of the confusion matrix to the same ones in the Clean tab."""
        if self.clean is not None:
            self.strip.show("clean")
            self.clean.show_photos(keys, words)

    def _build_clean(self) -> CleanTab:
        from .clean import CatalogStore

        folder = _find_photos(self.bundle)
        return CleanTab(CatalogStore(folder, self.path, find_inbox(), find_new_folder(folder)))

    def say_words(self) -> None:
        """Say title, intro and refusal in the page's language."""
        self.head.value = self._render_head()
        self._show_refusal()

    def _render_head(self) -> str:
        title = _find_text(self.bundle, "title") or say("Photo classifier")
        words = _find_text(self.bundle, "intro")
        if self.bundle and not words:
            vocab = self.bundle.vocab
            # a word joiner keeps "t-shirt" on one line
            whole = [name_class(label).replace("-", "-\u2060") for label in vocab[:_MOST_NAMED]]
            named = ", ".join(whole) + (" ..." if len(vocab) > _MOST_NAMED else "")
            words = say("Give it a photo and read what it shows. It tells apart: {labels}.", labels=named)
        paragraph = f"<p><bdi>{escape(words)}</bdi></p>" if words else ""
        return f'<header class="fastclf-head"><h1><bdi>{escape(title)}</bdi></h1>{paragraph}</header>'

    def _show_refusal(self) -> None:
        if not self.fault:
            return
        words = translate(self.fault)
        if not is_owner():
            # where the model lies is the host's business
            words = words.replace(str(self.path), self.path.name)
        missing = not (self.path / "bundle.json").is_file()
        heading = say("There is no model yet") if missing else say("The model is refused")
        text = f"<h2>{escape(heading)}</h2>{render_paragraph(words)}"
        self.refusal.value = f'<div class="fastclf-refusal" role="alert">{text}</div>'


def _find_text(bundle: ModelBundle | None, name: str) -> str:
    """Return the maker's title, intro or colour: ``FASTCLF_TITLE`` and so on, else the bundle's."""
    given = os.environ.get(f"FASTCLF_{name.upper()}", "").strip() or find_maker_text(name)
    if given or bundle is None:
        return given
    return str(getattr(bundle.manifest, name)).strip()


def _find_photos(bundle: ModelBundle | None) -> Path:
    return find_photo_folder([] if bundle is None else bundle.vocab)
