"""The About tab without a browser: what it says, which photos it may open, and in which language."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from fastclf import Catalog, ModelBundle
from fastclf.dashboard.about import AboutPanel, ValidationPhotos
from fastclf.dashboard.about.confusion import ConfusionMatrix
from fastclf.dashboard.about.model import (
    MOST_CLASSES,
    PAGE,
    CellPhoto,
    FoundPhotos,
    scale_share,
)
from fastclf.dashboard.texts import language
from fastclf.dashboard.widgets import Status
from fastclf.model import IMPORTED

from ..toy import VOCAB
from .judged import build_judged, build_wide, change_manifest, read_manifest

HEADINGS = [
    "What it is for", "How good it is", "What it mixes up", "How sure it is", "All figures", "Where it fails",
    "Data and split", "Training", "Licences", "Version",
]  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build_judged(tmp_path_factory.mktemp("judged"))


@pytest.fixture
def photos(judged: tuple[Path, Path], tmp_path: Path) -> Path:
    """The photos with their catalog, to change."""
    return Path(shutil.copytree(judged[0], tmp_path / "photos"))


@pytest.fixture
def model(judged: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(judged[1], tmp_path / "model"))


def show(model: Path, photos: Path | SlowPhotos | None = None) -> AboutPanel:
    panel = AboutPanel(
        ModelBundle.load(model), ValidationPhotos(photos) if isinstance(photos, Path) else photos
    )
    panel.start()
    return panel


def change_valid(model: Path, **values: Any) -> None:
    """Write other figures of the validation photos into a bundle's manifest."""
    metrics = read_manifest(model)["metrics"]
    metrics["valid"].update(values)
    change_manifest(model, {"metrics": metrics})


def read(panel: AboutPanel) -> str:
    return "\n".join(child.value for child in panel.children if not isinstance(child, ConfusionMatrix))


def read_texts(panel: AboutPanel) -> list[str]:
    """Return what stands between the tags, and what the tags are called for a screen reader."""
    html = re.sub(r'href="[^"]*"', "", read(panel))
    found = re.findall(r">([^<>]+)<", html) + re.findall(r'aria-label="([^"]*)"', html)
    return [unescape(text).replace("\xa0", " ").strip() for text in found if text.strip()]


def read_headings(panel: AboutPanel) -> list[str]:
    return [unescape(h) for h in re.findall(r"<h2>(.*?)</h2>", read(panel))]


def send(matrix: ConfusionMatrix, **content: Any) -> None:
    """Send a message as the page does."""
    matrix._handle_custom_msg(content, [])


def open_cell(panel: AboutPanel, row: int, column: int) -> dict[str, Any]:
    """Open a cell, wait until it was looked for, and return what the page is told."""
    panel.matrix.cells.done.clear()
    send(panel.matrix, type="open", row=row, column=column)
    assert panel.matrix.cells.done.wait(60)
    return panel.matrix.cell


def test_nothing_is_made_before_the_tab_is_looked_at_and_a_retrained_model_at_the_next_look(
    model: Path,
) -> None:
    panel = AboutPanel(ModelBundle.load(model))
    assert not panel.children
    panel.start()
    assert read_headings(panel) == HEADINGS
    words, matrix = " ".join(read_texts(panel)), panel.matrix
    # how good it is is one sentence with n and interval
    assert "Right on 15 of 18 photos that it did not learn from" in words
    assert "(95 % interval 60.8 % to 94.2 %, n = 18)" in words
    assert "may be slightly too good" in words
    panel.start()
    assert panel.matrix is matrix
    change_valid(model, accuracy=1.0, accuracy_interval=[0.82, 1.0])
    panel.start()
    assert "Right on 18 of 18 photos" in " ".join(read_texts(panel))
    assert panel.matrix is not matrix


