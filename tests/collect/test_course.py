"""The course's three calls: what a notebook that was written for them gets here."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fastclf import Catalog
from fastclf.collect import Found, download_images, search_images, verify_images
from fastclf.collect.services import LimitedError, UnreachableError
from fastclf.collect.web import AddressRule
from fastclf.errors import SearchError, UsageProblem

from ..drawing import bad_files
from . import web as behave
from .conftest import FakeService, jpeg
from .web import Web


class Lost(FakeService):
    def search(self, query: str, page: int) -> list[Found]:
        raise (LimitedError if self.found else UnreachableError)(
            self.name, *([] if self.found else ["is gone"])
        )


def test_the_course_s_cell_works(web: Web, rule: AddressRule, tmp_path: Path) -> None:
    path = tmp_path / "bird_or_not"
    found = {t: [web.photo(f"/{t}{i}.jpg", jpeg(f"{t}{i}")) for i in range(30)] for t in ("bird", "forest")}
    found["bird"].insert(2, web.add("/page.jpg", behave.html()))
    service = FakeService(found)
    for o in ("forest", "bird"):
        dest = path / o
        dest.mkdir(exist_ok=True, parents=True)
        urls = search_images(f"{o} photo", max_images=25, services=[service])
        assert len(urls) == 25
        assert all(isinstance(url, str) and url.startswith("http://") for url in urls)
        report = download_images(dest, urls=urls, rule=rule, bars=False)
    assert len(list((path / "bird").iterdir())) == 24
    assert len(list((path / "forest").iterdir())) == 25
    assert verify_images(path.glob("[!.]*/*")) == []
    assert report.classes["bird"].reasons == {"is a web page, not a photo": 1}
    with Catalog(path) as catalog:
        # licences came along, through what looks like a list of texts
        assert {row.licence for row in catalog.fetches.rows()} == {"CC0 1.0"}
        assert {row.label for row in catalog.fetches.rows()} == {"bird", "forest"}


def test_calling_it_again_downloads_nothing_twice(web: Web, rule: AddressRule, tmp_path: Path) -> None:
    urls = [web.photo(f"/{i}.jpg", jpeg(str(i))) for i in range(5)]
    download_images(tmp_path / "p" / "ant", urls=urls, rule=rule, bars=False)
    hits = len(web.hits)
    report = download_images(tmp_path / "p" / "ant", urls=urls, rule=rule, bars=False)
    assert (report.new, len(web.hits)) == (0, hits)


def test_addresses_come_from_a_file_as_well(web: Web, rule: AddressRule, tmp_path: Path) -> None:
    urls = [web.photo(f"/{i}.jpg", jpeg(str(i))) for i in range(5)]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    report = download_images(tmp_path / "p" / "ant", tmp_path / "urls.txt", max_pics=3, rule=rule, bars=False)
    assert report.classes["ant"].photos == 3
    assert report.table
    assert len(list(csv.DictReader(report.table.open()))) == 3
    with pytest.raises(UsageProblem, match="urls="):
        download_images(tmp_path / "p" / "ant")


def test_the_next_service_is_asked_where_one_has_no_more_or_is_gone() -> None:
    few, more = (
        FakeService({"ant": ["http://a/1", "http://a/2"]}),
        FakeService({"ant": ["http://a/2", "http://a/3"]}),
    )
    assert search_images("ant photo", services=[few, more]) == ["http://a/1", "http://a/2", "http://a/3"]
    assert search_images("ant photo", services=[Lost({}), more]) == ["http://a/2", "http://a/3"]
    assert search_images("ant photo", 1, services=[few, more]) == ["http://a/1"]
    assert search_images("nothing photo", services=[few]) == []
    assert search_images("ant photo", services=[]) == []
    with pytest.raises(SearchError, match=r"asks for patience.*is gone.*url_file"):
        search_images("ant photo", services=[Lost({"x": []}), Lost({}, "openverse")])


def test_verify_images_says_why_and_deletes_nothing(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(jpeg("good"))
    for name, (data, _) in bad_files().items():
        (tmp_path / name).write_bytes(data)
    files = sorted(tmp_path.iterdir())
    failed = verify_images(files)
    assert [f.name for f in failed] == [f.name for f in files if f.name != "good.jpg"]
    assert "web page" in failed.reasons[tmp_path / "page.jpg"]
    assert sorted(tmp_path.iterdir()) == files
    failed.map(Path.unlink)  # as the course does it
    assert [f.name for f in tmp_path.iterdir()] == ["good.jpg"]
