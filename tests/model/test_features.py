"""Features are computed once, in order, with photos decoded ahead and little memory."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf import Catalog
from fastclf.model import FeatureCache, Preprocess, fill_cache
from fastclf.model.preprocess import BATCH
from fastclf.photos import Photo, decode_photo

from ..drawing import draw_photos

PREPROCESS = Preprocess((3, 8, 8), (8, 8), "squish")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    """150 photos, of which the 20th and a whole batch can no longer be read."""
    with Catalog(draw_photos(tmp_path_factory.mktemp("features") / "photos", per_class=50)) as catalog:
        catalog.scan()
        found = catalog.photos().photos
    for photo in [found[20], *found[48:64]]:
        photo.path.write_bytes(b"nothing")
    return list(found)


def _run(batch: np.ndarray) -> np.ndarray:
    return batch.reshape(len(batch), -1)[:, ::7]


def test_decoding_ahead_gives_the_features_of_one_by_one(photos: list[Photo], tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "ahead")
    seen: list[tuple[int, int]] = []
    assert fill_cache(cache, photos, PREPROCESS, _run, lambda *done: seen.append(done)) == 150
    rows, there = FeatureCache(tmp_path, "ahead").stack([p.sha256 for p in photos])
    assert [i for i, known in enumerate(there) if not known] == [20, *range(48, 64)]
    for photo, row, known in zip(photos, rows, there, strict=True):
        if known:
            assert np.array_equal(row, _run(PREPROCESS(decode_photo(photo.path).image)[None])[0])
    assert [done for done, _ in seen] == [*range(BATCH, 150, BATCH), 150]


def test_what_is_cached_is_not_computed_again(photos: list[Photo], tmp_path: Path) -> None:
    sizes: list[int] = []

    def run(batch: np.ndarray) -> np.ndarray:
        sizes.append(len(batch))
        return _run(batch)

    fill_cache(FeatureCache(tmp_path, "x"), photos[:10], PREPROCESS, run)
    fill_cache(FeatureCache(tmp_path, "x"), photos[:15], PREPROCESS, run)
    assert fill_cache(FeatureCache(tmp_path, "x"), photos[:15], PREPROCESS, run) == 0
    assert sizes == [4, 4, 2, 4, 1]


def test_few_inputs_are_alive_at_once(photos: list[Photo], tmp_path: Path) -> None:
    made: list[weakref.ref[np.ndarray]] = []
    most = 0

    class Tracked(np.ndarray):
        pass

    class Tracking(Preprocess):
        def __call__(self, image: Image.Image) -> np.ndarray:
            found = super().__call__(image).view(Tracked)
            made.append(weakref.ref(found))
            return found

    def run(batch: np.ndarray) -> np.ndarray:
        nonlocal most
        most = max(most, sum(ref() is not None for ref in made))
        return _run(np.asarray(batch))

    fill_cache(FeatureCache(tmp_path, "x"), photos, Tracking(**vars(PREPROCESS)), run)
    # a batch, and eight that are decoded ahead
    assert BATCH < most <= 9 * BATCH


@pytest.mark.slow
def test_an_error_while_computing_ends_the_decoding_too(photos: list[Photo], tmp_path: Path) -> None:
    def run(_: np.ndarray) -> np.ndarray:
        raise RuntimeError("no memory")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="no memory"):
        fill_cache(FeatureCache(tmp_path, "x"), photos, PREPROCESS, run)
    gc.collect()
    assert threading.active_count() == before


def test_features_that_cannot_be_written_down_are_there_until_the_process_ends(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("in the way")
    cache = FeatureCache(tmp_path, "net")
    cache.add({"0" * 64: np.zeros(3, np.float32)})
    assert len(cache.load()) == 1


def add_vectors(folder: Path, numbers: range, size: int = 4) -> None:
    for start in range(numbers.start, numbers.stop, size):
        rows = range(start, min(start + size, numbers.stop))
        FeatureCache(folder, "net").add({f"{n:064x}": np.full(3, n, np.float32) for n in rows})


def test_however_many_features_there_are_each_is_written_a_few_times_and_few_files_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = FeatureCache._write
    monkeypatch.setattr(
        FeatureCache, "_write", lambda self, vectors: written.append(len(vectors)) or write(self, vectors)
    )
    n = 4 * 700
    add_vectors(tmp_path, range(n))
    assert sum(written) <= 4 * n
    assert len(list(tmp_path.glob("features/net/*"))) <= 3 * 16
    rows, there = FeatureCache(tmp_path, "net").stack([f"{i:064x}" for i in range(n)])
    assert there.all()
    assert rows[:, 0].tolist() == list(range(n))


def test_chunks_of_two_processes_that_hold_the_same_become_one_and_damaged_ones_go(tmp_path: Path) -> None:
    add_vectors(tmp_path, range(60))
    [folder] = tmp_path.glob("features/net")
    chunks = sorted(folder.glob("*.npz"))
    assert len(chunks) == 15
    for number in range(14):
        (folder / f"other{number}.npz").write_bytes(chunks[0].read_bytes())
    chunks[3].write_bytes(b"?" * chunks[3].stat().st_size)
    add_vectors(tmp_path, range(60, 64))
    assert len(list(folder.glob("*.npz"))) == 1
    assert len(FeatureCache(tmp_path, "net").load()) == 60
