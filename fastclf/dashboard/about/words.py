"""What the About tab says of a model, part by part, as HTML in the page's language."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

from ... import __version__
from ...card import (
    Block,
    Confusion,
    HtmlBlocks,
    Section,
    Text,
    build_card_html,
    chart_sureness,
    clean,
    describe_classes,
    describe_data,
    describe_failures,
    describe_learning,
    describe_licences,
    describe_quality,
    describe_refits,
    describe_sureness,
    describe_training,
    describe_use,
    error_interval,
    find_limits,
    is_useful,
    judged_parts,
    moment,
    percent,
    write_text,
)
from ...errors import Message, count_message, join_messages
from ...model import IMPORTED
from ..texts import name_class, say, translate, write_count
from ..widgets import render_download
from .model import ConfusionTable, scale_share

_logger = logging.getLogger(__name__)
_MOST_NAMED = 5
_card = HtmlBlocks(translate)


def attempt(render: Callable[..., str], *args: object) -> str:
    """Return a part of the page, or a sentence where a manifest's figures are not as expected."""
    try:
        return render(*args)
    except Exception:
        _logger.exception("a part of the About tab could not be made")
        return render_fault()


def render_fault() -> str:
    """Return the sentence that stands in for a part."""
    words = say("This part of the model card cannot be shown: its figures are not as expected.")
    return f'<p class="fastclf-error">{escape(words)}</p>'


def _render_purpose(manifest: dict[str, Any], _: ConfusionTable | None) -> str:
    """Return what the model is good for, and for what not."""
    kind = "fastclf-about-good" if is_useful(manifest) else "fastclf-about-good fastclf-about-unsure"
    limits = "".join(f"<li>{write_text(translate(limit))}</li>" for limit in find_limits(manifest))
    named = {**manifest, "vocab": [name_class(label) for label in manifest["vocab"]]}
    return _render_part(
        say("What it is for"),
        f"<p>{write_text(translate(describe_classes(named)))}</p>"
        '<div class="fastclf-about-uses">'
        f'<div class="{kind}"><h3>{escape(say("Good for"))}</h3>'
        f"<ul><li>{write_text(translate(describe_use(manifest)))}</li></ul></div>"
        f'<div class="fastclf-about-bad"><h3>{escape(say("Not for"))}</h3><ul>{limits}</ul></div></div>',
    )


def _render_quality(manifest: dict[str, Any], _: ConfusionTable | None) -> str:
    """Return how often it is right, in one sentence: by the opened test set, else by validation."""
    heading, parts = say("How good it is"), judged_parts(manifest)
    if not parts:
        words = say("How often it is right is not known: nobody has measured it on labelled photos.")
        if (manifest.get("training") or {}).get("mode") == IMPORTED:
            words = say(
                "How often it is right is not known: it was made elsewhere, without the photos that it "
                "learned from."
            )
        return _render_part(heading, f'<p class="fastclf-about-headline">{write_text(words)}</p>')
    m = parts[-1][1]
    sealed = m is manifest["metrics"].get("test")
    body = f'<p class="fastclf-about-headline">{_render_share(m, sealed=sealed)}</p>'
    if not sealed:
        note = say("These photos also helped to tune it, so this may be slightly too good.")
        body += f'<p class="fastclf-about-soft">{write_text(note)}</p>'
    return _render_part(heading, body)


def _render_share(m: dict[str, Any], *, sealed: bool) -> str:
    if sealed:
        sentence = say("Right on {right} of {of} photos that it had never seen", right="\0", of="\1")
    else:
        sentence = say("Right on {right} of {of} photos that it did not learn from", right="\0", of="\1")
    n, of = scale_share(m["accuracy"], m["n"])
    right = f'<b class="fastclf-about-figure">{write_count(n)}</b>'
    sentence = write_text(sentence).replace("\0", right).replace("\1", f"<b>{write_count(of)}</b>")
    low, high = (percent(1 - end) for end in reversed(error_interval(m)))
    interval = say("(95 % interval {low} to {high}, n = {n})", low=low, high=high, n=m["n"])
    return f'{sentence} <span class="fastclf-about-interval">{write_text(interval)}</span>'


def _render_confusion_intro(manifest: dict[str, Any], table: ConfusionTable | None) -> str:
    """Return the heading above the confusion matrix and what it comes to."""
    heading = say("What it mixes up")
    if table is not None:
        return _render_part(heading, _render_lines(_say_table(table)), " fastclf-about-lead")
    if judged_parts(manifest):
        return _render_part(heading, _render_lines([say("Which classes it mixes up is not on record.")]))
    words = say("Which classes it mixes up is not known, because nobody has measured it.")
    return _render_part(heading, _render_lines([words]))


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
    if not worst:
        return say("No photo was taken for another class.")
    if len(worst) > 1:
        return _say_equally_bad(table, worst)
    row, column = worst[0]
    n, of = table.counts[row][column], table.totals[row]
    values = {"n": n, "of": of, "label": _name(table, row), "answer": _name(table, column)}
    if n == 1:
        return say("The most frequent mix-up: 1 of {of} photos of {label} was called {answer}.", **values)
    return say("The most frequent mix-up: {n} of {of} photos of {label} were called {answer}.", **values)


def _name(table: ConfusionTable, k: int) -> str:
    return name_class(table.labels[k], clean)


