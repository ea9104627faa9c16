"""Scoring into shards: one row a photo, the answers of `predict`, the same bytes again, nothing done twice."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from fastclf.card import save_manifest
from fastclf.errors import PhotosError, ScoreError, UsageError
from fastclf.model import ModelBundle, Predictor
from fastclf.score import SUMMARY, ScoreBatch, score_photos
from fastclf.score import place as place_module
from fastclf.score.photo_list import PhotoList
from fastclf.system import hash_file

from ..conftest import call_fastclf
from ..drawing import draw_photo, encode
from ..toy import write_toy_bundle


def read_rows(out: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(out.glob("part-*.parquet")) for row in pq.read_table(file).to_pylist()]


def read_shards(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in out.glob("part-*.parquet")}


@pytest.fixture
def photos(photo_folder: Path) -> Path:
    """Thirty photos, an empty one, one that is text, and a file that is none."""
    (photo_folder / "red" / "empty.jpg").write_bytes(b"")
    (photo_folder / "text.png").write_bytes(b"no photo at all")
    (photo_folder / "notes.txt").write_text("hello")
    return photo_folder


def test_every_photo_has_one_row_with_the_answer_of_predict(
    photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    summary = score_photos(toy_model, photos, tmp_path / "out", shard_size=7)
    rows = read_rows(tmp_path / "out")
    found = [p.relative_to(photos).as_posix() for p in photos.rglob("*") if p.suffix in (".png", ".jpg")]
    assert [row["path"] for row in rows] == sorted(found)
    assert len(rows) == 32
    assert len(list((tmp_path / "out").glob("part-*-of-00005.parquet"))) == 5
    answers = Predictor(toy_model).predict_many([photos / row["path"] for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        assert row["sha256"] == hash_file(photos / row["path"])
        assert (row["label"], row["unfamiliar"], row["set"]) == (
            answer.label,
            answer.unfamiliar,
            answer.label_set,
        )
        if answer.error:
            assert answer.error.endswith(f"{row['error']}.")
            assert row["probability"] is row["p_red"] is row["score"] is None
        else:
            assert {c: row[f"p_{c}"] for c in ("red", "green", "blue")} == pytest.approx(
                answer.probs, abs=1e-6
            )
            assert row["score"] == pytest.approx(answer.ood_score, rel=1e-4)
    assert {row["model"] for row in rows} == {summary.plan.model}
    assert summary.to_dict()["classes"] == {"blue": 10, "green": 10, "red": 10}
    assert sum(summary.counts.errors.values()) == 2
    assert json.loads((tmp_path / "out" / SUMMARY).read_text())["complete"]


def test_what_is_there_is_not_done_again_and_what_is_damaged_is(
    photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score_photos(toy_model, photos, out, shard_size=7)
    before = read_shards(out)
    assert score_photos(toy_model, photos, out, shard_size=7).scored == 0
    first, second, *_ = sorted(out.glob("part-*.parquet"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-20])
    again = score_photos(toy_model, photos, out, shard_size=7)
    assert again.scored == 14
    assert (again.counts.photos, again.shards) == (32, 5)
    assert read_shards(out) == before


def test_a_folder_of_another_model_list_or_size_is_refused(
    photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    out, bundle = tmp_path / "out", ModelBundle.load(toy_model)
    score_photos(bundle, photos, out, shard_size=7)
    before = read_shards(out)
    other = ModelBundle(bundle.path, replace(bundle.manifest, temperature=2.0))
    with pytest.raises(UsageError, match="another model, list"):
        score_photos(other, photos, out, shard_size=7)
    with pytest.raises(UsageError, match="another model, list"):
        score_photos(bundle, photos, out, shard_size=8)
    # what is said of the model elsewhere changes no answer
    score_photos(ModelBundle(bundle.path, replace(bundle.manifest, title="New")), photos, out, shard_size=7)
    (photos / "red" / "000.png").unlink()
    with pytest.raises(UsageError, match="another model, list"):
        score_photos(bundle, photos, out, shard_size=7)
    (out / "_plan.json").unlink()
    with pytest.raises(UsageError, match="another model, list"):
        score_photos(bundle, photos, out, shard_size=7)
    assert read_shards(out) == before


def test_the_jobs_of_an_array_make_together_what_one_run_makes(
    photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    score_photos(toy_model, photos, tmp_path / "one", shard_size=7)
    counted: list[tuple[int, int]] = []
    for k in (3, 1, 2):
        done = score_photos(
            toy_model, photos, tmp_path / "array", shard_size=7, part=(k, 3),
            progress=lambda *n: counted.append(n),
        )  # fmt: skip
        assert (done.shards == 5) == (k == 2)
        assert counted[-1][0] == counted[-1][1] == done.scored
    assert read_shards(tmp_path / "array") == read_shards(tmp_path / "one")
    summaries = [json.loads((tmp_path / name / SUMMARY).read_text()) for name in ("one", "array")]
    assert summaries[0]["errors"] == summaries[1]["errors"]
    assert summaries[1]["complete"]


@pytest.mark.skipif(os.name == "nt", reason="its names are text")
def test_names_of_any_letters_are_scored(tmp_path: Path, toy_model: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in (b"a\nb.png", b"\xff.png", b"\xe5\xad\x97.png", b'q"\\.png'):
        Path(os.fsdecode(bytes(tmp_path / "in") + b"/" + name)).write_bytes(
            encode(draw_photo("red", 1), "PNG")
        )
    score_photos(toy_model, tmp_path / "in", tmp_path / "out")
    rows = read_rows(tmp_path / "out")
    assert {row["path"] for row in rows} == {"a\nb.png", "\\udcff.png", "\u5b57.png", 'q"\\.png'}
    assert {row["label"] for row in rows} == {"red"}


@pytest.mark.slow
def test_a_list_of_any_length_is_sorted_and_has_each_name_once(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(110_000)
    made = PhotoList.write((f"{n % 105_001:06}" for n in order), tmp_path)
    names = list(made)
    assert (made.photos, made.repeated) == (105_001, 4_999)
    assert names == sorted(set(names))
    assert len(names) == 105_001
    assert made.sample(3) == ["000000", "052500", "105000"]


CSV = "path;note\n{0}/red/000.png;absolute\nblue/001.png;\n./green/002.png;\nblue/001.png;again\n"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_list_is_scored(kind: str, photos: Path, toy_model: Path, tmp_path: Path) -> None:
    file = tmp_path / f"list.{kind}"
    if kind == "csv":
        file.write_text(CSV.format(photos))
    else:
        paths = [line.split(";")[0] for line in CSV.format(photos).splitlines()[1:]]
        pq.write_table(pa.table({"n": range(4), "Image": paths}), file)
    summary = score_photos(toy_model, file, tmp_path / "out", root=photos)
    assert [row["path"] for row in read_rows(tmp_path / "out")] == [
        "blue/001.png",
        "green/002.png",
        "red/000.png",
    ]
    assert summary.repeated == 1
    assert summary.counts.classes == {"blue": 1, "green": 1, "red": 1}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    "path", ["../secret.png", "red/../../secret.png", "/etc/passwd", "s3://bucket/a.png", "."]
)
def test_a_list_names_nothing_outside_of_its_folder(
    path: str, kind: str, photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    file = photos / f"list.{kind}"
    if kind == "csv":
        file.write_text(f"path\nred/000.png\n{path}\n")
    else:
        pq.write_table(pa.table({"path": ["red/000.png", path]}), file)
    with pytest.raises(UsageError, match="is not below"):
        score_photos(toy_model, file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def write_repeated_text(file: Path) -> None:
    # a megabyte or so on the disk; as many times two megabytes as there are rows, as texts
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200, np.int32)), pa.array(["x" * 2_000_000]))
    pq.write_table(pa.table({"path": text.cast(pa.dictionary(pa.int32(), pa.string()))}), file)


def write_large_column(file: Path) -> None:
    text = pa.repeat("x" * 4000, 70_000)
    pq.write_table(pa.table({"path": text}), file, use_dictionary=False, compression="zstd")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no paths": (lambda file: pq.write_table(pa.table({"weight": [1.0]}), file), "no column named like path"),
    "numbers": (lambda file: pq.write_table(pa.table({"path": [1, 2]}), file), "are int64, not text"),
    "no Parquet": (lambda file: file.write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1"), "cannot be read"),
    "a long path": (
        lambda file: pq.write_table(pa.table({"path": ["a" * 5000]}), file),
        "path of 5,000 bytes",
    ),
    "a text in every row": (write_repeated_text, "a path of 2,000,000 bytes"),
    "a large column": (write_large_column, "larger than 256 MB unpacked"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_stranger_put_into_a_list_is_refused_in_one_sentence(
    name: str, toy_model: Path, tmp_path: Path
) -> None:
    write, words = HOSTILE[name]
    file = tmp_path / "list.parquet"
    write(file)
    before = pa.total_allocated_bytes()
    with pytest.raises(UsageError, match=words) as caught:
        score_photos(toy_model, file, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert pa.total_allocated_bytes() - before < 2**24


@pytest.fixture
def cloud(photos: Path) -> Iterator[MemoryFileSystem]:
    """The photos in a cloud, at memory://bucket/photos."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    for path in photos.rglob("*"):
        if path.is_file():
            files.pipe(f"/bucket/photos/{path.relative_to(photos).as_posix()}", path.read_bytes())
    files.pipe("/bucket/photos/.hidden/x.png", b"")
    yield files
    files.store.clear()


