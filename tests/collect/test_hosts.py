"""How polite the downloads are to hosts; time is told by a clock of the test's own."""

from __future__ import annotations

from dataclasses import fields

import pytest

from fastclf.catalog import WAITING, Fetch
from fastclf.collect.web import FetchError, HostQueue, Job

from .conftest import Clock

pytestmark = pytest.mark.usefixtures("clock")

BREAK = FetchError("was cut off on its way", lasting=False, soon=True)
TIMEOUT = FetchError("took longer than 2 s", lasting=False)
MISSING = FetchError("answered 404 (not found)", lasting=True, status=404)


def limit(retry_after: float | None = None, status: int = 429) -> FetchError:
    return FetchError(f"answered {status}", lasting=False, soon=True, status=status, retry_after=retry_after)


def row(number: int, host: str = "a.example", label: str = "cat", url: str = "") -> Fetch:
    texts = dict.fromkeys(field.name for field in fields(Fetch))
    facts = {"id": number, "label": label, "url": url or f"http://{host}/{number}.jpg", "status": WAITING}
    return Fetch(**{**texts, **facts})


def queued(*rows: Fetch, per_host: int = 2) -> HostQueue:
    queue = HostQueue(per_host)
    for one in rows:
        queue.add(one)
    return queue


def take(queue: HostQueue) -> Job:
    job = queue.take(set())
    assert job is not None
    return job


def take_all(queue: HostQueue, skip: set[str] | None = None) -> list[Job]:
    jobs = []
    while (job := queue.take(skip or set())) is not None:
        jobs.append(job)
    return jobs


def numbers(jobs: list[Job]) -> list[int]:
    return [job.row.id for job in jobs]


def fail(queue: HostQueue, times: int, error: FetchError) -> None:
    for _ in range(times):
        queue.failed(take(queue), error)


def test_what_was_found_first_is_fetched_first_and_a_host_gets_its_share_at_once() -> None:
    queue = queued(row(1), row(2), row(3), row(4, "b.example"), row(5, "b.example"), row(6, "b.example"))
    jobs = take_all(queue)
    assert numbers(jobs) == [1, 2, 4, 5]
    queue.done(jobs[1])
    assert numbers(take_all(queue)) == [3]
    queue.failed(jobs[2], MISSING)
    assert numbers(take_all(queue)) == [6]


def test_classes_that_are_full_are_passed_over() -> None:
    queue = queued(row(1), row(2, label="dog"), row(3))
    assert numbers(take_all(queue, {"cat"})) == [2]
    assert queue.take({"cat", "dog"}) is None
    assert (queue.next_time({"cat"}), queue.next_time(set())) == (None, 0)
    assert numbers(take_all(queue)) == [1]


def test_it_is_known_how_many_of_a_class_wait(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3, label="dog"))
    assert (queue.waiting("cat"), queue.waiting("dog"), queue.waiting("cow")) == (2, 1, 0)
    job = take(queue)
    assert queue.waiting("cat") == 1
    assert queue.failed(job, BREAK)
    assert queue.waiting("cat") == 2
    clock.now += 60
    assert not queue.failed(take(queue), MISSING)
    assert queue.waiting("cat") == 1


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("http://A.example/1", "http://a.EXAMPLE:80/2", True),
        ("https://a.example/1", "http://user@a.example:8080/2", True),
        ("http://a.example/1", "http://b.a.example/2", False),
        ("http://[::1]/1", "http://[::1]:80/2", True),
        ("http://[broken/1", "no address", True),
    ],
)
def test_a_host_is_one_whatever_its_port_and_spelling(one: str, other: str, is_same: bool) -> None:
    queue = queued(row(1, url=one), row(2, url=other), per_host=1)
    assert numbers(take_all(queue)) == ([1] if is_same else [1, 2])


def test_an_address_that_broke_off_is_tried_three_times_with_growing_pauses(clock: Clock) -> None:
    queue = queued(row(1), row(2))
    for pause in (0.1, 0.2):
        job = take(queue)
        assert job.row.id == 1
        assert queue.failed(job, BREAK)
        assert job.ready_at == pytest.approx(clock.now + pause)
        other = take(queue)  # the host is not held up
        assert other.row.id == 2
        assert queue.take(set()) is None
        queue.failed(other, FetchError("", lasting=False, soon=True)) if pause == 0.1 else queue.done(other)
        clock.now += pause - 0.01
        assert queue.take(set()) is None
        clock.now += 0.02
    job = take(queue)
    assert job.tries == 3
    assert not queue.failed(job, BREAK)
    assert queue.next_time(set()) is None


