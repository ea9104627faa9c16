"""The card's words on whether more photos would help."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import Message
from .blocks import Block, Chart, Section, Text, clean, percent
from .charts import draw_lines


def describe_learning(manifest: dict[str, Any]) -> list[Section]:
    """Show accuracy by the number of training photos, and say what twice as many would bring."""
    curve = (manifest.get("training") or {}).get("learning_curve")
    if not curve:
        return []
    words = say_doubling(curve)
    if words is None:
        words = Message("Going by these photos, it cannot be told whether more of them would help.")
    blocks: list[Block] = [Text(words), _draw(curve)]
    if curve.get("draws", 0) > 1:
        drawn = "Points of fewer photos are means of {n} draws, judged on the validation photos."
        blocks.append(Text(Message(drawn, n=curve["draws"])))
    return [Section("Would more photos help?", blocks)]


def say_doubling(curve: dict[str, Any]) -> Message | None:
    """Say what twice the training photos would bring, None where the curve cannot tell."""
    if not curve.get("doubled"):
        return None
    then, low, high = map(percent, curve["doubled"])
    now = percent(curve["points"][-1][1])
    values = {"now": now, "then": then, "low": low, "high": high}
    if not curve.get("gains"):
        words = "With twice the training photos: {now} right → about {then} ({low} to {high})."
        return Message(words, **values)
    words = (
        "With twice the training photos: {now} right → about {then} ({low} to {high}); photos of {label} "
        "help most."
    )
    return Message(words, **values, label=clean(curve["gains"]))


def _draw(curve: dict[str, Any]) -> Chart:
    points = [(float(n), float(share)) for n, share in curve["points"]]
    lines = {"measured": points}
    if curve.get("doubled"):
        lines["expected"] = [points[-1], (2 * points[-1][0], float(curve["doubled"][0]))]
    title = "Validation accuracy by the number of training photos"
    draw = partial(draw_lines, title, lines, x_label="training photos", y_label="accuracy", percent=True)
    return Chart(title, draw)
