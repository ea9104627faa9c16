"""What the About tab says of a model, part by part, as HTML in the page's language."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

from ... import __version__
from ...card import (
    Confusion,
    Section,
    Text,
    build_card_html,
    clean,
    describe_data,
    describe_failures,
    describe_licences,
    describe_quality,
    describe_refits,
    describe_sureness,
    describe_training,
    draw_coverage,
    draw_reliability,
    find_limits,
    judged_parts,
    moment,
    name_list,
    percent,
)
from ...model import IMPORTED
from ..texts import fill, find_text, language, say, translate
from .model import ConfusionTable, find_headline
from .render import CardHtml, isolate, write_text

_logger = logging.getLogger(__name__)


def attempt(make: Callable[[], str]) -> str:
    """Return a part of the page, or a sentence where a manifest's figures are not as expected."""
    try:
        return make()
    except Exception:
        _logger.exception("a part of the About tab could not be made")
        return render_fault()


def render_fault() -> str:
    """Return the sentence that stands in for a part."""
    words = say("This part of the model card cannot be shown: its figures are not as expected.")
    return f'<p class="fastclf-error">{escape(words)}</p>'


def render_purpose(manifest: dict[str, Any]) -> str:
    """Return what the model is good for, and for what not."""
    vocab = manifest["vocab"]
    n = ((manifest.get("metrics") or {}).get("train") or {}).get("n")
    intro = say("It tells {n} classes apart: {names}.", n=len(vocab), names=isolate(name_list(vocab)))
    good = (
        say("Telling these apart in photos like the {n} that it learned from.", n=n)
        if n
        else say("Telling these apart in photos like those that it learned from.")
    )
    limits = "".join(
        f"<li>{write_text(_say_limit(limit.text, limit.values))}</li>" for limit in find_limits(manifest)
    )
    return (
        f'<section class="fastclf-about-part"><h2>{escape(say("What it is for"))}</h2>'
        f"<p>{write_text(intro)}</p>"
        '<div class="fastclf-about-uses">'
        f'<div class="fastclf-about-good"><h3>{escape(say("Good for"))}</h3>'
        f"<ul><li>{write_text(good)}</li></ul></div>"
        f'<div class="fastclf-about-bad"><h3>{escape(say("Not for"))}</h3><ul>{limits}</ul></div>'
        "</div></section>"
    )


def _say_limit(text: str, values: dict[str, Any]) -> str:
    # names are values in every language; which photos is words
    said = {key: translate(v) if key == "part" else v for key, v in values.items()}
    said |= {key: isolate(v) for key, v in values.items() if key in ("label", "answer", "name")}
    return fill(find_text(text, language.code), said)


def render_quality(manifest: dict[str, Any]) -> str:
    """Return how often it is right, in one sentence."""
    return (
        f'<section class="fastclf-about-part"><h2>{escape(say("How good it is"))}</h2>'
        f"{_render_headline(manifest)}</section>"
    )


def _render_headline(manifest: dict[str, Any]) -> str:
    found = find_headline(manifest)
    if found is None:
        if (manifest.get("training") or {}).get("mode") == IMPORTED:
            words = say(
                "How often it is right is not known: it was made elsewhere, without the photos that it "
                "learned from."
            )
        else:
            words = say("How often it is right is not known: nobody has measured it on labelled photos.")
        return f'<p class="fastclf-about-headline">{write_text(words)}</p>'
    right, of = f'<b class="fastclf-about-figure">{found.right:,}</b>', f"<b>{found.of:,}</b>"
    sentence = (
        say("Right on {right} of {of} photos that it had never seen", right="\0", of="\1")
        if found.sealed
        else say("Right on {right} of {of} photos that it did not learn from", right="\0", of="\1")
    )
    sentence = write_text(sentence).replace("\0", right).replace("\1", of)
    interval = say(
        "(95 % interval {low} to {high}, n = {n})",
        low=percent(found.low),
        high=percent(found.high),
        n=found.n,
    )
    note = (
        "" if found.sealed else say("These photos also helped to tune it, so this may be slightly too good.")
    )
    return (
        f'<p class="fastclf-about-headline">{sentence} '
        f'<span class="fastclf-about-interval">{write_text(interval)}</span></p>'
        + (f'<p class="fastclf-about-soft">{write_text(note)}</p>' if note else "")
    )


def render_confusion_intro(manifest: dict[str, Any], table: ConfusionTable | None) -> str:
    """Return the heading above the confusion matrix and what it comes to.

    Parameters
    ----------
    manifest
        Of the model.
    table
        What is shown below; None where there is nothing to show.
    """
    lines = [_say_no_table(manifest)] if table is None else _say_table(table)
    body = "".join(f"<p>{write_text(line)}</p>" for line in lines)
    kind = "fastclf-about-part" if table is None else "fastclf-about-part fastclf-about-lead"
    return f'<section class="{kind}"><h2>{escape(say("What it mixes up"))}</h2>{body}</section>'


def _say_no_table(manifest: dict[str, Any]) -> str:
    if not judged_parts(manifest):
        return say("Which classes it mixes up is not known, because nobody has measured it.")
    return say("Which classes it mixes up is not on record.")


def _say_table(table: ConfusionTable) -> list[str]:
    photos = say("Counted on {n} validation photos.", n=table.n)
    if table.part == "test":
        photos = say("Counted on {n} sealed test photos.", n=table.n)
    lines = [f"{_say_worst(table)} {photos}"]
    if len(table.names) < table.classes:
        lines.append(
            say("The {n} classes of {all} that are mixed up most.", n=len(table.names), all=table.classes)
        )
    return lines