def _say_equally_bad(table: ConfusionTable, worst: list[tuple[int, int]]) -> str:
    """Say several mix-ups that are equally frequent; all of them, or how many more there are."""
    pairs = [
        Message("{label} called {answer}", label=_name(table, row), answer=_name(table, column))
        for row, column in worst[:_MOST_NAMED]
    ]
    named: Message = join_messages(pairs, ", ")
    if len(worst) > _MOST_NAMED:
        named = Message("{names} and {n} more", names=named, n=len(worst) - _MOST_NAMED)
    row, column = worst[0]
    words = count_message(
        table.counts[row][column],
        "The most frequent mix-ups, 1 photo each: {pairs}.",
        "The most frequent mix-ups, {n} photos each: {pairs}.",
        pairs=named,
    )
    return translate(words)


def _render_sureness(manifest: dict[str, Any], _: ConfusionTable | None) -> str:
    """Return what its stated probabilities are worth: a sentence, and two plots."""
    heading, parts = say("How sure it is"), judged_parts(manifest)
    if not parts:
        words = say("What its percentages are worth is not known, because nobody has measured it.")
        return _render_part(heading, _render_lines([words]))
    m = parts[-1][1]
    charts = chart_sureness(
        m,
        Message(
            "When it says 90 %, is it right 9 times of 10? The closer the dots are to the dotted line, the "
            "more its percentages can be believed; larger dots are more photos."
        ),
        Message("If it answered only the photos it is surest of, how often would it be right?"),
    )
    return _render_part(heading, _render_lines(_say_sureness(m)) + _card.render(charts))


def _say_sureness(m: dict[str, Any]) -> list[str]:
    lines = []
    if sure := m.get("sure"):
        lines.append(
            say(
                "It says {least} or more on {share} of the photos, and is right on {right} of those "
                "(n = {n}).",
                least=percent(sure["threshold"], 0),
                share=percent(sure["coverage"], 0),
                right=percent(sure["accuracy"]),
                n=sure["n"],
            )
        )
    elif m.get("coverage"):
        lines.append(say("There is no percentage from which on its answers are surely right."))
    if m.get("ece") is not None:
        lines.append(say("Its percentages are off by {share} on average.", share=percent(m["ece"])))
    if sets := m.get("sets"):
        lines.append(
            say(
                "Where one class is not enough it names several: {share} of the photos had their class among "
                "those named.",
                share=percent(sets["covered"]),
            )
        )
    return lines


def _render_rest(manifest: dict[str, Any], table: ConfusionTable | None) -> str:
    """Return the rest of the card, each part behind its heading."""
    makers: list[Callable[[], list[Section]]] = [
        lambda: [_collect_figures(manifest)],
        lambda: [_collect_failures(manifest, table)],
        lambda: describe_learning(manifest),
        lambda: [describe_data(manifest)],
        lambda: [describe_training(manifest)],
        lambda: describe_refits(manifest),
        lambda: [describe_licences(manifest)],
    ]
    parts = (attempt(lambda make: "".join(map(_fold, make())), make) for make in makers)
    return f'<div class="fastclf-about-rest">{"".join(parts)}</div>'


def _fold(section: Section) -> str:
    """Return a section that a person unfolds."""
    return (
        f'<details class="fastclf-about-more"><summary><h2>{escape(translate(section.title))}</h2></summary>'
        f'<div class="fastclf-about-body">{_card.render(section.blocks)}</div></details>'
    )


def _collect_figures(manifest: dict[str, Any]) -> Section:
    """Return the card's figures; its plots of sureness stand above already."""
    sureness = (block for block in describe_sureness(manifest).blocks if isinstance(block, Text))
    return Section(Message("All figures"), [*describe_quality(manifest).blocks, *sureness])


def _collect_failures(manifest: dict[str, Any], table: ConfusionTable | None) -> Section:
    failures = describe_failures(manifest)
    return replace(failures, blocks=[b for b in failures.blocks if not _is_shown(b, table)])


def _is_shown(block: Block, table: ConfusionTable | None) -> bool:
    """Tell the card's own table of what the matrix above shows already."""
    if not isinstance(block, Confusion) or table is None or len(table.names) < table.classes:
        return False
    return tuple(tuple(row) for row in block.matrix) == table.counts


def _render_foot(manifest: dict[str, Any], _: ConfusionTable | None) -> str:
    """Return versions and the card to take along; what becomes of photos is said in the page's foot."""
    made = say(
        "The model was made on {time} with fastclf {version}; this page is fastclf {page}.",
        time=moment(manifest.get("created") or "–"),
        version=clean(manifest.get("fastclf", "–")),
        page=__version__,
    )
    download = attempt(_render_download, manifest)
    return _render_part(say("Version"), _render_lines([made]) + download)


def _render_download(manifest: dict[str, Any]) -> str:
    card = build_card_html(manifest).encode()
    return f"<p>{render_download('card.html', 'text/html', card, say('Download the model card'))}</p>"


def _render_part(heading: str, body: str, kind: str = "") -> str:
    return f'<section class="fastclf-about-part{kind}"><h2>{escape(heading)}</h2>{body}</section>'


def _render_lines(lines: list[str]) -> str:
    return "".join(f"<p>{write_text(line)}</p>" for line in lines)


# The parts above and below the confusion matrix.
ABOVE = (_render_purpose, _render_quality, _render_confusion_intro)
BELOW = (_render_sureness, _render_rest, _render_foot)
