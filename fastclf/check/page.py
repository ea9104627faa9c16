"""A check's findings as one HTML file with thumbnails, which opens from disk and asks nobody for anything."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from ..system import write_atomic
from .report import CheckReport, Group, describe_source

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
    """
    write_atomic(path.absolute(), render_page(report, thumbnail).encode())


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
    pictures = _Pictures(thumbnail)
    tables: list[tuple[str, str, int, Iterable[str]]] = [
        (
            "labels", "Doubtful labels", len(report.label_issues),
            (
                pictures.render(i.file, f"{escape(i.label)}, more likely <b>{escape(i.suggested)}</b>")
                + f"<small>label quality {i.label_quality:.2f}</small>"
                for i in report.label_issues[:_MOST]
            ),
        ),
        _groups("conflicts", "The same photo under two labels", report.conflicting_labels, pictures),
        _groups("leaks", "Copies in two splits", report.leaks, pictures),
        _groups("identical", "Identical photos", report.duplicates, pictures),
        _groups("near", "Nearly identical photos", report.near_duplicates, pictures),
        (
            "quality", "Photos that show little", len({q.file for q in report.low_quality}),
            (
                pictures.render(q.file, f"<b>{escape(q.kind)}</b>")
                + f"<small>{q.value:.2f}; the limit is {q.threshold:.2f}</small>"
                for q in report.low_quality[:_MOST]
            ),
        ),
        (
            "odd", "Photos unlike all others", len(report.odd),
            (
                pictures.render(o.file, "") + f"<small>score {o.score:.2f}</small>"
                for o in report.odd[:_MOST]
            ),
        ),
        (
            "unreadable", "Files that cannot be read", len(report.unreadable),
            (
                f"<figcaption>{escape(u.file)}</figcaption><small>{escape(u.reason)}</small>"
                for u in report.unreadable[:_MOST]
            ),
        ),
    ]  # fmt: skip
    return [(key, title, n, [f"<figure>{c}</figure>" for c in cards]) for key, title, n, cards in tables]


def _groups(
    key: str, title: str, groups: Sequence[Group], pictures: _Pictures
) -> tuple[str, str, int, Iterable[str]]:
    return key, title, len(groups), (pictures.render_group(g) for g in groups[:_MOST])


class _Pictures:
    """Renders photos by name."""

    def __init__(self, thumbnail: Thumbnail) -> None:
        self._thumbnail = thumbnail

    def render(self, name: str, words: str) -> str:
        """Return a picture with its name; `words` are HTML already."""
        return f"{self._render_image(name)}<figcaption>{escape(name)}</figcaption><p>{words}</p>"

    def render_group(self, group: Group) -> str:
        labels = dict(zip(group.files, group.labels, strict=False))
        cells = "".join(
            f"<div>{self._render_image(name)}<span>{escape(name)}"
            f"{' <b>keep</b>' if name == group.best else ''}"
            f"{f' ({escape(labels[name])})' if len(set(labels.values())) > 1 else ''}</span></div>"
            for name in group.files[:_GROUP_MOST]
        )
        more = len(group.files) - _GROUP_MOST
        rest = f"<p>and {more} more</p>" if more > 0 else ""
        return f"<div class=group>{cells}</div>{rest}<small>{group.tier}, {group.score:.2f}</small>"

    def _render_image(self, name: str) -> str:
        jpeg = self._thumbnail(name)
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
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{c.n}</td><td>{escape(c.warning or '')}</td></tr>"
        for name, c in report.classes.items()
    )
    words = f"<p>{escape(describe_source(report.features))}</p>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return (
        f"<p>{report.photos} readable photos of {len(report.classes)} classes.</p>"
        f"<table><tr><th>class</th><th>photos</th><th></th></tr>{rows}</table>{words}<ul>{notes}</ul>"
    )