@pytest.mark.parametrize("error", [MISSING, TIMEOUT])
def test_what_will_not_go_well_soon_is_not_tried_again(error: FetchError) -> None:
    queue = queued(row(1))
    assert not queue.failed(take(queue), error)
    assert (queue.take(set()), queue.waiting("cat"), queue.next_time(set())) == (None, 0, None)


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_patience_is_left_in_peace_as_a_whole(status: int, clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3, "b.example"), row(4, "b.example"))
    assert queue.failed(take(queue), limit(7, status))
    # a server's own trouble does not hold up its host
    fail(queue, 1, FetchError("answered 500", lasting=False, soon=True, status=500))
    assert numbers(take_all(queue)) == [4]
    clock.now += 6.9
    assert numbers(take_all(queue)) == [3]
    assert queue.next_time(set()) == pytest.approx(clock.now + 0.1)
    clock.now += 0.2
    assert sorted(numbers(take_all(queue))) == [1, 2]


def test_a_host_that_says_not_how_long_is_left_in_peace_longer_each_time(clock: Clock) -> None:
    queue = queued(row(1))
    for pause in (2, 4):
        assert queue.failed(take(queue), limit())
        assert queue.next_time(set()) == clock.now + pause
        clock.now += pause
    assert not queue.failed(take(queue), limit())


def test_a_shorter_rest_does_not_end_a_longer_one(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3))
    first, second = take_all(queue)
    queue.failed(first, limit(30))
    queue.failed(second, limit(1))
    clock.now += 29
    assert queue.take(set()) is None
    clock.now += 1
    assert queue.take(set()) is not None


def test_a_host_s_rest_is_kept_though_nothing_of_it_waits(clock: Clock) -> None:
    """Addresses of it may be found later in the run."""
    queue = queued(row(1), row(2))
    job, other = take_all(queue)
    for _ in range(2):
        assert queue.failed(job, limit(1))
        clock.now += 1
        assert queue.take(set()) is job
    assert not queue.failed(job, limit(30))  # its last try, while another address is on its way
    queue.done(other)
    queue.add(row(3))
    assert queue.take(set()) is None
    clock.now += 30
    assert numbers(take_all(queue)) == [3]


def test_the_next_moment_is_that_of_the_first_job_whose_host_rests_no_more(clock: Clock) -> None:
    queue = queued(row(1), row(2, "b.example"), row(3, "c.example", "dog"))
    first, second, third = take_all(queue)
    assert queue.next_time(set()) is None
    for job, error in ((first, limit(9)), (second, BREAK), (third, limit(5))):
        queue.failed(job, error)
    assert queue.next_time(set()) == pytest.approx(clock.now + 0.1)
    clock.now += 1
    job = take(queue)
    assert job.row.id == 2
    queue.done(job)
    assert queue.next_time(set()) == clock.now - 1 + 5
    assert queue.next_time({"dog"}) == clock.now - 1 + 9


def test_a_host_that_wants_more_than_a_minute_is_given_up_for_this_run(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3, "b.example"), row(4, label="dog"), per_host=1)
    assert queue.failed(take(queue), limit(60))
    clock.now += 60
    job = take(queue)
    assert not queue.failed(job, limit(60.5))
    dropped = {(job.row.id, reason) for job, reason in queue.given_up()}
    assert dropped == {(n, "answered 429") for n in {1, 2, 4} - {job.row.id}}
    assert (queue.waiting("dog"), queue.waiting("cat")) == (0, 1)
    assert list(queue.given_up()) == []
    assert numbers(take_all(queue)) == [3]


@pytest.mark.parametrize(("served", "strikes"), [(0, 4), (1, 16)])
def test_a_host_is_given_up_after_some_addresses_and_later_if_it_sent_photos(
    served: int, strikes: int
) -> None:
    queue = queued(*(row(i) for i in range(40)), row(50, "b.example"))
    for _ in range(served):
        queue.done(take(queue))
    fail(queue, strikes - 1, TIMEOUT)
    assert list(queue.given_up()) == []
    fail(queue, 1, TIMEOUT)
    assert [reason for _, reason in queue.given_up()] == ["took longer than 2 s"] * (40 - served - strikes)
    assert numbers(take_all(queue)) == [50]
    queue.add(row(9))  # what is found of it later is dropped too
    assert [(job.row.id, reason) for job, reason in queue.given_up()] == [(9, "took longer than 2 s")]


@pytest.mark.parametrize("how", ["a photo", "a page that is not there"])
def test_any_answer_in_between_begins_the_count_anew(how: str) -> None:
    queue = queued(*(row(i) for i in range(40)))
    for _ in range(7):
        fail(queue, 3, TIMEOUT)
        job = take(queue)
        queue.done(job) if how == "a photo" else queue.failed(job, MISSING)
    assert list(queue.given_up()) == []


def test_tries_of_one_address_are_one_strike(clock: Clock) -> None:
    queue = queued(*(row(i) for i in range(3)), per_host=1)
    for _ in range(9):  # three addresses, three tries each
        queue.failed(take(queue), BREAK)
        clock.now += 10
    assert list(queue.given_up()) == []
    assert queue.take(set()) is None
