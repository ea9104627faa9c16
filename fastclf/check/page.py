"""A check's findings as one HTML file with thumbnails, which opens from disk and asks nobody for anything."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from importlib import resources
from pathlib import Path

from ..issues import Finding, list_kinds
from ..system import write_atomic
from .report import CheckReport, group_findings

_MOST = 200
_GROUP_MOST = 12
Thumbnail = Callable[[str], bytes | None]


def write_page(report: CheckReport, path: Path, thumbnail: Thumbnail) -> None:
    """Write the report to a file.

    Parameters
    ----------
    report
        What a check found.
    path
        The HTML file.
    thumbnail
        Returns a photo's JPEG by its name, or None.

    Examples
    --------
    >>> from fastclf import check_folder
    >>> write_page(check_folder("photos/bears", labels=False), Path("report.html"), lambda name: None)
    >>> Path("report.html").read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    write_atomic(path.resolve(), render_page(report, thumbnail).encode())


def render_page(report: CheckReport, thumbnail: Thumbnail) -> str:
    """Return the report as HTML; every name, label and reason is escaped."""
    style = (resources.files("fastclf.check") / "report.css").read_text(encoding="utf-8")
    title = f"The photos of {report.folder}, checked"
    sections = _build_sections(report, thumbnail)
    links = "".join(
        f'<li><a href="#{key}">{escape(name)}</a> <b>{n}</b></li>' for key, name, n, _ in sections if n
    )
    body = "".join(_render_section(*section) for section in sections if section[2])
    nothing = "" if links else "<p>Nothing was found that needs a look.</p>"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>{_render_summary(report)}{nothing}<ul class=contents>{links}</ul>{body}"
        "</main></body></html>\n"
    )


_Section = tuple[str, str, int, list[str]]


def _build_sections(report: CheckReport, thumbnail: Thumbnail) -> list[_Section]:
    """Return (anchor, title, number of findings, cards) of each kind."""
    sections: list[_Section] = []
    for kind in list_kinds():
        found = list(group_findings(kind, report.findings.get(kind.key, ())))
        cards = [f"<figure>{_render_finding(f, words, thumbnail)}</figure>" for f, words in found[:_MOST]]
        sections.append((kind.key, kind.title, len(found), cards))
    return sections


def _render_finding(finding: Finding, words: str, thumbnail: Thumbnail) -> str:
    if len(finding.files) > 1:
        return f"{_render_group(finding, thumbnail)}<p>{escape(words)}</p>"
    name = finding.files[0] if finding.files else ""
    picture = f"{_render_image(name, thumbnail)}<figcaption>{escape(name)}</figcaption>" if name else ""
    return f"{picture}<p{'' if name else ' class=whole'}>{escape(words)}</p>"


def _render_group(group: Finding, thumbnail: Thumbnail) -> str:
    best, torn = group.files[0], len(set(group.labels)) > 1
    cells = "".join(
        f"<div>{_render_image(name, thumbnail)}<span>{escape(name)}"
        f"{' <b>keep</b>' if name == best else ''}{f' ({escape(label)})' if torn else ''}</span></div>"
        for name, label in list(zip(group.files, group.labels, strict=True))[:_GROUP_MOST]
    )
    more = len(group.files) - _GROUP_MOST
    return f"<div class=group>{cells}</div>{f'<p>and {more} more</p>' if more > 0 else ''}"


def _render_image(name: str, thumbnail: Thumbnail) -> str:
    jpeg = thumbnail(name)
    if jpeg is None:
        return ""
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="{escape(name)}" loading="lazy" src="data:image/jpeg;base64,{data}">'


def _render_section(key: str, title: str, n: int, cards: list[str]) -> str:
    more = (
        f"<p>The first {_MOST} of {n}; <code>fastclf check --json</code> lists all.</p>" if n > _MOST else ""
    )
    inner = f"<h2>{escape(title)} ({n})</h2>{more}<div class=cards>{''.join(cards)}</div>"
    return f'<section id="{key}">{inner}</section>'


def _render_summary(report: CheckReport) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{c.n}</td></tr>" for name, c in report.classes.items())
    words = f"<p>{escape(str(report.features))}</p>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return (
        f"<p>{report.photos} readable photos of {len(report.classes)} classes.</p>"
        f"<table><tr><th>class</th><th>photos</th></tr>{rows}</table>{words}<ul>{notes}</ul>"
    )
