"""The Retrain part of the Clean tab."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from html import escape

import ipywidgets as widgets

from ...errors import FastclfError
from ...head import ChangedPhoto, Refit, RefitProgress
from ...metrics import PairedDifference
from ..texts import say, translate, write_count
from ..widgets import SpokenBox, Status, build_data_url, build_row, logged, render_paragraph
from .earlier_models import EarlierModels
from .retrain_model import RetrainModel
from .retrain_status import RetrainStatus

MOST_CHANGED = 60


class RetrainPanel(SpokenBox):
    """Retrain, once no choice is pending; compare; choose; go back to an earlier model."""

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
        self.button, self.cancel = widgets.Button(button_style="primary"), widgets.Button()
        self.status = RetrainStatus().add_class("fastclf-retrain-status")
        self.use_new, self.keep_old = widgets.Button(), widgets.Button()
        self._choice = build_row(self.keep_old, self.use_new)
        self.earlier = EarlierModels(self._on_earlier_click)
        start = build_row(self.button, self.cancel, self.reason)
        super().__init__([self.head, start, self.status, self.comparison, self._choice, self.earlier])
        self.add_class("fastclf-retrain")
        self._link()
        self.say_words()

    def say_words(self) -> None:
        """Say everything in the page's language."""
        hint = say("Teach the model the current labels. The old one stays until you choose.")
        self.head.value = f"<h2>{escape(say('Retrain the model'))}</h2>{render_paragraph(hint)}"
        self.button.description, self.cancel.description = say("Retrain"), say("Cancel")
        self.use_new.description, self.keep_old.description = say("Use the new one"), say("Keep the old one")
        self.refresh()
        self._list_earlier()

    def refresh(self) -> None:
        """Bring the button and the reason beside it up to date."""
        self.guard(self._show_state)

    def show_failure(self) -> None:
        """Show that what was asked for did not work."""
        self.status.say(Status.ERROR, say("That did not work. Reload the page."))

    def _link(self) -> None:
        model = self.model
        for button, act in (
            (self.button, lambda: model.start(self._count_pending())),
            (self.cancel, model.cancel),
            (self.use_new, model.use_new),
            (self.keep_old, model.keep_old),
        ):
            button.on_click(lambda _, act=act: self._on_click(act))
        model.observe(lambda _: self.refresh(), ["status", "message", "result"])
        model.observe(lambda _: self._list_earlier(), ["status", "result"])
        model.observe(lambda _: self.guard(self._show_progress), ["seconds", "progress"])

    def _on_click(self, act: Callable[[], object]) -> None:
        self.guard(act)
        self.status.take_focus()

    def _on_earlier_click(self, stamp: str) -> None:
        self._on_click(lambda: self.model.use_earlier(stamp))
        self._list_earlier()

    def _list_earlier(self) -> None:
        self.guard(lambda: self.earlier.show(self.model.list_earlier()))

    def _show_progress(self) -> None:
        model = self.model
        if model.status is not Status.BUSY:
            self.status.hide_work()
            return
        share = 0.0 if model.progress is None else model.progress.share
        seconds = say("{n} s", n=model.seconds) if model.seconds else ""
        self.status.show_work(share, f"{_say_step(model.progress)} {seconds}".strip())

    def _show_state(self) -> None:
        model = self.model
        blocker, busy = model.find_blocker(self._count_pending()), model.status is Status.BUSY
        self.button.disabled = bool(blocker)
        self.cancel.layout.display = "" if busy else "none"
        self.reason.value = "" if busy else render_paragraph(translate(blocker))
        self._show_progress()
        self.status.say(model.status, translate(model.message))
        comparison = "" if model.result is None else self._render(model.result)
        if comparison != self.comparison.value:
            self.comparison.value = comparison
        self._show_choice(model.result)

    def _show_choice(self, result: Refit | None) -> None:
        """Put the button first, and make it the primary one, that the figures speak for."""
        better = result is not None and result.difference.is_better
        buttons = (self.use_new, self.keep_old) if better else (self.keep_old, self.use_new)
        for button, style in zip(buttons, ("primary", ""), strict=True):
            button.button_style = style
        if self._choice.children != buttons:
            self._choice.children = buttons
        self._choice.layout.display = "none" if result is None else ""

    def _render(self, result: Refit) -> str:
        notes = "".join(render_paragraph(translate(note)) for note in result.notes)
        return (
            f'<div class="fastclf-compare">{_render_verdict(result.difference)}{_render_accuracies(result)}'
            f"{notes}{self._render_changed(result.changed)}</div>"
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
        heading = f"<h3>{escape(title)} ({write_count(len(photos))})</h3>"
        return f'{heading}<ul class="fastclf-changed">{rows}</ul>{more}'

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


def _say_step(progress: RefitProgress | None) -> str:
    if progress is None or progress.step == "scan":
        return say("Looking through the photos ...")
    if progress.step == "features":
        i, n = progress.done, progress.total
        return say("Looking at photo {i} of {n} ...", i=i, n=n) if n else say("Looking at the photos ...")
    return say("Fitting ...") if progress.step == "fit" else say("Judging the new model ...")


def _render_verdict(found: PairedDifference) -> str:
    """Return what the figures mean, the interval of the change, and what to do."""
    if found.is_better:
        verdict, advice = say("The new model is measurably better."), say("Use the new one.")
    elif found.is_worse:
        verdict = say("The new model is measurably worse.")
        advice = say("Keep the old one, and look at what is now wrong: a label may be mistaken there.")
    else:
        verdict = say("No measurable difference.")
        advice = say(
            "Keep the old one, or correct more labels and retrain. More validation photos would tell smaller "
            "differences."
        )
    change = say(
        "Change in right answers: {change} percentage points (95 % interval {low} to {high}). Only photos on "
        "which the two differ count.",
        change=_write_points(found.difference),
        low=_write_points(found.low),
        high=_write_points(found.high),
    )
    return f'<h3 tabindex="-1">{escape(verdict)}</h3>{render_paragraph(change)}{render_paragraph(advice)}'


def _write_points(share: float) -> str:
    words = f"{share * 100:+.1f}"
    return "0.0" if words in ("+0.0", "-0.0") else words.replace("-", "−")


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
    share = f"<bdi dir='ltr'>{accuracy * 100:.1f} %</bdi>"
    return f"<tr><th scope='row'>{escape(title)}</th><td>{share}</td><td>{counted}</td></tr>"