@pytest.mark.parametrize(
    ("share", "n", "said"),
    [
        (0.976, 208, (98, 100)), (1.0, 500, (100, 100)), (0.998, 500, (998, 1000)), (0.0, 300, (0, 100)),
        (1999 / 2000, 2000, (1000, 1000)), (0.5, 10, (5, 10)), (29_999 / 30_000, 30_000, (29_999, 30_000)),
        (1 / 900, 900, (1, 1000)),
    ],
)  # fmt: skip
def test_a_share_is_never_said_as_all_unless_it_is_all(share: float, n: int, said: tuple[int, int]) -> None:
    right, of = scale_share(share, n)
    assert (right == of) == (share == 1)
    assert (right == 0) == (share == 0)
    if said != (1000, 1000):
        assert (right, of) == said


def test_a_test_set_counts_only_when_it_was_opened(model: Path) -> None:
    metrics = read_manifest(model)["metrics"]
    change_manifest(model, {"sealed_test": {"n": 208, "openings": []}})
    words = " ".join(read_texts(show(model)))
    assert "never seen" not in words
    assert "The sealed test set (208 photos) has not been opened" in words
    opened = {**metrics["valid"], "n": 208, "accuracy": 0.976, "accuracy_interval": [0.945, 0.99]}
    openings = [{"time": "2026-01-01T00:00:00+00:00", "metrics": {"n": 208, "accuracy": 0.976}}]
    change_manifest(
        model,
        {"metrics": {**metrics, "test": opened}, "sealed_test": {"n": 208, "openings": openings}},
    )
    panel = show(model)
    assert "Right on 98 of 100 photos that it had never seen (95 % interval 94.5 % to 99.0 %, n = 208)" in (
        " ".join(read_texts(panel))
    )
    # the photos behind its cells would be test photos
    assert panel.matrix.cells.table.part == "valid"


def test_without_figures_every_part_says_so(model: Path) -> None:
    change_manifest(model, {"metrics": {"train": None, "valid": None, "test": None}})
    panel = show(model)
    words = " ".join(read_texts(panel))
    assert panel.matrix is None
    for sentence in (
        "How often it is right is not known: nobody has measured it on labelled photos.",
        "Which classes it mixes up is not known, because nobody has measured it.",
        "What its percentages are worth is not known, because nobody has measured it.",
    ):
        assert sentence in words
    assert read_headings(panel) == HEADINGS
    change_manifest(model, {"training": {"mode": IMPORTED, "from": "export.pkl"}})
    assert "it was made elsewhere, without the photos that it learned from" in " ".join(
        read_texts(show(model))
    )


def test_a_part_that_cannot_be_said_leaves_the_others(model: Path) -> None:
    bundle = ModelBundle.load(model)
    bundle.manifest.metrics.valid["coverage"] = "none"
    bundle.manifest.metrics.valid["sure"] = None
    panel = AboutPanel(bundle)
    panel._build()  # as `start`, without reading the sound manifest again
    assert "This part of the model card cannot be shown" in read(panel)
    assert "Right on" in read(panel)
    assert "Version" in read_headings(panel)
    assert panel.matrix is not None


def test_one_mix_up_and_none_are_said_in_words(model: Path) -> None:
    assert (
        "The most frequent mix-up: 2 of 6 photos of blue were called red. Counted on 18 validation photos."
        in read(show(model))
    )
    for confusion, words in (
        (
            [[5, 0, 1], [0, 6, 0], [0, 0, 6]],
            "The most frequent mix-up: 1 of 6 photos of blue was called red.",
        ),
        ([[6, 0, 0], [0, 6, 0], [0, 0, 6]], "No photo was taken for another class."),
        (None, "Which classes it mixes up is not on record."),
    ):
        change_valid(model, confusion=confusion)
        panel = show(model)
        assert words in read(panel)
        assert (panel.matrix is None) == (confusion is None)