def _say_worst(table: ConfusionTable) -> str:
    worst = table.find_worst()
    if worst is None:
        return say("No photo was taken for another class.")
    row, column = worst
    n = table.counts[row][column]
    label, answer = isolate(table.names[row]), isolate(table.names[column])
    values = {"n": n, "of": table.totals[row], "label": label, "answer": answer}
    if n == 1:
        return say("The most frequent mix-up: 1 of {of} photos of {label} was called {answer}.", **values)
    return say("The most frequent mix-up: {n} of {of} photos of {label} were called {answer}.", **values)


def render_sureness(manifest: dict[str, Any]) -> str:
    """Return what its stated probabilities are worth: a sentence, and two plots."""
    parts = judged_parts(manifest)
    body = "".join(f"<p>{write_text(line)}</p>" for line in _say_sureness(parts))
    charts = _render_charts(manifest, parts[-1][1]) if parts else ""
    return (
        f'<section class="fastclf-about-part"><h2>{escape(say("How sure it is"))}</h2>{body}'
        + (f'<div class="fastclf-about-charts">{charts}</div>' if charts else "")
        + "</section>"
    )


def _say_sureness(parts: list[tuple[str, dict[str, Any]]]) -> list[str]:
    if not parts:
        return [say("What its percentages are worth is not known, because nobody has measured it.")]
    m, lines = parts[-1][1], []
    if sure := m.get("sure"):
        least, share, right = (
            percent(sure["threshold"], 0),
            percent(sure["coverage"], 0),
            percent(sure["accuracy"]),
        )
        lines.append(
            say(
                "It says {least} or more on {share} of the photos, and is right on {right} of those "
                "(n = {n}).",
                least=least,
                share=share,
                right=right,
                n=sure["n"],
            )
        )
    elif m.get("coverage"):
        lines.append(say("There is no percentage from which on its answers are surely right."))
    if m.get("ece") is not None:
        lines.append(say("Its percentages are off by {share} on average.", share=percent(m["ece"])))
    return lines


def _render_charts(manifest: dict[str, Any], m: dict[str, Any]) -> str:
    html, charts = CardHtml(clean(name) for name in manifest["vocab"]), []
    curves = m.get("reliability") or {}
    if curves.get("calibrated"):
        caption = say(
            "When it says 90 %, is it right 9 times of 10? The closer the dots are to the dotted line, the "
            "more its percentages can be believed; larger dots are more photos."
        )
        charts.append(html.render_chart(draw_reliability(curves["calibrated"], curves.get("raw")), caption))
    if m.get("coverage"):
        sure = m.get("sure")
        svg = draw_coverage(m["coverage"], (sure["coverage"], sure["accuracy"]) if sure else None)
        caption = say("If it answered only the photos it is surest of, how often would it be right?")
        charts.append(html.render_chart(svg, caption))
    return "".join(charts)


def render_rest(manifest: dict[str, Any], table: ConfusionTable | None) -> str:
    """Return the rest of the card, each part behind its heading."""
    html = CardHtml(clean(name) for name in manifest["vocab"])
    parts = [
        attempt(lambda: html.render_section(_collect_figures(manifest), title=say("All figures"))),
        attempt(lambda: html.render_section(_collect_failures(manifest, table))),
        attempt(lambda: html.render_section(describe_data(manifest))),
        attempt(lambda: html.render_section(describe_training(manifest))),
        attempt(lambda: "".join(map(html.render_section, describe_refits(manifest)))),
        attempt(lambda: html.render_section(describe_licences(manifest))),
    ]
    return f'<div class="fastclf-about-rest">{"".join(parts)}</div>'


def _collect_figures(manifest: dict[str, Any]) -> Section:
    """Return the card's figures; its plots of sureness stand above already."""
    quality, sureness = describe_quality(manifest), describe_sureness(manifest)
    return replace(quality, blocks=[*quality.blocks, *(b for b in sureness.blocks if isinstance(b, Text))])


def _collect_failures(manifest: dict[str, Any], table: ConfusionTable | None) -> Section:
    failures = describe_failures(manifest)
    return replace(failures, blocks=[b for b in failures.blocks if not _is_shown(b, table)])


def _is_shown(block: object, table: ConfusionTable | None) -> bool:
    """Tell the card's own table of what the matrix above shows already."""
    if not isinstance(block, Confusion) or table is None or len(table.names) < table.classes:
        return False
    return tuple(tuple(row) for row in block.matrix) == table.counts


def render_foot(manifest: dict[str, Any]) -> str:
    """Return privacy, versions and the card to take along."""
    privacy = say(
        "Your photos stay in this session's memory and are gone when you close the page, except one that you "
        "report."
    )
    made = say(
        "The model was made on {time} with fastclf {version}; this page is fastclf {page}.",
        time=isolate(moment(manifest.get("created") or "–")),
        version=isolate(clean(manifest.get("fastclf", "–"))),
        page=isolate(__version__),
    )
    return (
        f'<section class="fastclf-about-part"><h2>{escape(say("Privacy"))}</h2><p>{write_text(privacy)}</p>'
        f'</section><section class="fastclf-about-part"><h2>{escape(say("Version"))}</h2>'
        f"<p>{write_text(made)}</p>{attempt(lambda: _render_download(manifest))}</section>"
    )


def _render_download(manifest: dict[str, Any]) -> str:
    data = base64.b64encode(build_card_html(manifest).encode()).decode("ascii")
    return (
        '<p><a class="fastclf-link-button" download="card.html" '
        f'href="data:text/html;charset=utf-8;base64,{data}">{escape(say("Download the model card"))}</a></p>'
    )
