"""What a hostile reader found: recipes that change between runs, hostile answers, odd places."""

from __future__ import annotations

import copy
import pickle
import shutil
import threading
import time
from pathlib import Path

import pytest

from fastclf import Catalog
from fastclf.collect import Found, collect_photos, download_images, load_recipe, search_images
from fastclf.collect.recipes.recipe_file import parse_recipe
from fastclf.collect.web import AddressRule
from fastclf.errors import PhotosError, UsageProblem

from .conftest import RECIPE, Collect, FakeService, jpeg
from .test_collect import files, photos, rows
from .test_unpack import FOLDER
from .web import Web


def test_more_photos_later_even_after_everything_was_asked_for_again(web: Web, run: Collect) -> None:
    service = FakeService({"cat": photos(web, "cat", 50), "dog": photos(web, "dog", 50)})
    assert run([service], wanted=3).photos == 6
    assert run([service], wanted=45, again=True).photos == 90


def test_a_class_that_was_misspelt_gives_its_addresses_up(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    service = FakeService({"cat": photos(web, "cat", 5), "dog": photos(web, "dog", 5)})
    out = tmp_path / "photos"
    for text in (RECIPE.replace('cat = "cat"', 'catt = "cat"'), RECIPE):
        recipe = parse_recipe(text.format(wanted=5), "pair.toml")
        report = collect_photos(recipe, out, services=[service], rule=rule, bars=False)
        shutil.rmtree(out / "catt", ignore_errors=True)
    assert report.classes["cat"].photos == 5
    assert report.classes["dog"].photos == 5


def test_a_class_folder_that_was_renamed_by_hand_is_gone_on_with(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    service = FakeService({"cat": photos(web, "cat", 8), "dog": photos(web, "dog", 8)})
    out = tmp_path / "photos"
    first = parse_recipe(RECIPE.replace('cat = "cat"', 'catt = "cat"').format(wanted=4), "pair.toml")
    collect_photos(first, out, services=[service], rule=rule, bars=False)
    (out / "catt").rename(out / "cat")
    report = collect_photos(
        parse_recipe(RECIPE.format(wanted=8), "r"), out, services=[service], rule=rule, bars=False
    )
    assert report.classes["cat"].photos == 8
    assert len({*files(report).values()}) == 16


@pytest.mark.parametrize("again", [False, True])
def test_a_labelling_rule_may_be_mended(tmp_path: Path, again: bool) -> None:
    for label in ("ant", "bee"):
        for i in range(3):
            (tmp_path / "mine").mkdir(exist_ok=True)
            (tmp_path / "mine" / f"{label}_{i}.jpg").write_bytes(jpeg(f"{label}{i}"))
    wrong = parse_recipe(FOLDER.format(path="mine"), "mine.toml", base=tmp_path)
    first = collect_photos(wrong, tmp_path / "photos", bars=False)
    assert (first.photos, first.classes[""].refused) == (0, 6)
    text = FOLDER.format(path="mine") + '[folder.label]\nby = "pattern"\npattern = "^(.+)_"\n'
    second = collect_photos(
        parse_recipe(text, "mine.toml", base=tmp_path), tmp_path / "photos", bars=False, again=again
    )
    assert {label: c.photos for label, c in second.classes.items()} == {"ant": 3, "bee": 3}


def test_a_class_of_an_archive_may_be_renamed_in_the_recipe(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / "mine" / "cat").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / "cat" / f"{i}.jpg").write_bytes(jpeg(str(i)))
    text = FOLDER.format(path="mine")
    collect_photos(parse_recipe(text, "m", base=tmp_path), tmp_path / "photos", bars=False)
    shutil.rmtree(tmp_path / "photos" / "cat")
    text += '[folder.label]\nnames = { cat = "kitty" }\n'
    report = collect_photos(parse_recipe(text, "m", base=tmp_path), tmp_path / "photos", bars=False)
    assert report.classes["kitty"].photos == 3


def test_photos_that_lost_their_record_are_neither_overwritten_nor_counted_twice(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    service = FakeService({"cat": photos(web, "cat", 8), "dog": photos(web, "dog", 8)})
    out = tmp_path / "photos"
    first = collect_photos(
        parse_recipe(RECIPE.format(wanted=4), "r"), out, services=[service], rule=rule, bars=False
    )
    before = files(first)
    shutil.rmtree(out / ".fastclf")
    text = RECIPE.replace("largest_side = 200", "largest_side = 100").format(wanted=6)
    second = collect_photos(parse_recipe(text, "r"), out, services=[service], rule=rule, bars=False)
    assert before.items() <= files(second).items()
    assert (second.classes["cat"].photos, second.classes["dog"].photos) == (6, 6)
    with Catalog(out) as catalog:
        stored = {row.path: row.stored for row in catalog.fetches.rows(status="stored")}
        assert stored == {photo.name: photo.sha256 for photo in catalog.photos().photos}


class Odd(FakeService):
    """Answers with texts that no database takes, and with nothing where a text should be."""

    def search(self, query: str, page: int) -> list[Found]:
        found = super().search(query, page)
        odd = [
            Found("http://a/\ud83d", title="Cat \ud83d"),
            Found("", title="none"),
            Found("x\ny", licence=None),
        ]  # type: ignore[arg-type]
        return [*odd, *found] if found else []


def test_odd_texts_of_a_service_do_not_end_the_run(web: Web, run: Collect) -> None:
    report = run([Odd({"cat": photos(web, "cat", 3), "dog": photos(web, "dog", 3)})])
    assert report.photos == 6
    assert rows(report)["http://a/"]["status"] in ("refused", "duplicate")


def test_a_service_that_answers_with_no_list_is_left_out(web: Web, run: Collect) -> None:
    class NoList(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            return None  # type: ignore[return-value]

    good = FakeService({"cat": photos(web, "cat", 2), "dog": photos(web, "dog", 2)}, "openverse")
    assert run([NoList({}), good]).photos == 4


def test_what_a_spreadsheet_would_compute_is_defused(web: Web, run: Collect) -> None:
    service = FakeService(
        {"cat": ['=HYPERLINK("http://x")', *photos(web, "cat", 1)], "dog": photos(web, "dog", 1)}
    )
    assert '\'=HYPERLINK("http://x")' in rows(run([service]))


def test_a_search_that_hangs_does_not_hold_up_ctrl_c(web: Web, run: Collect) -> None:
    import os
    import signal

    class Hanging(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            time.sleep(8)
            return []

    said: list[str] = []
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run([Hanging({})], say=said.append)
    assert time.monotonic() - started < 4
    assert said == ["Stopping ..."]


def test_a_persons_file_is_not_replaced_by_the_sample(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    for name in ("notes.txt", "folder"):
        with pytest.raises(UsageProblem, match="holds something else"):
            collect_photos(load_recipe("digits"), tmp_path / name)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "notes.txt"]


def test_a_file_is_no_folder_to_collect_into(tmp_path: Path, rule: AddressRule) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PhotosError, match="is no folder"):
        collect_photos(
            parse_recipe(RECIPE.format(wanted=5), "r"), tmp_path / "notes.txt", services=[], rule=rule
        )


def test_a_makers_own_split_folders_are_left_alone(web: Web, run: Collect, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        for label in ("cat", "dog"):
            (tmp_path / "photos" / "pair" / split / label).mkdir(parents=True)
            (tmp_path / "photos" / "pair" / split / label / "a.jpg").write_bytes(jpeg(split + label))
    with pytest.raises(PhotosError, match="train and valid"):
        run([FakeService({"cat": photos(web, "cat", 2)})])
    assert not (tmp_path / "photos" / "pair" / "cat").exists()


def test_a_source_inside_the_collection_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big" / "raw" / "cat").mkdir(parents=True)
    (tmp_path / "big" / "raw" / "cat" / "a.jpg").write_bytes(jpeg("a"))
    recipe = parse_recipe(FOLDER.format(path="big/raw"), "m", base=tmp_path)
    with pytest.raises(PhotosError, match="one of these lies in the other"):
        collect_photos(recipe, tmp_path / "big", bars=False)


def test_a_report_that_cannot_be_written_loses_no_collection(web: Web, run: Collect, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "pair-report").write_text("in the way")
    report = run([FakeService({"cat": photos(web, "cat", 2), "dog": photos(web, "dog", 2)})])
    assert report.photos == 4
    assert "could not be written" in report.to_text()


def test_a_class_with_a_long_name_gets_its_sheet(tmp_path: Path) -> None:
    label = "熊" * 84
    (tmp_path / "mine" / label).mkdir(parents=True)
    (tmp_path / "mine" / label / "a.jpg").write_bytes(jpeg("a"))
    report = collect_photos(
        parse_recipe(FOLDER.format(path="mine"), "m", base=tmp_path), tmp_path / "photos", bars=False
    )
    assert report.sheets[label].is_file()


def test_addresses_survive_being_copied_and_one_address_is_a_list_of_one(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    (url,) = search_images("cat photo", services=[FakeService({"cat": photos(web, "cat", 1)})])
    assert pickle.loads(pickle.dumps(url)).found == copy.deepcopy(url).found == url.found
    report = download_images(
        tmp_path / "p" / "cat", urls=str(url), n_workers=0, preserve_filename=True, rule=rule, bars=False
    )
    assert report.classes["cat"].photos == 1


def test_download_images_does_not_take_the_working_directory_for_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for dest in ("loose", "photos/.hidden"):
        with pytest.raises(UsageProblem, match="no class folder"):
            download_images(dest, urls=["http://a/1"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RECIPE + 'Cat = "x"', "is unknown"),
        (RECIPE.replace("[collect]", 'Cat = "x"\n[collect]'), "classes.Cat and cat would be one folder"),
        (RECIPE + "services = []", "collect.services is empty"),
        (RECIPE + "[train]\nlr = nan", "train.lr is nan; it must be a finite number"),
        (RECIPE.replace('"cat"', '"a\\u0000b"'), "none of them empty|cannot be printed"),
        ("a = " + "[" * 5000, "not valid TOML"),
        (RECIPE.replace('cat = "cat"', 'cat = { urls = "~nosuchuser/x.txt" }'), "there is no such file"),
    ],
)  # fmt: skip
def test_silly_recipes_are_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(UsageProblem, match=words):
        parse_recipe(text.replace("{wanted}", "5").replace("{{", "{").replace("}}", "}"), "mine.toml")


def test_a_folder_without_photos_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    report = collect_photos(
        parse_recipe(FOLDER.format(path="mine"), "m", base=tmp_path), tmp_path / "photos", bars=False
    )
    assert report.to_text().startswith("No photos were found.")
