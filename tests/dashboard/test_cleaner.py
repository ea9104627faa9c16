"""ImageClassifierCleaner keeps fastai's contract, with fastai and without."""

from __future__ import annotations

import builtins
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastclf.dashboard import ImageClassifierCleaner
from fastclf.dashboard.widgets import PageFrame
from fastclf.errors import UsageError

from ..drawing import draw_photos

VOCAB = ["blue", "green", "red"]


def build_source(folder: Path, n: int = 8, **more: object) -> SimpleNamespace:
    """Photos of three classes, half of them validation, with drawn probabilities."""
    fns = sorted(draw_photos(folder, n).rglob("*.png"))
    probs = np.random.default_rng(3).dirichlet([0.4] * 3, len(fns))
    splits = ["valid" if i % 2 else "train" for i in range(len(fns))]
    source = {"fns": fns, "labels": [fn.parent.name for fn in fns], "pred_probs": probs, "splits": splits}
    return SimpleNamespace(**{**source, **more})


@pytest.fixture
def source(tmp_path: Path) -> SimpleNamespace:
    return build_source(tmp_path / "photos")


@pytest.fixture
def cleaner(source: SimpleNamespace) -> ImageClassifierCleaner:
    return ImageClassifierCleaner(source)


def choose(cleaner: ImageClassifierCleaner, index: int, action: str, label: str | None = None) -> None:
    """What the page sends when a person acts on the photo at `index` of `fns`."""
    key = cleaner.model.queue[index].key
    message = {"type": "act", "keys": [key], "action": action, "label": label}
    cleaner.grid._handle_custom_msg(message, [])


def test_fns_are_the_class_and_split_with_the_highest_loss_first(
    cleaner: ImageClassifierCleaner, source: SimpleNamespace
) -> None:
    cleaner.dd_cats.value, cleaner.dd_ds.value = "green", "Valid"
    rows = zip(source.fns, source.labels, source.splits, source.pred_probs, strict=True)
    wanted = sorted((p[1], fn) for fn, label, split, p in rows if (label, split) == ("green", "valid"))
    assert len(wanted) == 4
    assert cleaner.fns == [fn for _, fn in wanted]
    assert tuple(cleaner.dd_ds.options) == ("Train", "Valid")
    assert list(cleaner.dd_cats.options) == VOCAB


def test_equal_losses_keep_the_order_of_the_source(tmp_path: Path) -> None:
    source = build_source(tmp_path / "photos", 6, pred_probs=np.full((18, 3), 1 / 3))
    assert ImageClassifierCleaner(source).fns == source.fns[:6:2]


def test_choices_count_into_the_current_fns_and_come_back_after_a_switch(
    cleaner: ImageClassifierCleaner,
) -> None:
    choose(cleaner, 0, "remove")
    choose(cleaner, 2, "relabel", "red")
    first = cleaner.fns
    assert (cleaner.delete(), cleaner.change()) == ([0], [(2, "red")])
    cleaner.dd_cats.value = "red"
    assert (cleaner.delete(), cleaner.change()) == ([], [])
    choose(cleaner, 1, "relabel", "blue")
    red = cleaner.fns[1]
    cleaner.dd_ds.value = "Valid"
    assert (cleaner.delete(), cleaner.change()) == ([], [])
    cleaner.dd_cats.value, cleaner.dd_ds.value = "blue", "Train"
    assert cleaner.fns == first
    assert (cleaner.delete(), cleaner.change()) == ([0], [(2, "red")])
    assert cleaner.pending == {first[0]: "<Delete>", first[2]: "red", red: "blue"}
    assert cleaner.values() == ["<Delete>", "<Keep>", "red", "<Keep>"]


def test_skip_and_undo_leave_the_indices_alone(cleaner: ImageClassifierCleaner) -> None:
    before = cleaner.fns
    choose(cleaner, 0, "skip")
    assert cleaner.fns == before
    choose(cleaner, 1, "remove")
    assert cleaner.delete() == [1]
    cleaner._undo.click()
    assert cleaner.delete() == []
    cleaner._redo.click()
    assert cleaner.delete() == [1]


