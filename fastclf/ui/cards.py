"""Answers as HTML; every name, label and sentence is escaped here."""

from __future__ import annotations

import base64
from html import escape

from .models import Answer, format_share

TOP_K = 5


def render_card(answer: Answer) -> str:
    """Return the card of one photo: picture, answer in words, and a bar for each of the top classes."""
    name = escape(answer.name)
    if answer.prediction.error is not None:
        return (
            '<article class="fastclf-card fastclf-failed">'
            '<div class="fastclf-picture fastclf-no-picture" aria-hidden="true">?</div>'
            f'<div class="fastclf-answer"><h3>No answer</h3><p>{escape(answer.words)}</p></div></article>'
        )
    doubt = " fastclf-doubt" if answer.prediction.unfamiliar else ""
    return (
        f'<article class="fastclf-card{doubt}">{_render_picture(answer)}'
        f'<div class="fastclf-answer"><h3>{escape(answer.words)}</h3>{_render_bars(answer)}'
        f'<p class="fastclf-file">{name}</p></div></article>'
    )


def _render_picture(answer: Answer) -> str:
    data = base64.b64encode(answer.thumbnail or b"").decode("ascii")
    alt = escape(f"Your photo {answer.name}")
    return f'<img class="fastclf-picture" alt="{alt}" src="data:image/jpeg;base64,{data}">'


def _render_bars(answer: Answer) -> str:
    rows = [_render_bar(label, p) for label, p in list((answer.prediction.probs or {}).items())[:TOP_K]]
    return f'<ul class="fastclf-bars">{"".join(rows)}</ul>'


def _render_bar(label: str, probability: float) -> str:
    # the bar repeats the number beside it, so it is decoration for a screen reader
    return (
        f'<li><span class="fastclf-label">{escape(label)}</span>'
        f'<span class="fastclf-track" aria-hidden="true">'
        f'<span class="fastclf-fill" style="width:{probability * 100:.1f}%"></span></span>'
        f'<span class="fastclf-share">{format_share(probability)}</span></li>'
    )
