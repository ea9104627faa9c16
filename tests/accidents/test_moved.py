"""What is moved, removed, put back or replaced while somebody works on it: nothing goes where nobody finds it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from fastclf import Catalog, ModelBundle, Predictor
from fastclf.card import write_bundle
from fastclf.dashboard.clean import CatalogStore
from fastclf.dashboard.clean.review import Decision
from fastclf.errors import BundleError, CatalogError, FastclfError, PhotosError
from fastclf.inbox import Claim, Inbox
from fastclf.model import MANIFEST
from fastclf.model.model_source import ModelSource
from fastclf.system import replaced_folder

from ..drawing import draw_photo
from ..scanned import labels_of, scanned


def move(folder: Path) -> Callable[[], object]:
    away = folder.with_name("away")
    folder.rename(away)
    return lambda: away.rename(folder)


def replace_by_copy(folder: Path) -> Callable[[], object]:
    """As a backup is put back: the same content in other files."""
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    shutil.rmtree(folder)
    return lambda: copy.rename(folder)


def test_a_folder_that_is_gone_takes_no_edits_and_takes_them_once_it_is_back(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        put_back = move(photo_folder)
        with pytest.raises(CatalogError, match="moved or deleted"):
            catalog.relabel(["red/001.png"], "blue")
        with pytest.raises(PhotosError, match="no folder"):
            catalog.scan()
        put_back()
        catalog.relabel(["red/001.png"], "blue")
    with Catalog(photo_folder) as catalog:
        labels = labels_of(catalog)
    assert (labels["red/000.png"], labels["red/001.png"]) == ("blue", "blue")


def test_an_edit_is_never_written_to_a_catalog_that_another_one_replaced(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        replace_by_copy(photo_folder)()
        with pytest.raises(CatalogError, match="Another file stands where"):
            catalog.relabel(["red/001.png"], "blue")
    with Catalog(photo_folder) as catalog:
        assert len(catalog.edits()) == 1
        catalog.relabel(["red/001.png"], "blue")


def test_a_catalog_is_the_same_one_from_another_working_directory(
    photo_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(photo_folder.parent)
    with scanned(Path(photo_folder.name)) as catalog:
        monkeypatch.chdir(photo_folder)
        catalog._store.write_many  # noqa: B018 - it is open
        with catalog._store.transaction():
            pass


@pytest.mark.parametrize("take", [move, replace_by_copy])
def test_photos_that_go_and_come_back_while_they_are_cleaned_end_nothing(
    photo_folder: Path, toy_model: Path, take: Callable[[Path], Callable[[], object]]
) -> None:
    store = CatalogStore(photo_folder, toy_model)
    store.open(lambda words: None)
    items = {item.name: item for item in store.load_items()}
    put_back = take(photo_folder)
    key = items["red/000.png"].key
    assert store.read_thumbnail(key)
    for act in (lambda: store.read_large(key), lambda: store.apply([Decision(key, "relabel", "blue", "")])):
        with pytest.raises(FastclfError):
            act()
    put_back()
    assert store.read_large(key)
    if take is replace_by_copy:  # the page is loaded again
        store = CatalogStore(photo_folder, toy_model)
        store.open(lambda words: None)
    assert store.apply([Decision(key, "relabel", "blue", "")])
    with Catalog(photo_folder) as catalog:
        assert labels_of(catalog)["red/000.png"] == "blue"


def test_an_inbox_that_was_thrown_away_is_made_again(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox" / "inbox.sqlite")
    claim = Claim(name="a.jpg", answer="red", probability=0.5, label="blue")
    inbox.add(draw_photo("red", 1), claim)
    shutil.rmtree(tmp_path / "inbox")
    assert inbox.reports() == []
    inbox.add(draw_photo("red", 2), claim)
    assert len(inbox.reports()) == 1


def write_next(model: Path, number: int) -> None:
    """Replace a model by the same one under another title, as a training does."""
    with replaced_folder(model, MANIFEST) as staging:
        bundle = ModelBundle.load(model)
        for name in bundle.manifest.files:
            (staging / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(model / name, staging / name)
        write_bundle(staging, bundle.manifest.__class__(**{**vars(bundle.manifest), "title": f"v{number}"}))


@pytest.mark.parametrize("n", [4, pytest.param(30, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("anew", [True, False])
def test_a_model_that_is_replaced_while_it_is_asked_always_answers(
    toy_model: Path, anew: bool, n: int
) -> None:
    ended, titles = threading.Event(), set()
    image = Image.new("RGB", (40, 30), (220, 30, 30))

    def ask() -> None:
        source = ModelSource(toy_model)
        while not ended.is_set():
            source = ModelSource(toy_model) if anew else source
            predictor = source.open()
            assert predictor.predict_images([image], ["a"])[0].label == "red"
            titles.add(predictor.bundle.title)

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask) for _ in range(2)]
        try:
            for number in range(n):
                write_next(toy_model, number)
        finally:
            ended.set()
        assert [one.result() for one in asked] == [None, None]
    assert len(titles) > 1


@pytest.mark.parametrize("half", ["before", "after"])
def test_a_model_that_is_replaced_while_it_is_opened_is_opened_again(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    """Its manifest is the old one's, and what is read next, or was read last, the new one's."""
    opened = []

    class Slow(Predictor):
        def __init__(self, path: Path, **options: object) -> None:
            opened.append(path)
            if half == "before" and len(opened) == 1:
                write_next(toy_model, 1)
                raise BundleError("The model is not as it was written.")
            super().__init__(path, **options)
            if half == "after" and len(opened) == 1:
                write_next(toy_model, 1)

    monkeypatch.setattr("fastclf.model.predictor.Predictor", Slow)
    assert ModelSource(toy_model).open().bundle.title == "v1"
    assert len(opened) == 2