def test_fns_span_all_pages_up_to_max_n(tmp_path: Path) -> None:
    source = build_source(tmp_path / "photos", 40, splits=None)
    assert len(ImageClassifierCleaner(source).fns) == 30
    assert len(ImageClassifierCleaner(source, max_n=7).fns) == 7
    cleaner = ImageClassifierCleaner(source, max_n=None, page_size=10)
    assert len(cleaner.fns) == 40
    assert len(cleaner.grid.tiles) == 10
    choose(cleaner, 35, "remove")
    assert cleaner.delete() == [35]


def test_thumbnails_are_made_for_the_current_page_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fastclf.dashboard.clean.predicted_photos as module

    decoded: list[Path] = []
    real = module.decode_photo
    monkeypatch.setattr(module, "decode_photo", lambda fn: decoded.append(fn) or real(fn))
    cleaner = ImageClassifierCleaner(build_source(tmp_path / "photos", 20, splits=None), page_size=5)
    assert decoded == cleaner.fns[:5]
    cleaner.grid._handle_custom_msg({"type": "page", "step": 1}, [])
    assert decoded == cleaner.fns[:10]
    choose(cleaner, 6, "remove")
    assert len(decoded) == 10


def test_an_unreadable_file_gets_a_tile_that_says_why(tmp_path: Path) -> None:
    source = build_source(tmp_path / "photos", 2, splits=None)
    source.fns[0].write_bytes(b"<!DOCTYPE html><html></html>")
    source.fns[1].unlink()
    cleaner = ImageClassifierCleaner(source)
    faults = {tile["key"]: tile["fault"] for tile in cleaner.grid.tiles}
    assert "web page" in faults[0]
    assert "does not exist" in faults[1]


def test_photos_of_a_test_set_are_not_shown(tmp_path: Path) -> None:
    source = build_source(tmp_path / "photos", 4, splits=["test", "train"] * 6)
    cleaner = ImageClassifierCleaner(source)
    assert set(cleaner.fns) == set(source.fns[1:4:2])
    assert len(cleaner.model) == 6


def test_labels_may_be_indices(tmp_path: Path) -> None:
    source = build_source(tmp_path / "photos", 2, splits=None, labels=[0, 0, 1, 1, 2, 2], vocab="abc")
    cleaner = ImageClassifierCleaner(source)
    assert list(cleaner.dd_cats.options) == ["a", "b", "c"]
    cleaner.dd_cats.value = "c"
    assert set(cleaner.fns) == set(source.fns[4:])


def test_a_probability_of_zero_is_the_highest_loss(tmp_path: Path) -> None:
    probs = np.array([[0.5, 0.5], [0.0, 1.0], [np.nan, np.nan], [0.9, 0.1]])
    fns = sorted(draw_photos(tmp_path / "photos", 2).rglob("*.png"))[:4]
    cleaner = ImageClassifierCleaner(SimpleNamespace(fns=fns, labels=[0] * 4, pred_probs=probs, vocab="ab"))
    assert cleaner.fns == [fns[1], fns[2], fns[0], fns[3]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ["blue"]}, "must be N, N and N x K"),
        ({"pred_probs": np.ones(24)}, "must be N, N and N x K"),
        ({"vocab": ["blue", "green"]}, "3 columns"),
        ({"vocab": ["blue", "green", "pink"]}, "'red' is not in vocab"),
        ({"labels": [7] * 24, "vocab": VOCAB}, "outside 0 to 2"),
        ({"splits": ["train"]}, "1 splits"),
        ({"pred_probs": None}, "no pred_probs"),
    ],
)
def test_a_source_that_does_not_fit_is_refused_with_a_sentence(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        ImageClassifierCleaner(build_source(tmp_path / "photos", **change))


def test_max_n_must_be_possible(source: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match="max_n is 0"):
        ImageClassifierCleaner(source, max_n=0)


@pytest.mark.slow
def test_delete_and_change_are_those_of_fastais_own_cleaner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastai")
    from fastai.vision.widgets import ImagesCleaner
    from IPython.display import display

    monkeypatch.setattr(builtins, "display", display, raising=False)
    ours = ImageClassifierCleaner(build_source(tmp_path / "photos"))
    theirs = ImagesCleaner(VOCAB)
    theirs.set_fns(ours.fns)
    wanted = ["<Delete>", "red", "<Keep>", "green"]
    for i, value in enumerate(wanted):
        theirs.widget.children[i].children[1].value = value
        if value == "<Delete>":
            choose(ours, i, "remove")
        elif value != "<Keep>":
            choose(ours, i, "relabel", value)
    assert list(theirs.fns) == ours.fns
    assert list(theirs.values()) == ours.values() == wanted
    assert list(theirs.delete()) == ours.delete() == [0]
    assert list(theirs.change()) == ours.change() == [(1, "red"), (3, "green")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "frame"])