def test_a_clouds_photos_get_the_rows_of_the_folders(
    cloud: MemoryFileSystem, photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    score_photos(toy_model, photos, tmp_path / "disk")
    score_photos(toy_model, "memory://bucket/photos", tmp_path / "cloud")
    assert read_shards(tmp_path / "cloud") == read_shards(tmp_path / "disk")
    (tmp_path / "list.csv").write_text("path\nred/000.png\ngone.png\n")
    score_photos(toy_model, tmp_path / "list.csv", tmp_path / "list", root="memory://bucket/photos")
    assert [row["error"] for row in read_rows(tmp_path / "list")] == [
        "cannot be read (FileNotFoundError)",
        None,
    ]


def test_no_more_of_a_clouds_file_is_read_than_a_photo_may_have(
    cloud: MemoryFileSystem, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.pipe("/large/a.png", encode(draw_photo("red", 1), "PNG") + b"\0" * 2**20)
    monkeypatch.setattr(place_module, "MAX_FOLDER_BYTES", 2**20)
    score_photos(toy_model, "memory://large", tmp_path / "out")
    [row] = read_rows(tmp_path / "out")
    assert row["error"] == "has more than 1 MB, the most that is read"


def test_a_cloud_that_does_not_answer_is_no_fault_of_its_photos(
    cloud: MemoryFileSystem, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", lambda seconds: None)
        opened = MemoryFileSystem._open

        def fail(self: MemoryFileSystem, path: str, *args: Any, **kwargs: Any) -> Any:
            if path.endswith("green/004.png"):
                raise ConnectionError("reset by peer https://host/a.png?signature=secret")
            return opened(self, path, *args, **kwargs)

        patch.setattr(MemoryFileSystem, "_open", fail)
        with pytest.raises(ScoreError, match="1 of 5 shards could not be scored") as caught:
            score_photos(toy_model, "memory://bucket/photos", out, shard_size=7)
    assert "secret" not in str(caught.value)
    assert len(read_shards(out)) == 4
    assert not json.loads((out / SUMMARY).read_text())["complete"]
    assert score_photos(toy_model, "memory://bucket/photos", out, shard_size=7).scored == 7
    assert len(read_rows(out)) == 32


@pytest.mark.parametrize(
    "source",
    [
        "https://example.org/photos",
        "s3://u:password@bucket/x",
        "simplecache::s3://b/x",
        "ssh://host/x",
        "s3://",
    ],
)
def test_what_is_no_address_of_a_cloud_is_refused(source: str, toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        score_photos(toy_model, source, tmp_path / "out")


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_of_another_engine_is_scored_in_another_process(
    packed: bool, photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    score = pickle.dumps(ScoreBatch(toy_model, packed=packed))
    if packed:
        shutil.rmtree(toy_model)
    paths = [str(photos / "red" / name) for name in ("000.png", "empty.jpg", "gone.png")]
    # Ray gives and takes columns as arrays
    found = pickle.loads(score)({"path": np.array(paths), "n": np.arange(3)})
    assert list(found["label"]) == ["red", None, None]
    assert np.isnan(found["p_red"]).tolist() == [False, True, True]
    assert found["n"].tolist() == [0, 1, 2]
    assert [bool(error) for error in found["error"]] == [False, True, True]
    data = [Path(path).read_bytes() for path in paths[:2]]
    given = pickle.loads(score)({"bytes": np.array(data, object), "path": paths[:2]})
    assert "bytes" not in given
    assert given["p_red"][0] == found["p_red"][0]
    # Spark gives an array, and takes the columns of its type
    chosen = pickle.loads(pickle.dumps(pickle.loads(score).choose("label", "probability")))
    answer = chosen(np.array(data, object))
    assert list(answer) == ["label", "probability"]
    with pytest.raises(UsageError, match="no column 'labels'"):
        pickle.loads(score).choose("labels")(np.array(data, object))
    with pytest.raises(UsageError, match="A batch has a column"):
        pickle.loads(score)({"url": np.array(paths)})


def test_another_model_at_the_path_is_not_taken_for_it(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    manifest = ModelBundle.load(toy_model).manifest
    save_manifest(toy_model, replace(manifest, temperature=5.0))  # one that is not open here
    score = pickle.dumps(ScoreBatch(toy_model))
    save_manifest(toy_model, replace(manifest, temperature=3.0))
    with pytest.raises(ScoreError, match="is another one here"):
        pickle.loads(score)([str(photos / "red" / "000.png")])


@pytest.mark.slow
def test_large_photos_are_decoded_smaller_where_the_answers_stay(tmp_path: Path, toy_model: Path) -> None:
    (tmp_path / "in").mkdir()
    for n, label in enumerate(("red", "green", "blue")):
        blocks = np.kron(np.asarray(draw_photo(label, n, (173, 131))), np.ones((8, 8, 1))).astype(np.uint8)
        dark = blocks * (np.arange(blocks.shape[1]) % 90 < 40)[None, :, None]  # edges, which rounding moves
        (tmp_path / "in" / f"{n}.jpg").write_bytes(encode(Image.fromarray(dark.astype(np.uint8)), "JPEG"))
    whole = score_photos(toy_model, tmp_path / "in", tmp_path / "whole")
    smaller = score_photos(toy_model, tmp_path / "in", tmp_path / "smaller", tolerance=0.01)
    assert (whole.plan.least_side, smaller.plan.least_side) == (None, 512)
    for one, other in zip(read_rows(tmp_path / "whole"), read_rows(tmp_path / "smaller"), strict=True):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=0.01)
    strict = score_photos(toy_model, tmp_path / "in", tmp_path / "strict", tolerance=1e-9)
    assert strict.plan.least_side is None


def test_the_command_tells_what_it_found(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    done = call_fastclf("score", toy_model, photos, "out", "--processes", 1, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["photos"] == 32
    assert "32 photos are scored, 32 of them now" in done.stderr
    assert "no answer: the photo is empty (0 bytes)" in done.stderr
    for wrong in (
        ["--shard", "4/3"],
        ["--shard", "x"],
        ["--dask", "tcp://a:1", "--shard", "1/2"],
        ["--root", "x"],
    ):
        assert call_fastclf("score", toy_model, photos, "other", *wrong, cwd=tmp_path).returncode == 2
    nothing = call_fastclf("score", toy_model, tmp_path / "gone", "other", cwd=tmp_path)
    assert (nothing.returncode, "is no folder" in nothing.stderr) == (2, True)


def test_a_folder_without_photos_is_told(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(PhotosError, match="no photos"):
        score_photos(write_toy_bundle(tmp_path / "m"), tmp_path / "in", tmp_path / "out")