def test_mix_ups_that_are_equally_frequent_are_all_named(model: Path) -> None:
    change_valid(model, confusion=[[5, 2, 0], [0, 5, 2], [2, 0, 5]], n=21)
    text = " ".join(read_texts(show(model)))
    assert (
        "The most frequent mix-ups, 2 photos each: blue called green, green called red, red called blue."
        in text
    )


def test_a_model_that_is_wrong_as_often_as_right_gets_no_tick(model: Path) -> None:
    assert 'class="fastclf-about-good"' in read(show(model))
    change_valid(model, n=100, accuracy=0.44, accuracy_interval=[0.347, 0.538])
    assert 'class="fastclf-about-good fastclf-about-unsure"' in read(show(model))


def test_of_many_classes_the_most_confused_are_in_the_table(model: Path, tmp_path: Path) -> None:
    names = [f"class {k}" for k in range(45)]
    wide = build_wide(tmp_path / "wide", model, names)
    matrix = [[10 * (row == column) for column in range(45)] for row in range(45)]
    matrix[44][2] = 7
    change_valid(wide.path, confusion=matrix)
    panel = show(wide.path)
    table = panel.matrix.table
    assert len(table["names"]) == MOST_CLASSES
    assert {"class 2", "class 44"} <= set(table["names"])
    row, column = table["names"].index("class 44"), table["names"].index("class 2")
    assert table["counts"][row][column] == 7
    assert table["totals"][row] == 17
    assert "The 30 classes of 45 that are mixed up most." in read(panel)


def test_names_are_text_and_never_html(model: Path, tmp_path: Path) -> None:
    hostile = ["<img src=x onerror=alert(1)>", '"><script>alert(2)</script>', "a\u202eb & c"]
    bundle = build_wide(tmp_path / "hostile", model, hostile)
    change_manifest(bundle.path, {"training": {"from": "<b onclick=x>"}, "licences": {"photos": "<i>"}})
    html = re.sub(r'href="data:[^"]*"', "", read(show(bundle.path)))
    for markup in ("<img", "<script", "<b onclick", "\u202e"):
        assert markup not in html
    assert "&lt;img src=x" in html


def test_a_visitor_opens_no_photo(model: Path) -> None:
    panel = show(model)
    assert panel.matrix.opens is False
    for message in ({"type": "open", "row": 0, "column": 2}, {"type": "need", "keys": [1, 2, 3]}, "x", None):
        panel.matrix._handle_custom_msg(message, [])
    assert panel.matrix.cell == {}
    assert panel.matrix.cells.cell is None


def test_every_cell_opens_as_many_photos_as_it_counts(model: Path, photos: Path) -> None:
    panel = show(model, photos)
    splits = {row.sha256: row.split for row in ModelBundle.load(model).read_photos()}
    assert panel.matrix.opens
    for row, label in enumerate(VOCAB):
        for column, answer in enumerate(VOCAB):
            cell = open_cell(panel, row, column)
            found = panel.matrix.cells.found.photos
            assert len(found) == panel.matrix.table["counts"][row][column]
            assert cell["note"] == ""
            for photo in found:
                assert photo.name.startswith(f"{label}/")
                assert photo.answer == answer
                assert splits[panel.photos._hashes[photo.key]] == "valid"
    names = [p["name"] for p in open_cell(panel, VOCAB.index("blue"), VOCAB.index("red"))["photos"]]
    assert len(names) == 2
    assert all(name.startswith("blue/from-red-") for name in names)


def test_thumbnails_are_those_of_the_open_cell_only(model: Path, photos: Path) -> None:
    panel = show(model, photos)
    sent: list[tuple[Any, Any]] = []
    panel.matrix.send = lambda content, buffers=None: sent.append((content, buffers))
    [mine, other] = [p["key"] for p in open_cell(panel, 0, 2)["photos"]]
    elsewhere = [p["key"] for p in open_cell(panel, 1, 1)["photos"]]
    open_cell(panel, 0, 2)
    send(panel.matrix, type="need", keys=[mine, *elsewhere, 99_999, other])
    [(content, buffers)] = sent
    assert content == {"type": "pictures", "keys": [mine, other], "none": []}
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in buffers)
    with Catalog(photos) as catalog:
        trained = next(p.id for p in catalog.photos().photos if p.split == "train")
        sealed = next(p.id for p in catalog.photos().photos if p.split == "test")
    assert panel.photos.read_thumbnail(trained) is None
    assert panel.photos.read_thumbnail(sealed) is None


