"""The record of what was found and fetched."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastclf.catalog import DUPLICATE, REFUSED, STORED, WAITING, Catalog, Fetch, FetchLedger, Outcome, Store
from fastclf.errors import CatalogError
from fastclf.system import hash_file


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[FetchLedger]:
    database = Store(tmp_path / "catalog.sqlite")
    yield FetchLedger(database)
    database.close()


def urls(*numbers: int) -> list[dict[str, str]]:
    return [{"url": f"http://a/{number}"} for number in numbers]


def facts_of(row: Fetch) -> tuple[str, str, str, str]:
    return row.label, row.url.rpartition("/")[2], row.status, row.reason


def note_search(ledger: FetchLedger, label: str, source: str, query: str, page: int, found: int) -> None:
    results = [{"url": f"http://{source}/{label}/{query}/{page}/{i}"} for i in range(found)]
    ledger.add_page(label, source, query, page, results)


def test_what_was_found_is_on_record_with_all_that_is_known_of_it(ledger: FetchLedger) -> None:
    known = {
        "url": "http://a/1", "source": "openverse", "query": "cat photo", "page": "http://a/page",
        "licence": "CC0 1.0", "creator": "Ann", "title": "Bär 2",
    }  # fmt: skip
    assert ledger.add("cat", [known, {"url": "http://a/2", "title": None}]) == 2  # type: ignore[dict-item]
    first, second = ledger.rows()
    assert {name: getattr(first, name) for name in known} == known
    assert (first.label, first.status, first.reason, first.lasting) == ("cat", WAITING, "", False)
    assert (first.received, first.stored, first.path, first.bytes) == ("", "", "", 0)
    assert first.time.startswith("20")
    assert (second.source, second.title, second.licence) == ("", "", "")
    assert first.id < second.id


def test_an_address_is_listed_once_for_a_class_and_fetched_for_the_first_class_alone(
    ledger: FetchLedger,
) -> None:
    assert ledger.add("cat", urls(1, 3, 1)) == 2
    assert ledger.add("cat", urls(3, 4)) == 1
    assert ledger.add("dog", urls(1, 2)) == 1
    assert ledger.add("cow", urls(1)) == 0
    assert [facts_of(row) for row in ledger.rows()] == [
        *(("cat", n, WAITING, "") for n in "134"), ("dog", "1", DUPLICATE, "was found for cat too"),
        ("dog", "2", WAITING, ""), ("cow", "1", DUPLICATE, "was found for cat too"),
    ]  # fmt: skip
    assert [row.lasting for row in ledger.rows()] == [False, False, False, True, False, True]


def test_of_what_was_found_all_is_recorded_or_nothing(ledger: FetchLedger) -> None:
    ledger.add("cat", urls(1))

    def found() -> Iterator[dict[str, str]]:
        yield from urls(2, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.add("cat", found())
    assert len(ledger.rows()) == 1
    assert ledger.add("cat", urls(2)) == 1  # no transaction was left open


def test_an_address_that_was_refused_for_one_class_may_be_tried_for_another(ledger: FetchLedger) -> None:
    ledger.add("cat", urls(1))
    ledger.finish([Outcome(ledger.rows()[0].id, REFUSED, "has a name that gives no class", True)])
    assert ledger.add("dog", urls(1)) == 1
    assert [facts_of(row)[::2] for row in ledger.rows()] == [("cat", REFUSED), ("dog", WAITING)]


def test_what_became_of_addresses_is_recorded_of_all_or_of_none(ledger: FetchLedger) -> None:
    ledger.add("cat", urls(1, 2, 3))
    first, second, third = before = ledger.rows()
    with pytest.raises(CatalogError):
        ledger.finish([Outcome(first.id, STORED), Outcome(second.id, "eaten"), Outcome(third.id, STORED)])
    assert ledger.rows() == before
    ledger.finish([Outcome(first.id, STORED, "", True, "r1", "s1", "cat/1.jpg", 123)])
    done, *others = ledger.rows()
    assert (done.status, done.lasting, done.received, done.stored, done.path, done.bytes) == (
        STORED, True, "r1", "s1", "cat/1.jpg", 123,
    )  # fmt: skip
    assert others == [second, third]
    ledger.finish([])
    ledger.finish([Outcome(999, STORED)])
    assert ledger.rows() == [done, *others]


def all_kinds(ledger: FetchLedger) -> None:
    """1 stored, 2 duplicate, 3 refused for good, 4 refused for now, 5 waiting, 6 not needed."""
    ledger.add("cat", urls(1, 2, 3, 4, 5, 6))
    one, two, three, four, _, six = (row.id for row in ledger.rows())
    ledger.finish([
        Outcome(one, STORED, "", True, "r1", "s1", "cat/1.jpg", 10), Outcome(two, DUPLICATE, "is the same", True, "r1"),
        Outcome(three, REFUSED, "answered 404", True), Outcome(four, REFUSED, "took longer", False),
        Outcome(six, WAITING, "was not needed"),
    ])  # fmt: skip


def statuses(ledger: FetchLedger) -> list[tuple[str, str]]:
    return [(row.status, row.reason) for row in ledger.rows()]


def test_what_failed_for_now_is_tried_again_and_when_asked_all_that_is_not_in_the_folder(
    ledger: FetchLedger,
) -> None:
    all_kinds(ledger)
    note_search(ledger, "cat", "openverse", "cat", 1, 0)
    before = statuses(ledger)
    ledger.reopen()
    before[3] = (WAITING, "")
    assert statuses(ledger) == before
    assert ledger.searched("cat") == {("openverse", "cat"): (1, 0)}
    ledger.reopen_all()
    # no photo of the catalog has the hash of the stored one
    assert statuses(ledger) == [(WAITING, "")] * 5 + [(WAITING, "was not needed")]
    assert not ledger.rows()[2].lasting
    assert ledger.searched("cat") == {("openverse", "cat"): (1, 1)}  # goes on


def test_a_stored_photo_that_is_in_the_folder_is_not_tried_again(
    photo_folder: Path, catalog: Catalog
) -> None:
    ledger, names = catalog.fetches, ("red/000.png", "red/001.png", "blue/000.png")
    for number, name in enumerate(names):
        ledger.add(name.partition("/")[0], urls(number))
    ledger.finish(
        [
            Outcome(row.id, STORED, "", True, stored=hash_file(photo_folder / name), path=name)
            for row, name in zip(ledger.rows(), names, strict=True)
        ]
    )
    ledger.add("red", urls(7, 8, 9))
    seven, eight, _ = (row.id for row in ledger.rows()[3:])
    ledger.finish([Outcome(seven, REFUSED, "why", True), Outcome(eight, DUPLICATE, "twin", True, "r")])
    assert (ledger.count_gone("red"), ledger.count_gone("blue"), ledger.count_gone("none")) == (0, 0, 0)
    (photo_folder / "red" / "000.png").unlink()
    (photo_folder / "red" / "001.png").rename(photo_folder / "green" / "moved.png")
    assert ledger.count_gone("red") == 0  # as of the last scan
    catalog.scan()
    assert (ledger.count_gone("red"), ledger.count_gone("blue")) == (1, 0)
    ledger.reopen()
    assert [row.status for row in ledger.rows()] == [STORED] * 3 + [REFUSED, DUPLICATE, WAITING]
    ledger.reopen_all()
    assert [row.status for row in ledger.rows()] == [WAITING, STORED, STORED, WAITING, WAITING, WAITING]
    assert (ledger.count_gone("red"), ledger.count_gone("blue")) == (0, 0)


def test_rows_are_chosen_by_class_status_and_number(ledger: FetchLedger) -> None:
    all_kinds(ledger)
    ledger.add("dog", urls(7, 8))
    ids = [row.id for row in ledger.rows()]
    assert ids == sorted(ids)
    assert [facts_of(row)[1] for row in ledger.rows("dog")] == ["7", "8"]
    assert [facts_of(row)[1] for row in ledger.rows("cat", WAITING)] == ["5", "6"]
    assert [facts_of(row)[1] for row in ledger.rows(status=WAITING, after=ids[4])] == ["6", "7", "8"]
    assert ledger.rows("cow") == []
    assert [facts_of(row)[1] for row in ledger.find(["http://a/8", "http://a/1", "http://b/1"])] == ["1", "8"]
    assert ledger.find([]) == []


def test_licences_are_known_of_stored_photos_alone(ledger: FetchLedger) -> None:
    all_kinds(ledger)
    ledger.add(
        "cat", [{"url": "http://a/9", "licence": "CC BY 4.0"}, {"url": "http://a/10", "licence": "CC0"}]
    )
    ledger.finish([Outcome(ledger.find(["http://a/9"])[0].id, STORED, stored="s9")])
    assert ledger.licences() == {"s1": "", "s9": "CC BY 4.0"}


def test_of_each_search_the_last_page_is_known(ledger: FetchLedger) -> None:
    note_search(ledger, "cat", "openverse", "cat", 2, 7)
    note_search(ledger, "cat", "openverse", "cat", 1, 20)
    note_search(ledger, "cat", "wikimedia", "cat", 1, 0)
    note_search(ledger, "dog", "openverse", "cat", 5, 5)
    note_search(ledger, "cat", "openverse", "a cat", 10, 3)
    note_search(ledger, "cat", "openverse", "a cat", 9, 4)
    assert ledger.searched("cat") == {
        ("openverse", "cat"): (2, 7),
        ("wikimedia", "cat"): (1, 0),
        ("openverse", "a cat"): (10, 3),
    }
    note_search(ledger, "cat", "openverse", "cat", 2, 0)  # read again
    assert ledger.searched("cat")["openverse", "cat"] == (2, 0)
    assert ledger.searched("cow") == {}


def test_the_table_has_a_column_for_all_that_is_known(ledger: FetchLedger) -> None:
    all_kinds(ledger)
    ledger.add("dog", [{"url": "http://a/9", "title": 'a "b", c\r\nd\re', "licence": "ü"}])
    rows = list(csv.DictReader(io.StringIO(ledger.to_csv().decode(), newline="")))
    assert list(rows[0]) == [
        "label", "url", "status", "reason", "path", "source", "query", "page", "licence", "creator", "title",
        "received", "stored", "bytes", "time",
    ]  # fmt: skip
    assert len(rows) == 7
    assert [rows[0][name] for name in ("path", "received", "stored", "bytes")] == [
        "cat/1.jpg",
        "r1",
        "s1",
        "10",
    ]
    assert (rows[2]["status"], rows[2]["reason"]) == ("refused", "answered 404")
    assert (rows[6]["title"], rows[6]["licence"]) == ('a "b", c  d e', "ü")


def test_many_threads_write_into_one_record(ledger: FetchLedger) -> None:
    threads = [
        threading.Thread(target=ledger.add, args=("cat", urls(*range(n, n + 20)))) for n in range(0, 60, 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(facts_of(row)[1]) for row in ledger.rows()) == list(range(70))
