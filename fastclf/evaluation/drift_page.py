"""A comparison with the training photos as text, and as one HTML file that asks nobody for anything."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path

from ..errors import UnreadablePhotoError
from ..photos import MAX_FOLDER_BYTES, decode_photo, encode_jpeg, make_thumbnail
from ..system import write_atomic
from .drift import CLASSES, FEATURES, UNFAMILIAR, Drift

_WORDS = {
    UNFAMILIAR: "unlike the training photos",
    CLASSES: "shares of the classes",
    FEATURES: "what the photos look like",
}
_REASONS = {
    UNFAMILIAR: "Most unlike the training photos",
    FEATURES: "Most like the other new photos rather than the training photos",
}
_SHOWN = 10
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.45 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem}"
    "table{border-collapse:collapse}"
    "th,td{border-bottom:1px solid #8886;padding:.2rem 1rem .2rem 0;text-align:right}"
    "th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}"
    ".cards{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(10rem,1fr))}"
    "figure{margin:0;min-width:0}figure img{height:9rem;object-fit:contain;width:100%}"
    "figcaption{font-size:.85rem;overflow-wrap:anywhere}"
)


def write_lines(drift: Drift) -> Iterator[str]:
    """Yield what was found, line by line."""
    yield write_verdict(drift)
    yield from drift.notes
    for file, reason in drift.failures:
        yield f"Skipped: {file} {reason}."
    for test, p in drift.p_values.items():
        yield f"  {_WORDS[test]:<28}{_write_p(p)}{'   ALARM' if test in drift.alarms else ''}"
    if line := _write_unfamiliar(drift):
        yield line
    yield "Classes (training → answers → corrected for known mix-ups, with 95 % interval):"
    width = max(len(row.label) for row in drift.classes[:_SHOWN])
    for row in drift.classes[:_SHOWN]:
        yield (
            f"  {row.label:<{width}}  {row.trained:6.1%} → {row.answered:6.1%} → {row.corrected:6.1%}  "
            f"({row.low:.1%} to {row.high:.1%})"
        )
    for reason in dict.fromkeys(driver.why for driver in drift.drivers):
        yield f"{_REASONS[reason]}:"
        for driver in [d for d in drift.drivers if d.why == reason][:_SHOWN]:
            yield f"  {driver.file} (called {driver.label})"


def write_verdict(drift: Drift) -> str:
    """Say in a sentence whether there is an alarm."""
    if drift.alarms:
        what = " and ".join(_WORDS[test] for test in drift.alarms)
        return f"Alarm: the {drift.n} photos of {drift.folder} differ from the training photos ({what})."
    return (
        f"No alarm: nothing shows that the {drift.n} photos of {drift.folder} differ from those of training."
    )


def _write_p(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def _write_unfamiliar(drift: Drift) -> str:
    if drift.unfamiliar is None or drift.unfamiliar_interval is None:
        return ""
    low, high = drift.unfamiliar_interval
    return (
        f"Unfamiliar: {drift.unfamiliar:.1%} ({low:.1%} to {high:.1%}); of photos like those of training "
        f"{drift.unfamiliar_expected or 0:.1%} are expected to be."
    )


def write_drift_page(drift: Drift, path: Path) -> None:
    """Write the comparison to an HTML file, with thumbnails of the photos that drive it.

    Parameters
    ----------
    drift
        From `measure_drift`.
    path
        The HTML file.

    Examples
    --------
    >>> from fastclf import ModelBundle
    >>> from fastclf.evaluation import measure_drift
    >>> write_drift_page(measure_drift(ModelBundle.load("model"), "photos/november"), Path("drift.html"))
    >>> Path("drift.html").is_file()
    True
    """
    write_atomic(path.resolve(), render_drift(drift).encode())


def render_drift(drift: Drift) -> str:
    """Return the comparison as HTML; every name, label and reason is escaped."""
    tests = "".join(
        f"<tr><td>{_WORDS[test]}</td><td>{_write_p(p)}</td>"
        f"<td>{'alarm' if test in drift.alarms else ''}</td></tr>"
        for test, p in drift.p_values.items()
    )
    classes = "".join(
        f"<tr><td>{escape(row.label)}</td><td>{row.trained:.1%}</td><td>{row.answered:.1%}</td>"
        f"<td>{row.corrected:.1%}</td><td>{row.low:.1%} to {row.high:.1%}</td></tr>"
        for row in drift.classes
    )
    notes = [*drift.notes, *(f"Skipped: {file} {reason}." for file, reason in drift.failures)]
    remarks = "".join(f"<p>{escape(note)}</p>" for note in notes)
    reasons = dict.fromkeys(driver.why for driver in drift.drivers)
    cards = "".join(_render_cards(drift, reason) for reason in reasons)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Drift of {escape(drift.folder)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(write_verdict(drift))}</h1><p>{escape(_write_unfamiliar(drift))}</p>"
        f"<table>{tests}</table>{remarks}<h2>Classes</h2><table><tr>"
        "<th>class</th><th>training</th><th>answers</th><th>corrected</th><th>95 % interval</th></tr>"
        f"{classes}</table>{cards}</main></body></html>\n"
    )


def _render_cards(drift: Drift, reason: str) -> str:
    drivers = [driver for driver in drift.drivers if driver.why == reason]
    cells = "".join(
        f"<figure>{_render_photo(Path(drift.folder) / driver.file)}<figcaption>{escape(driver.file)}<br>"
        f"{escape(driver.label)}</figcaption></figure>"
        for driver in drivers
    )
    return f"<h2>{_REASONS[reason]}</h2><div class=cards>{cells}</div>"


def _render_photo(path: Path) -> str:
    try:
        image = decode_photo(path, max_bytes=MAX_FOLDER_BYTES).image
    except (OSError, UnreadablePhotoError):  # one of a table of scores may lie elsewhere
        return ""
    data = base64.b64encode(encode_jpeg(make_thumbnail(image))).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
