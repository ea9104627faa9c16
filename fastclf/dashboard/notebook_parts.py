"""The dashboard's parts, one by one, for anybody's own notebook."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets

from ..errors import UsageError
from ..model import ModelBundle, ModelSource
from .classify import ClassifyModel, ClassifyPanel
from .tabs import AboutTab, CleanTab
from .texts import language
from .widgets import PageFrame, PhotoViewer


def build_classifier(model: str | Path = "model") -> widgets.VBox:
    """Build the part that takes photos and answers, with why and *That's wrong*.

    Parameters
    ----------
    model
        Folder of the bundle.

    Returns
    -------
    VBox
        A widget, to be shown in a cell or put beside others.

    Raises
    ------
    BundleError
        If there is no sound model.

    Examples
    --------
    >>> part = build_classifier("model")
    >>> type(part).__name__
    'VBox'
    """
    bundle, source = ModelBundle.load(model), ModelSource(Path(model))
    language.maker = bundle.manifest.translations
    side = max(bundle.preprocess.input_size[1:])
    panel = ClassifyPanel(ClassifyModel(source.open, None, []), bundle.example_files, bundle.vocab, side)
    source.start()
    return _frame(panel)


def build_cleaner(photos: str | Path, model: str | Path = "model") -> widgets.VBox:
    """Build the cleaner of a folder: doubtful photos, corrections, and retraining the model beside it.

    `ImageClassifierCleaner` is the one for a Learner in memory.

    Parameters
    ----------
    photos
        The folder, which gets its catalog; no photo is changed.
    model
        Folder of the bundle; without one, doubts are found all the same and nothing can be retrained.

    Returns
    -------
    VBox
        A widget, to be shown in a cell or put beside others.

    Raises
    ------
    UsageError
        If there is no such folder of photos.

    Examples
    --------
    >>> part = build_cleaner("photos/bears", "model")
    >>> type(part).__name__
    'VBox'
    """
    from .clean import CatalogStore

    folder = Path(photos).expanduser()
    if not folder.is_dir():
        raise UsageError("There is no folder {folder}. Name the folder of the photos.", folder=folder)
    tab = CleanTab(CatalogStore(folder, Path(model)))
    tab.start()
    return _frame(tab)


def build_confusion_matrix(model: str | Path = "model", photos: str | Path | None = None) -> widgets.VBox:
    """Build the confusion matrix of the validation photos; its cells open when the photos are named.

    Parameters
    ----------
    model
        Folder of the bundle.
    photos
        The folder that the model was judged on.

    Returns
    -------
    VBox
        A widget, to be shown in a cell or put beside others.

    Raises
    ------
    BundleError
        If there is no sound model.
    UsageError
        If nothing was counted: the model was never judged on labelled photos.

    Examples
    --------
    >>> part = build_confusion_matrix("model", "photos/bears")
    >>> type(part).__name__
    'VBox'
    """
    from .about import CellModel, ConfusionMatrix, ValidationPhotos, find_confusion

    bundle = ModelBundle.load(model)
    table = find_confusion(bundle.manifest.to_dict())
    if table is None:
        raise UsageError("The model {model} was not judged yet; run `fastclf evaluate`.", model=model)
    language.maker = bundle.manifest.translations
    found = None if photos is None else ValidationPhotos(Path(photos))
    matrix = ConfusionMatrix(CellModel(bundle, table, found))
    return _frame(widgets.VBox([matrix]).add_class("fastclf-about"))


def build_card(model: str | Path = "model", photos: str | Path | None = None) -> widgets.VBox:
    """Build the model card: what the model is for, how good it is, where it fails.

    Parameters
    ----------
    model
        Folder of the bundle.
    photos
        The folder that it was judged on, whose photos the matrix then opens.

    Returns
    -------
    VBox
        A widget, to be shown in a cell or put beside others.

    Raises
    ------
    BundleError
        If there is no sound model.

    Examples
    --------
    >>> part = build_card("model")
    >>> type(part).__name__
    'VBox'
    """
    bundle = ModelBundle.load(model)
    language.maker = bundle.manifest.translations
    tab = AboutTab(bundle, None if photos is None else Path(photos))
    tab.start()
    return _frame(tab)


def _frame(part: widgets.Widget) -> widgets.VBox:
    """Return a part with the style sheet, the language of the browser, and the viewer of photos."""
    return widgets.VBox([PageFrame(), part, PhotoViewer()]).add_class("fastclf")
