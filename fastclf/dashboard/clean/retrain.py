"""The Retrain part of the Clean tab."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from html import escape

import ipywidgets as widgets

from ...errors import FastclfError
from ...head import ChangedPhoto, Refit
from ..texts import say, translate
from ..widgets import SpokenBox, Status, build_data_url, build_row, logged, render_paragraph, render_status
from .retrain_model import RetrainModel

MOST_CHANGED = 60


class RetrainPanel(SpokenBox):
    """Retrain, once no choice is pending; compare; choose."""

    def __init__(
        self,
        model: RetrainModel,
        count_pending: Callable[[], int],
        read_thumbnail: Callable[[int], bytes | None],
    ) -> None:
        self.model = model
        self._count_pending = count_pending
        self._read_thumbnail = read_thumbnail
        self.head, self.reason, self.comparison = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.button = widgets.Button(button_style="primary")
        self.note, self.clock = (
            widgets.HTML().add_class("fastclf-note"),
            widgets.HTML().add_class("fastclf-clock"),
        )
        self.use_new, self.keep_old = widgets.Button(button_style="primary"), widgets.Button()
        self._choice = build_row(self.use_new, self.keep_old)
        said = widgets.HBox([self.note, self.clock]).add_class("fastclf-retrain-said")
        super().__init__(
            [self.head, build_row(self.button, self.reason), said, self.comparison, self._choice]
        )
        self.add_class("fastclf-retrain")
        self._link()
        self.say_words()

    def say_words(self) -> None:
        """Say everything in the page's language."""
        hint = say("Teach the model the current labels. The old one stays until you choose.")
        self.head.value = f"<h2>{escape(say('Retrain the model'))}</h2>{render_paragraph(hint)}"
        self.button.description = say("Retrain")
        self.use_new.description, self.keep_old.description = say("Use the new one"), say("Keep the old one")
        self.refresh()

    def refresh(self) -> None:
        """Bring the button and the reason beside it up to date."""
        self.guard(self._show_state)

    def show_failure(self) -> None:
        """Show that what was asked for did not work."""
        self.note.value = render_status(Status.ERROR, say("That did not work. Reload the page."))

    def _link(self) -> None:
        model = self.model
        self.button.on_click(lambda _: self.guard(lambda: model.start(self._count_pending())))
        self.use_new.on_click(lambda _: self.guard(model.use_new))
        self.keep_old.on_click(lambda _: self.guard(model.keep_old))
        model.observe(lambda _: self.refresh(), ["status", "message", "result"])
        model.observe(lambda _: self.guard(self._show_seconds), "seconds")

    def _show_seconds(self) -> None:
        busy = self.model.status is Status.BUSY and self.model.seconds
        words = escape(say("{n} s", n=self.model.seconds))
        self.clock.value = f'<p role="timer">{words}</p>' if busy else ""

    def _show_state(self) -> None:
        model = self.model
        blocker = model.find_blocker(self._count_pending())
        self.button.disabled = bool(blocker)
        busy = model.status is Status.BUSY
        self.reason.value = "" if busy else render_paragraph(translate(blocker))
        self._show_seconds()
        self.note.value = render_status(model.status, translate(model.message))
        comparison = "" if model.result is None else self._render(model.result)
        if comparison != self.comparison.value:
            self.comparison.value = comparison
        self._choice.layout.display = "none" if model.result is None else ""

    def _render(self, result: Refit) -> str:
        notes = "".join(render_paragraph(translate(note)) for note in result.notes)
        return (
            f'<div class="fastclf-compare">{_render_accuracies(result)}{notes}'
            f"{self._render_changed(result.changed)}</div>"
        )

    def _render_changed(self, changed: tuple[ChangedPhoto, ...]) -> str:
        if not changed:
            return render_paragraph(say("No answer changed between right and wrong."))
        better = [photo for photo in changed if photo.after == photo.label]
        worse = [photo for photo in changed if photo.after != photo.label]
        return self._render_side(say("Now right"), better) + self._render_side(say("Now wrong"), worse)

    def _render_side(self, title: str, photos: list[ChangedPhoto]) -> str:
        if not photos:
            return ""
        left = len(photos) - MOST_CHANGED
        more = render_paragraph(say("... and {n} more.", n=left)) if left > 0 else ""
        rows = "".join(self._render_photo(photo) for photo in photos[:MOST_CHANGED])
        return f'<h3>{escape(title)} ({len(photos):,})</h3><ul class="fastclf-changed">{rows}</ul>{more}'

    def _render_photo(self, photo: ChangedPhoto) -> str:
        answers = say("answered {before}, now {after}", before=photo.before, after=photo.after)
        return (
            f"<li>{self._render_picture(photo)}<p><b dir='auto'>{escape(photo.label)}</b></p>"
            f'{render_paragraph(answers)}<p class="fastclf-file" dir="auto">{escape(photo.name)}</p></li>'
        )

    def _render_picture(self, photo: ChangedPhoto) -> str:
        picture = None
        # one picture less; the figures and the choice are still shown
        with logged("a thumbnail could not be read"), contextlib.suppress(FastclfError):
            picture = self._read_thumbnail(photo.key)
        if picture is None:
            return '<div class="fastclf-no-picture" aria-hidden="true">?</div>'
        alt = escape(f"{photo.label}: {photo.name}")
        return f'<img alt="{alt}" src="{build_data_url("image/jpeg", picture)}">'


def _render_accuracies(result: Refit) -> str:
    words = say(
        "Right answers on the same {n} validation photos, with the current labels. "
        "Retraining took {seconds} s.",
        n=result.n,
        seconds=f"{result.seconds:.1f}",
    )
    return (
        f"{render_paragraph(words)}"
        f'<table class="fastclf-accuracies" aria-label="{escape(say("Right answers"))}"><tbody>'
        f"{_render_accuracy(say('Old model'), result.before, result.n)}"
        f"{_render_accuracy(say('New model'), result.after, result.n)}</tbody></table>"
    )


def _render_accuracy(title: str, accuracy: float, n: int) -> str:
    counted = escape(say("{right} of {n}", right=round(accuracy * n), n=n))
    return f"<tr><th scope='row'>{escape(title)}</th><td>{accuracy * 100:.1f} %</td><td>{counted}</td></tr>"
