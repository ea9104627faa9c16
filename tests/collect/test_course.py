"""The course's three calls: what a notebook that was written for them gets here."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastclf import Catalog
from fastclf.collect import CollectSummary, download_images, search_images, verify_images
from fastclf.collect.services import LimitedError, UnreachableError
from fastclf.collect.web import AddressRule
from fastclf.errors import MissingExtraError, SearchError, UsageError
from fastclf.photos import MAX_BYTES

from ..drawing import bad_files, draw_scene, encode
from . import web as behave
from .conftest import Endless, FakeService, jpeg, photos, rows, write_files
from .web import Web

Download = Callable[..., CollectSummary]


@pytest.fixture
def download(rule: AddressRule, tmp_path: Path) -> Download:
    """Download into ``p/ant``."""

    def download(*args: Any, dest: str | Path = tmp_path / "p" / "ant", **options: Any) -> CollectSummary:
        return download_images(dest, *args, rule=rule, bars=False, **options)

    return download


def test_the_course_s_cell_works(web: Web, download: Download, tmp_path: Path) -> None:
    path = tmp_path / "bird_or_not"
    found = {"bird": photos(web, "bird", 12), "forest": photos(web, "forest", 12)}
    found["bird"].insert(2, web.add("/page.jpg", behave.HTML))
    for o in ("forest", "bird"):
        (path / o).mkdir(exist_ok=True, parents=True)
        urls = search_images(f"{o} photo", max_images=10, services=[FakeService(found)])
        assert len(urls) == 10
        assert all(isinstance(url, str) and url.startswith("http://") for url in urls)
        summary = download(urls=urls, dest=path / o)
    assert [len(list((path / o).iterdir())) for o in ("bird", "forest")] == [9, 10]
    assert verify_images(path.glob("[!.]*/*")) == []
    assert summary.classes["bird"].reasons == {"is a web page, not a photo": 1}
    with Catalog(path) as catalog:
        # licences came along, through what looks like a list of texts
        known = {(row.label, row.licence) for row in catalog.fetches.rows()}
    assert known == {("bird", "CC0 1.0"), ("forest", "CC0 1.0")}


@pytest.mark.parametrize(("most", "got", "pages"), [(25, 25, ([1, 2], [])), (80, 50, ([1, 2, 3, 4], [1]))])
def test_only_needed_pages_are_asked_for_and_the_next_service_where_one_has_no_more(
    most: int, got: int, pages: tuple[list[int], list[int]]
) -> None:
    services = [FakeService({"ant": [f"http://a/{i}" for i in range(50)]}), FakeService({}, "openverse")]
    assert len(search_images("ant photo", most, services=services)) == got
    assert tuple([page for _, page in service.asked] for service in services) == pages


def test_a_search_that_never_ends_or_repeats_itself_ends() -> None:
    same = Endless(5, same=True)
    found = [search_images("ant", 1000, services=[service]) for service in (Endless(1), same)]
    assert ([len(urls) for urls in found], len(same.asked)) == ([20, 5], 2)


def test_a_service_that_is_gone_is_passed_over() -> None:
    few = FakeService({"ant": ["http://a/1", "http://a/2"]})
    more = FakeService({"ant": ["http://a/2", "http://a/3"]}, "openverse")
    limited = FakeService({}, fails=LimitedError("duckduckgo"))
    gone = FakeService({}, fails=UnreachableError("openverse", "is gone"))
    missing = FakeService({}, fails=MissingExtraError("Install ddgs."))
    assert search_images("ant photo", services=[few, more]) == ["http://a/1", "http://a/2", "http://a/3"]
    assert search_images("ant photo", services=[limited, gone, missing, more]) == ["http://a/2", "http://a/3"]
    assert search_images("nothing photo", services=[few]) == search_images("ant", services=[]) == []
    with pytest.raises(
        SearchError,
        match=r"\(duckduckgo asks for fewer requests; openverse is gone; Install ddgs\).*url_file",
    ):
        search_images("ant photo", services=[limited, gone, missing])


def test_addresses_come_from_a_file_as_well(web: Web, download: Download, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("\n".join(photos(web, "ant", 5)))
    summary = download(tmp_path / "urls.txt", max_pics=3)
    assert summary.classes["ant"].photos == len(rows(summary)) == 3
    with pytest.raises(UsageError, match="urls="):
        download()


def test_addresses_survive_being_copied_and_one_is_a_list_of_one(web: Web, download: Download) -> None:
    (url,) = search_images("cat photo", services=[FakeService({"cat": photos(web, "cat", 1)})])
    assert pickle.loads(pickle.dumps(url)).found == copy.deepcopy(url).found == url.found
    assert download(urls=str(url), n_workers=0, preserve_filename=True).photos == 1


def test_calling_it_again_takes_up_what_failed_and_nothing_twice(web: Web, download: Download) -> None:
    urls = [web.add("/busy.jpg", behave.flaky(3, jpeg("busy"), code=503)), web.url("/gone.jpg")]
    urls += photos(web, "ant", 3)
    first, second = download(urls=urls), download(urls=urls)
    assert (first.photos, second.photos, second.new) == (3, 4, 1)
    assert (web.count("/gone.jpg"), web.count("/ant/0.jpg")) == (1, 1)


@pytest.mark.slow
def test_size_time_and_requests_are_what_the_caller_says(
    web: Web, download: Download, tmp_path: Path
) -> None:
    silent = web.add("/silent", behave.SILENT)
    web.delay = 0.02
    summary = download(urls=[*photos(web, "ant", 8), silent], n_workers=2, timeout=1.0, max_size=50)
    assert rows(summary)[silent]["reason"] == "took longer than 1 s"
    assert (summary.photos, web.most_at_once(), summary.sheets) == (8, 2, {})
    with Catalog(tmp_path / "p") as catalog:
        assert {max(photo.width, photo.height) for photo in catalog.photos().photos} == {50}


def test_the_class_folder_may_be_where_one_stands(
    web: Web, download: Download, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p" / "ant").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "p" / "ant")
    summary = download(urls=photos(web, "ant", 1), dest=".")
    assert summary.classes["ant"].photos == len(list(Path.cwd().iterdir())) == 1
    assert summary.table == tmp_path / "p-report" / "collected.csv"


@pytest.mark.parametrize("dest", ["loose", "photos/.hidden"])
def test_the_working_directory_is_no_class_folder(
    dest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no class folder"):
        download_images(dest, urls=["http://a/1"])
    assert not list(tmp_path.iterdir())


def test_verify_images_says_why_and_deletes_nothing(tmp_path: Path) -> None:
    bad = {name: data for name, (data, _) in bad_files().items()}
    # one is larger than an upload may be, and a photo all the same
    good = {"good.jpg": jpeg("good"), "large.bmp": encode(draw_scene("large"), "BMP") + bytes(MAX_BYTES)}
    files = sorted(write_files(tmp_path, {**bad, **good}).iterdir())
    failed = verify_images(files)
    assert [f.name for f in failed] == [f.name for f in files if f.name not in good]
    assert "web page" in failed.reasons[tmp_path / "page.jpg"]
    assert sorted(tmp_path.iterdir()) == files
    failed.map(Path.unlink)  # as the course does it
    assert {f.name for f in tmp_path.iterdir()} == set(good)