def test_the_photos_of_the_open_cell_can_be_cleaned_where_there_is_somewhere_to(
    model: Path, photos: Path
) -> None:
    asked: list[tuple[list[int], str]] = []
    panel = AboutPanel(
        ModelBundle.load(model),
        ValidationPhotos(photos),
        lambda keys, words: asked.append((list(keys), words)),
    )
    panel.start()
    assert panel.matrix.cleans
    send(panel.matrix, type="clean")  # none is open
    keys = [p["key"] for p in open_cell(panel, 0, 2)["photos"]]
    send(panel.matrix, type="clean")
    assert asked == [(keys, "Photos of blue that were called red.")]
    keys = [p["key"] for p in open_cell(panel, 1, 1)["photos"]]
    send(panel.matrix, type="clean")
    assert asked[1] == (keys, "Photos of green that were recognised.")
    assert not show(model, photos).matrix.cleans
    assert not AboutPanel(ModelBundle.load(model)).matrix


def test_edits_since_the_training_leave_the_cell_as_it_was_judged(model: Path, photos: Path) -> None:
    names = sorted(p["name"] for p in open_cell(show(model, photos), 0, 2)["photos"])
    with Catalog(photos) as catalog:
        catalog.scan()
        catalog.relabel([names[0]], "red")
        catalog.remove([names[1]])
    cell = open_cell(show(model, photos), 0, 2)
    assert {p["name"]: p["today"] for p in cell["photos"]} == {
        names[0]: "labelled red today",
        names[1]: "removed since",
    }
    assert cell["note"] == ""


@pytest.mark.parametrize("cached", [True, False])
def test_a_photo_that_is_gone_is_missed_in_words(model: Path, photos: Path, cached: bool) -> None:
    cell = open_cell(show(model, photos), 0, 2)
    (photos / cell["photos"][0]["name"]).unlink()
    if not cached:
        with Catalog(photos) as catalog:
            catalog.feature_cache(read_manifest(model)["features_id"]).clear()
    cell = open_cell(show(model, photos), 0, 2)
    assert len(cell["photos"]) == 1
    assert cell["note"] == (
        "Counted when the model was judged: 2. Found today: 1. "
        "Some of its validation photos are no longer in the folder."
    )
    # the others miss nothing
    assert open_cell(show(model, photos), 2, 2)["note"] == ""


def test_a_photo_that_was_sealed_since_is_neither_asked_about_nor_shown(model: Path, photos: Path) -> None:
    panel = show(model, photos)
    names = [p["name"] for p in open_cell(panel, 0, 2)["photos"]]
    with Catalog(photos) as catalog:
        sha256 = next(p.sha256 for p in catalog.photos().photos if p.name == names[0])
        catalog.feature_cache(read_manifest(model)["features_id"]).clear()
        with catalog._store.transaction():
            catalog._store.write("UPDATE splits SET split = 'test' WHERE sha256 = ?", (sha256,))
    cell = open_cell(show(model, photos), 0, 2)
    assert [p["name"] for p in cell["photos"]] == names[1:]
    assert "sealed test set by now are not shown" in cell["note"]
    with Catalog(photos) as catalog:
        assert sha256 not in catalog.feature_cache(read_manifest(model)["features_id"]).load()


