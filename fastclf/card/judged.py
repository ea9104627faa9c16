"""The card's words about quality: how good the answers are, and how sure they may be called."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import Message, join_messages
from .blocks import (
    Block,
    Chart,
    Section,
    Table,
    Text,
    clean,
    count,
    error_interval,
    judged_parts,
    moment,
    number,
    percent,
    share_of,
)
from .charts import draw_coverage, draw_reliability, draw_shares

_MOST_ROWS = 40


def describe_quality(manifest: dict[str, Any]) -> Section:
    """Say how good the answers are, on which photos, and how often the test set was opened."""
    blocks: list[Block] = []
    parts = judged_parts(manifest)
    if parts:
        rows = [_describe_part(words, m) for words, m in parts]
        header = ["judged on", "n", "error rate", "95 % interval", "balanced accuracy", "log loss"]
        header.append("calibration error")
        blocks.append(Table("Error rates", header, rows))
        note = "The validation photos chose the temperature, so the figures on them are slightly too good."
        blocks.append(Text(note))
    else:
        blocks.append(
            Text("Not known: no figure on labelled photos is on record; fastclf evaluate judges it.")
        )
    blocks += _describe_openings(manifest)
    for words, m in parts:
        if m.get("per_class"):
            blocks.append(_chart_recalls(words, m["per_class"]))
    return Section("How good it is", blocks)


def _describe_part(words: Message, m: dict[str, Any]) -> list[str]:
    low, high = map(percent, error_interval(m))
    interval = Message("{low} to {high}", low=low, high=high)
    error = m.get("error_rate", 1 - m["accuracy"])
    balanced = m.get("balanced_accuracy")
    figures = ["–" if balanced is None else percent(balanced), number(m.get("loss")), number(m.get("ece"))]
    return [words, count(m["n"]), percent(error), interval, *figures]


def _describe_openings(manifest: dict[str, Any]) -> list[Block]:
    sealed = manifest.get("sealed_test") or {}
    n, openings = sealed.get("n", 0), sealed.get("openings") or []
    if not openings and not n:
        return [Text("There is no sealed test set.")]
    photos = Message("1 photo") if n == 1 else Message("{n} photos", n=n)
    if not openings:
        words = "The sealed test set ({photos}) has not been opened, so no figure is based on it."
        return [Text(Message(words, photos=photos))]
    times = len(openings)
    words = {
        1: "The sealed test set ({photos}) was opened once.",
        2: "The sealed test set ({photos}) was opened twice.",
    }.get(times, "The sealed test set ({photos}) was opened {times} times.")
    said = [Message(words, photos=photos, times=times)]
    inherited = sum(bool(o.get("inherited")) for o in openings)
    if inherited:
        words = "{n} of these by an earlier model: its test photos were no secret to this one."
        said.append(Message(words, n=inherited))
    if times > 1:
        said.append(Message("Only the first look at it is worth its face value."))
    rows = [_describe_opening(o) for o in openings]
    header = ["when", "by", "n", "accuracy"]
    return [Text(join_messages(said)), Table("Openings of the test set", header, rows)]


def _describe_opening(opening: dict[str, Any]) -> list[str]:
    m = opening.get("metrics") or opening
    n, accuracy = m.get("n", opening.get("n")), m.get("accuracy")
    by: str = Message("this model")
    if opening.get("inherited"):
        by = clean(opening["model"]) if "model" in opening else Message("an earlier model")
    return [
        moment(opening.get("time", "–")),
        by,
        "–" if n is None else count(n),
        "–" if accuracy is None else percent(accuracy),
    ]


def _chart_recalls(words: Message, per_class: dict[str, dict[str, Any]]) -> Block:
    rows = [
        (clean(name), c["recall"], *(c.get("recall_interval") or [c["recall"]] * 2), c["n"])
        for name, c in per_class.items()
        if c.get("recall") is not None
    ]
    title = Message("Share of each class that is recognised ({photos}, with 95 % intervals)", photos=words)
    if len(rows) > _MOST_ROWS:
        rows = sorted(rows, key=lambda row: row[1])[:_MOST_ROWS]
        title = Message(
            "Share of each class that is recognised ({photos}, with 95 % intervals); the worst {n}",
            photos=words,
            n=_MOST_ROWS,
        )
    return Chart(title, partial(draw_shares, title, rows))


def describe_sureness(manifest: dict[str, Any]) -> Section:
    """Say what stated probabilities are worth, and how many answers may be called sure."""
    blocks: list[Block] = []
    parts = judged_parts(manifest)
    for words, m in parts:
        if m.get("sure"):
            blocks.append(Text(_describe_sure(words, m["sure"])))
        elif m.get("coverage"):
            none = "On the {photos} there is no probability from which on answers are sure."
            blocks.append(Text(Message(none, photos=words)))
        if m.get("ece") is not None:
            blocks.append(Text(_describe_calibration(words, m)))
        if m.get("sets"):
            blocks.append(Text(_describe_sets(words, m["sets"])))
    for words, m in parts:
        blocks += chart_sureness(
            m,
            Message("Stated probability against the share that is right ({photos})", photos=words),
            Message("Accuracy when only the surest photos are answered ({photos})", photos=words),
        )
    temperature = manifest.get("temperature")
    if temperature is not None:
        blocks.append(Text(Message("Logits are divided by a temperature of {n:.3f}.", n=temperature)))
    if not parts:
        blocks.append(Text("What its stated probabilities are worth is not known."))
    return Section("How sure it is", blocks)


def _describe_sure(words: Message, sure: dict[str, Any]) -> Message:
    return Message(
        "Sure ({least} and more) on {share} of the {photos}, right on {right} of those.",
        least=percent(sure["threshold"], 0),
        share=percent(sure["coverage"]),
        photos=words,
        right=share_of(sure["accuracy"], sure.get("interval"), sure["n"]),
    )


def _describe_sets(words: Message, sets: dict[str, Any]) -> Message:
    said = (
        "Where one class is not enough it names several. Of the {photos}, {share} had their class among "
        "those named (meant: {stated}); {single} had one class alone, {size} on average."
    )
    return Message(
        said,
        photos=words,
        share=share_of(sets["covered"], sets.get("interval"), sets["n"]),
        stated=percent(sets["stated"], 0),
        single=percent(sets["single"]),
        size=f"{sets['size']:.2f}",
    )


def _describe_calibration(words: Message, m: dict[str, Any]) -> Message:
    off, raw = percent(m["ece"]), m.get("ece_raw")
    if raw is None:
        said = "On the {photos}, stated probabilities are off by {share} on average."
        return Message(said, photos=words, share=off)
    said = (
        "On the {photos}, stated probabilities are off by {share} on average ({raw} before temperature "
        "scaling)."
    )
    if off != percent(raw) and m["ece"] > raw:
        said = (
            "On the {photos}, stated probabilities are off by {share} on average; temperature scaling made "
            "that worse ({raw} before)."
        )
    return Message(said, photos=words, share=off, raw=percent(raw))


def chart_sureness(m: dict[str, Any], reliability: str, coverage: str) -> list[Block]:
    """Return the charts of what stated probabilities are worth, as far as there are figures."""
    blocks: list[Block] = []
    curves = m.get("reliability") or {}
    if curves.get("calibrated"):
        draw = partial(draw_reliability, curves["calibrated"], curves.get("raw"))
        blocks.append(Chart(reliability, draw))
    if m.get("coverage"):
        sure = m.get("sure")
        marked = (sure["coverage"], sure["accuracy"]) if sure else None
        blocks.append(Chart(coverage, partial(draw_coverage, m["coverage"], marked)))
    return blocks
