"""The Retrain part of the Clean tab."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from ..errors import FastclfError
from ..refit import ChangedPhoto
from .models import Status
from .retrain_model import RetrainModel
from .review import RetrainResult

_logger = logging.getLogger(__name__)

MOST_CHANGED = 60


class RetrainPanel(widgets.VBox):
    """Retrain, compare, choose.

    Parameters
    ----------
    model
        The state.
    count_pending
        Returns how many choices wait to be applied.
    read_thumbnail
        Returns the JPEG of a photo; may raise.
    """

    def __init__(
        self,
        model: RetrainModel,
        count_pending: Callable[[], int],
        read_thumbnail: Callable[[int], bytes | None],
    ) -> None:
        self.model = model
        self._count_pending = count_pending
        self._read_thumbnail = read_thumbnail
        head = widgets.HTML(
            "<h2>Retrain</h2><p>Teach the model the labels of today. The old one stays until you choose.</p>"
        )
        self.button = widgets.Button(description="Retrain", button_style="primary")
        self.reason = widgets.HTML()
        self.note = widgets.HTML()
        self.note.add_class("fastclf-note")
        self.report = widgets.HTML()
        self.use_new = widgets.Button(description="Use the new one", button_style="primary")
        self.keep_old = widgets.Button(description="Keep the old one")
        self._choice = _build_row([self.use_new, self.keep_old])
        super().__init__([head, _build_row([self.button, self.reason]), self.note, self.report, self._choice])
        self.add_class("fastclf-retrain")
        self._link()

    def refresh(self) -> None:
        """Bring the button and the reason beside it up to date."""
        self._guard(self._show_state)

    def _link(self) -> None:
        self.button.on_click(lambda _: self._guard(lambda: self.model.start(self._count_pending())))
        self.use_new.on_click(lambda _: self._guard(self.model.use_new))
        self.keep_old.on_click(lambda _: self._guard(self.model.keep_old))
        self.model.observe(self._on_state_change, ["status", "message", "result"])
        self.refresh()

    def _guard(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception:
            _logger.exception("retraining: an action failed")
            self.note.value = '<p role="alert" class="fastclf-error">That did not work. Reload the page.</p>'

    def _on_state_change(self, _: Any) -> None:
        self.refresh()

    def _show_state(self) -> None:
        model = self.model
        blocker = model.find_blocker(self._count_pending())
        self.button.disabled = bool(blocker)
        busy = model.status is Status.BUSY
        self.reason.value = f"<p>{escape(blocker)}</p>" if blocker and not busy else ""
        kind = "alert" if model.status is Status.ERROR else "status"
        words = f'<p role="{kind}" class="fastclf-{model.status.value}">{escape(model.message)}</p>'
        self.note.value = words if model.message else ""
        report = "" if model.result is None else self._render(model.result)
        if report != self.report.value:
            self.report.value = report
        self._choice.layout.display = "none" if model.result is None else ""

    def _render(self, result: RetrainResult) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in result.notes)
        return (
            f'<div class="fastclf-compare">{_render_accuracies(result)}{notes}'
            f"{self._render_changed(result.changed)}</div>"
        )

    def _render_changed(self, changed: tuple[ChangedPhoto, ...]) -> str:
        if not changed:
            return "<p>No answer changed between right and wrong.</p>"
        better = [photo for photo in changed if photo.after == photo.label]
        worse = [photo for photo in changed if photo.after != photo.label]
        return self._render_side("Now right", better) + self._render_side("Now wrong", worse)

    def _render_side(self, title: str, photos: list[ChangedPhoto]) -> str:
        if not photos:
            return ""
        left = len(photos) - MOST_CHANGED
        more = f"<p>... and {left} more.</p>" if left > 0 else ""
        rows = "".join(self._render_photo(photo) for photo in photos[:MOST_CHANGED])
        return f'<h3>{title} ({len(photos)})</h3><ul class="fastclf-changed">{rows}</ul>{more}'

    def _render_photo(self, photo: ChangedPhoto) -> str:
        name = escape(photo.name)
        return (
            f"<li>{self._render_picture(photo)}<p><b>{escape(photo.label)}</b></p>"
            f"<p>answer {escape(photo.before)} → {escape(photo.after)}</p>"
            f'<p class="fastclf-file">{name}</p></li>'
        )

    def _render_picture(self, photo: ChangedPhoto) -> str:
        try:
            picture = self._read_thumbnail(photo.key)
        except FastclfError:
            picture = None
        except Exception:
            # one picture less; the figures and the choice are still shown
            _logger.exception("a thumbnail could not be read")
            picture = None
        if picture is None:
            return '<div class="fastclf-no-picture" aria-hidden="true">?</div>'
        data = base64.b64encode(picture).decode("ascii")
        alt = escape(f"{photo.label}: {photo.name}")
        return f'<img alt="{alt}" src="data:image/jpeg;base64,{data}">'


def _render_accuracies(result: RetrainResult) -> str:
    right_before, right_after = round(result.before * result.n), round(result.after * result.n)
    return (
        f"<p>Right answers on the same {result.n:,} validation photos, with the labels of today. "
        f"Retraining took {result.seconds:.1f} s.</p>"
        '<table class="fastclf-accuracies" aria-label="Right answers"><tbody>'
        f"<tr><th scope='row'>Old model</th><td>{_share(result.before)}</td>"
        f"<td>{right_before:,} of {result.n:,}</td></tr>"
        f"<tr><th scope='row'>New model</th><td><b>{_share(result.after)}</b></td>"
        f"<td>{right_after:,} of {result.n:,}</td></tr></tbody></table>"
    )


def _share(accuracy: float) -> str:
    return f"{accuracy * 100:.1f} %"


def _build_row(children: list[widgets.Widget]) -> widgets.HBox:
    row = widgets.HBox(children)
    row.add_class("fastclf-buttons")
    return row