def test_what_is_done_meanwhile_is_said(model: Path, photos: Path) -> None:
    panel, notes = show(model, photos), []
    panel.matrix.observe(lambda change: notes.append(change["new"].get("note")), "cell")
    open_cell(panel, 1, 1)
    assert notes[0] == "Looking for the photos ..."
    assert "Asking the model about photo 18 of 18 ..." in notes
    assert notes[-1] == ""
    # the second cell is there at once
    notes.clear()
    open_cell(panel, 2, 2)
    assert not any("Asking" in note for note in notes)


def test_a_folder_that_is_missing_is_named_and_tried_again(model: Path, photos: Path) -> None:
    photos.rename(photos.parent / "elsewhere")
    panel = show(model, photos)
    cell = open_cell(panel, 0, 0)
    assert cell["bad"]
    assert "There is no folder" in cell["note"]
    (photos.parent / "elsewhere").rename(photos)
    assert len(open_cell(panel, 0, 0)["photos"]) == 4


class SlowPhotos:
    """Many photos of one cell, found when `go` says so."""

    def __init__(self, n: int = 60) -> None:
        self.n, self.fault, self.slow = n, False, 0.0

    def prepare(self, bundle: ModelBundle, tell: Any) -> None:
        time.sleep(self.slow)
        if self.fault:
            raise RuntimeError("secret path /home/somebody")

    def find(self, label: str, answer: str) -> FoundPhotos:
        return FoundPhotos(tuple(CellPhoto(k, f"{label}/{k}.jpg", answer, 0.9) for k in range(self.n)))

    def read_thumbnail(self, key: int) -> bytes | None:
        return None


def test_many_photos_come_page_by_page(model: Path) -> None:
    panel = show(model, SlowPhotos())
    cell = open_cell(panel, 0, 0)
    assert (len(cell["photos"]), cell["more"]) == (PAGE, 60 - PAGE)
    send(panel.matrix, type="more")
    send(panel.matrix, type="more")
    assert (len(panel.matrix.cell["photos"]), panel.matrix.cell["more"]) == (60, 0)
    send(panel.matrix, type="close")
    assert panel.matrix.cell == {}
    assert len(open_cell(panel, 0, 0)["photos"]) == PAGE


@pytest.mark.slow
def test_what_was_closed_meanwhile_is_not_shown(model: Path) -> None:
    slow = SlowPhotos()
    slow.slow = 0.4
    panel = show(model, slow)
    send(panel.matrix, type="open", row=0, column=0)
    assert panel.matrix.cells.status is Status.BUSY
    send(panel.matrix, type="close")
    cell = open_cell(panel, 1, 1)
    assert (cell["row"], cell["column"]) == (1, 1)
    time.sleep(0.5)
    assert (panel.matrix.cell["row"], panel.matrix.cell["busy"]) == (1, False)


def test_an_unforeseen_fault_is_a_sentence_without_its_details(model: Path) -> None:
    broken = SlowPhotos()
    broken.fault = True
    cell = open_cell(show(model, broken), 0, 0)
    assert cell["bad"]
    assert cell["note"].startswith("Something went wrong")
    assert "secret" not in json.dumps(cell)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "open", "row": 3, "column": 0}, {"type": "open", "row": -1, "column": 0},
        {"type": "open", "row": "0", "column": 0}, {"type": "open"}, {"type": "need", "keys": "all"},
        {"type": "need", "keys": [[1]]}, {"type": "else"}, [1], "open",
    ],
)  # fmt: skip
def test_a_message_that_the_page_cannot_have_sent_changes_nothing(model: Path, message: Any) -> None:
    panel = show(model, SlowPhotos())
    panel.matrix._handle_custom_msg(message, [])
    assert panel.matrix.cells.cell is None
    assert panel.matrix.cell == {}


