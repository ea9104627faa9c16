"""The dashboard as one widget."""

from __future__ import annotations

import os
from html import escape
from importlib import resources
from pathlib import Path

import ipywidgets as widgets

from ..bundle import ModelBundle
from ..errors import FastclfError
from ..photos import find_class_folders
from .classify import ClassifyPanel
from .models import ClassifyPanelModel, ModelSource

DEFAULT_TITLE = "Photo classifier"


def build_app(model: str | Path | None = None) -> widgets.VBox:
    """Build the dashboard.

    Parameters
    ----------
    model
        Folder of the bundle; by default ``FASTCLF_MODEL``, else ``model``.
    """
    path = Path(model or os.environ.get("FASTCLF_MODEL") or "model")
    try:
        # the hashes are compared when the model opens, in the background
        bundle: ModelBundle | None = ModelBundle.load(path, verify=False)
        fault = ""
    except FastclfError as e:
        bundle, fault = None, str(e)
    panel = _build_refusal(fault) if bundle is None else _build_panel(bundle)
    if is_owner():
        # only here does anything come to be that can change something
        from .desk import CatalogDesk
        from .tabs import CleanTab, build_tabs

        panel = build_tabs(panel, CleanTab(CatalogDesk(_find_photos(bundle), path)))
    box = widgets.VBox([_build_style(), _build_head(bundle), panel])
    box.add_class("fastclf")
    return box


def is_owner() -> bool:
    """Return whether whoever opens the page may change things: ``FASTCLF_OWNER`` says so, nothing else."""
    return os.environ.get("FASTCLF_OWNER") == "1"


def _find_photos(bundle: ModelBundle | None) -> Path:
    """Return ``FASTCLF_PHOTOS`` (by default ``photos``), or the folder in it that has the model's classes."""
    root = Path(os.environ.get("FASTCLF_PHOTOS") or "photos").expanduser()
    if not root.is_dir() or bundle is None:
        return root
    for folder in [root, *sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))]:
        if set(find_class_folders(folder)) & set(bundle.vocab):
            return folder
    return root


def _build_panel(bundle: ModelBundle) -> ClassifyPanel:
    source = ModelSource(bundle.path)
    source.start()
    return ClassifyPanel(ClassifyPanelModel(source.open), bundle.example_files)


def _build_style() -> widgets.HTML:
    css = (resources.files("fastclf.ui") / "static" / "style.css").read_text(encoding="utf-8")
    return widgets.HTML(f"<style>{css}</style>", layout={"display": "none"})


def _build_head(bundle: ModelBundle | None) -> widgets.HTML:
    title = os.environ.get("FASTCLF_TITLE") or (bundle.title if bundle else DEFAULT_TITLE)
    words = ""
    if bundle:
        named = ", ".join(bundle.vocab[:12]) + (" ..." if len(bundle.vocab) > 12 else "")
        words = f"<p>Choose photos and read what they show. This model tells apart: {escape(named)}.</p>"
    return widgets.HTML(f'<header class="fastclf-head"><h1>{escape(title)}</h1>{words}</header>')


def _build_refusal(fault: str) -> widgets.HTML:
    return widgets.HTML(
        f'<div class="fastclf-refusal" role="alert"><h2>No model to answer with</h2>'
        f"<p>{escape(fault)}</p></div>"
    )