def test_a_real_learner_is_read_like_fastai_reads_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastai")
    import pandas as pd
    import torch
    from fastai.vision import all as fastai
    from fastai.vision import widgets as theirs
    from IPython.display import display

    monkeypatch.setattr(builtins, "display", display, raising=False)
    # no whole number of batches
    folder = draw_photos(tmp_path / "photos", 9)
    crop = fastai.RandomResizedCrop(16)
    if kind == "folder":
        dls = fastai.ImageDataLoaders.from_folder(
            folder, valid_pct=0.5, seed=1, item_tfms=crop, bs=4, num_workers=0
        )
    else:
        files = sorted(folder.rglob("*.png"))
        rows = [(str(f), f.parent.name, bool(i % 2)) for i, f in enumerate(files)]
        frame = pd.DataFrame(rows, columns=["file", "label", "is_valid"])
        block = fastai.DataBlock(
            blocks=(fastai.ImageBlock, fastai.CategoryBlock), get_x=fastai.ColReader("file"), get_y=fastai.ColReader("label"),
            splitter=fastai.ColSplitter(), item_tfms=crop,
        )  # fmt: skip
        dls = block.dataloaders(frame, bs=4, num_workers=0)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3))
    learn = fastai.Learner(dls, net, loss_func=fastai.CrossEntropyLossFlat())
    ours, again = ImageClassifierCleaner(learn), ImageClassifierCleaner(learn)
    assert {fn for label in VOCAB for split in ("Train", "Valid") for fn in _fns(ours, label, split)} == {
        *folder.rglob("*.png")
    }
    assert sum(len(_fns(ours, label, "Valid")) for label in VOCAB) == len(dls.valid_ds) == 13
    for label in VOCAB:
        assert _fns(ours, label, "Train") == _fns(again, label, "Train")
        assert {fn.parent.name for fn in _fns(ours, label, "Valid")} <= {label}
    if kind == "folder":
        original = theirs.ImageClassifierCleaner(learn)
        original.dd_ds.value = "Valid"
        for label in VOCAB:
            original.dd_cats.value = label
            assert _fns(ours, label, "Valid") == [Path(fn) for fn in original.iw.fns]


def _fns(cleaner: ImageClassifierCleaner, label: str, split: str) -> list[Path]:
    cleaner.dd_cats.value, cleaner.dd_ds.value = label, split
    return cleaner.fns


def test_the_style_and_the_language_reach_the_cleaner_outside_of_the_dashboard(
    cleaner: ImageClassifierCleaner,
) -> None:
    [frame] = [child for child in cleaner.children if isinstance(child, PageFrame)]
    assert "--ink" in frame._css
    # what visitors never see travels with the grid alone
    assert ".fastclf-tile" not in frame._css
    assert ".fastclf-tile" in cleaner.grid._css
    frame.wanted = "es"
    assert cleaner._undo.description == "Deshacer"
    assert cleaner.dd_cats.description == "Clase"
    assert cleaner.grid.texts["Remove"] == "Quitar"
    # what code asks for stays as it is
    assert set(cleaner.values()) == {"<Keep>"}