def fill(model: Path) -> Path:
    """Give a model a card in which everything is said."""
    manifest = read_manifest(model)
    valid = manifest["metrics"]["valid"]
    sure = {"threshold": 0.9, "level": 0.95, "coverage": 0.5, "n": 9, "accuracy": 1.0, "interval": [0.7, 1.0]}
    few = {name: {**entry, "n": 3} for name, entry in valid["per_class"].items()}
    valid = {**valid, "sure": sure, "ece_raw": 0.2, "per_class": few}
    opening = {"time": "2026-01-02T03:04:05+00:00", "n": 9, "accuracy": 0.9}
    epoch = {"phase": "body", "train_loss": 1.0, "valid_loss": 0.9, "accuracy": 0.5, "seconds": 1.5}
    against = {"name": "clothing", "n": 9, "auroc": 0.9, "flagged": 0.8, "n_inside": 7, "inside": "test"}
    change_manifest(
        model,
        {
            "metrics": {"train": {"n": 60, "accuracy": 1.0, "per_class": few}, "valid": valid, "test": valid},
            "sealed_test": {"n": 9, "openings": [opening, {**opening, "inherited": True}]},
            "split": {
                "how": "drawn", "seed": 0, "train": 60, "valid": 18, "test": 9, "near_duplicates_across": 2,
                "left_out_leaks": 3, "left_out_conflicts": 4,
            },
            "training": {
                "mode": "fine-tune", "pretrained": False, "size": 64, "resize": "squish", "augment": "x",
                "batch_size": 64, "lr": 0.1, "seed": 0, "best_epoch": 1, "time_limit": 60, "seconds": 6,
                "device": "cpu", "weights": "none", "from": "a", "epochs": [epoch, epoch],
            },
            "ood": {
                **manifest["ood"], "against": [against], "n": 18,
                "test_false_alarms": {"rate": 0.1, "interval": [0.0, 0.2], "n": 9},
            },
            "refits": [{"time": "2026-01-02T03:04:05+00:00", "n_train": 60, "edits": 3}],
        },
    )  # fmt: skip
    return model


@pytest.mark.parametrize("code", ["es", "ar"])
def test_the_whole_card_is_said_in_the_pages_language(model: Path, code: str) -> None:
    panel = show(fill(model))
    english = read_texts(panel)
    language.code = code
    other = read_texts(panel)
    assert len(english) == len(other) > 200
    # values: names, versions, what the record holds; and what is not a word
    values = {*VOCAB, "AUROC", "fastclf", "toy", "fine-tune", "squish", "cpu", "none", "clothing", "body"}
    same = {a for a, b in zip(english, other, strict=True) if a == b and re.search(r"[A-Za-z]{2}", a)}
    moments = {text for text in same if text.endswith("UTC")}
    assert same - moments <= values
    language.code = "en"
    assert read_texts(panel) == english


def test_open_photos_are_said_again_in_another_language(model: Path, photos: Path) -> None:
    with Catalog(photos) as catalog:
        catalog.scan()
        catalog.remove([p.name for p in catalog.photos().photos if p.split == "valid"][:1])
    panel = show(model, photos)
    open_cell(panel, 0, 0)
    language.code = "es"
    assert panel.matrix.cell["photos"][0]["said"]
    assert panel.matrix.texts["Close"] == "Cerrar"
    panel.close()
    language.code = "ar"  # nothing listens any more
    assert panel.matrix is None


def test_no_tab_loads_anything_heavy_and_no_photo_is_opened_by_looking_at_it(model: Path) -> None:
    code = (
        "import sys, fastclf.dashboard.clean.cleaner, fastclf.dashboard.clean.panel; from fastclf import ModelBundle\n"
        "from fastclf.dashboard.about.panel import AboutPanel\n"
        "from fastclf.dashboard.about.photos import ValidationPhotos; from pathlib import Path\n"
        "panel = AboutPanel(ModelBundle.load(sys.argv[1]), ValidationPhotos(Path('none'))); panel.start()\n"
        "assert len(panel.children) == 7\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code, model], capture_output=True, text=True, check=True)
    heavy = {"torch", "fastai", "timm", "sklearn", "scipy", "matplotlib", "pandas", "onnxruntime"}
    assert not heavy & set(done.stdout.split())
