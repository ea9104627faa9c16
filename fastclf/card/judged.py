"""The card's words about quality: how good the answers are, and how sure they may be called."""

from __future__ import annotations

from typing import Any

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
        header = ["judged on", "n", "error rate", "95 % interval", "log loss", "calibration error"]
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


def _describe_part(words: str, m: dict[str, Any]) -> list[str]:
    low, high = error_interval(m)
    interval = f"{percent(low)} to {percent(high)}"
    error = m.get("error_rate", 1 - m["accuracy"])
    return [words, str(m["n"]), percent(error), interval, number(m.get("loss")), number(m.get("ece"))]


def _describe_openings(manifest: dict[str, Any]) -> list[Block]:
    sealed = manifest.get("sealed_test") or {}
    n, openings = sealed.get("n", 0), sealed.get("openings") or []
    if not openings:
        if not n:
            return [Text("There is no sealed test set.")]
        words = f"The sealed test set ({count(n, 'photo')}) has not been opened, so no figure is based on it."
        return [Text(words)]
    inherited = sum(bool(o.get("inherited")) for o in openings)
    words = f"The sealed test set ({count(n, 'photo')}) was opened {_write_times(len(openings))}."
    if inherited:
        words += f" {inherited} of these by an earlier model: its test photos were no secret to this one."
    if len(openings) > 1:
        words += " Only the first look at it is worth its face value."
    rows = [_describe_opening(o) for o in openings]
    return [Text(words), Table("Openings of the test set", ["when", "by", "n", "accuracy"], rows)]


def _write_times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _describe_opening(opening: dict[str, Any]) -> list[str]:
    m = opening.get("metrics") or opening
    n, accuracy = m.get("n", opening.get("n")), m.get("accuracy")
    by = clean(opening.get("model", "an earlier model")) if opening.get("inherited") else "this model"
    return [
        moment(opening.get("time", "–")),
        by,
        "–" if n is None else str(n),
        "–" if accuracy is None else percent(accuracy),
    ]


def _chart_recalls(words: str, per_class: dict[str, dict[str, Any]]) -> Block:
    rows = [
        (clean(name), c["recall"], *(c.get("recall_interval") or [c["recall"]] * 2), c["n"])
        for name, c in per_class.items()
        if c.get("recall") is not None
    ]
    title = f"Share of each class that is recognised ({words}, with 95 % intervals)"
    if len(rows) > _MOST_ROWS:
        rows = sorted(rows, key=lambda row: row[1])[:_MOST_ROWS]
        title += f"; the worst {_MOST_ROWS}"
    return Chart(title, draw_shares(title, rows))


def describe_sureness(manifest: dict[str, Any]) -> Section:
    """Say what stated probabilities are worth, and how many answers may be called sure."""
    blocks: list[Block] = []
    parts = judged_parts(manifest)
    for words, m in parts:
        if m.get("sure"):
            blocks.append(Text(write_sure(m["sure"], words)))
        elif m.get("coverage"):
            blocks.append(Text(f"On the {words} there is no probability from which on answers are sure."))
        if m.get("ece") is not None:
            blocks.append(Text(_describe_calibration(words, m)))
    for words, m in parts:
        blocks += _chart_sureness(words, m)
    temperature = manifest.get("temperature")
    if temperature is not None:
        blocks.append(Text(f"Logits are divided by a temperature of {temperature:.3f}."))
    if not parts:
        blocks.append(Text("What its stated probabilities are worth is not known."))
    return Section("How sure it is", blocks)


def write_sure(sure: dict[str, Any], words: str) -> str:
    """Write how many answers are sure, and how right these are."""
    right = share_of(sure["accuracy"], sure.get("interval"), sure["n"])
    which = f"Sure ({percent(sure['threshold'], 0)} and more) on {percent(sure['coverage'])} of the {words}"
    return f"{which}, right on {right} of those."


def _describe_calibration(words: str, m: dict[str, Any]) -> str:
    raw = m.get("ece_raw")
    before = "" if raw is None else f" ({percent(raw)} before temperature scaling)"
    return f"On the {words}, stated probabilities are off by {percent(m['ece'])} on average{before}."


def _chart_sureness(words: str, m: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    curves = m.get("reliability") or {}
    if curves.get("calibrated"):
        svg = draw_reliability(curves["calibrated"], curves.get("raw"))
        blocks.append(Chart(f"Stated probability against the share that is right ({words})", svg))
    if m.get("coverage"):
        sure: dict[str, Any] | None = m.get("sure")
        svg = draw_coverage(m["coverage"], (sure["coverage"], sure["accuracy"]) if sure else None)
        blocks.append(Chart(f"Accuracy when only the surest photos are answered ({words})", svg))
    return blocks
