"""Which search comes next, and how polite the downloads are; time is told by a clock of the test's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastclf.catalog import WAITING, Fetch
from fastclf.collect import plan as plan_module
from fastclf.collect.plan import Question, SearchPlan, ServiceState
from fastclf.collect.web import FetchError, HostQueue, Job
from fastclf.collect.web import hosts as hosts_module

from .conftest import FakeService


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (plan_module, hosts_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    # as they are outside of tests, which have them shorter
    monkeypatch.setattr(plan_module, "_PAUSE", 1.5)
    monkeypatch.setattr(hosts_module, "_PAUSE_AT_LIMIT", 2.0)
    return clock


# -- searches --


def state(name: str = "duckduckgo") -> ServiceState:
    return ServiceState(FakeService({}, name))


def asked(question: Question | None) -> tuple[str, str, int] | None:
    return question and (question.state.service.name, question.query, question.page)


def ask_all(plan: SearchPlan, new: int = 5, most: int = 100) -> list[tuple[str, str, int] | None]:
    """The questions in their order, if each page gives `new` addresses."""
    found = []
    while len(found) < most:
        question = plan.next()
        if question is None:
            break
        found.append(asked(question))
        plan.note(question, new)
    return found


def test_first_pages_come_before_second_ones_and_better_words_before_others(clock: Clock) -> None:
    plan = SearchPlan("cat", [state()], ["cat photo", "a cat", "cats"])
    assert ask_all(plan, most=7) == [
        ("duckduckgo", "cat photo", 1),
        ("duckduckgo", "a cat", 1),
        ("duckduckgo", "cats", 1),
        ("duckduckgo", "cat photo", 2),
        ("duckduckgo", "a cat", 2),
        ("duckduckgo", "cats", 2),
        ("duckduckgo", "cat photo", 3),
    ]


def test_words_that_give_nothing_new_are_not_asked_for_more(clock: Clock) -> None:
    plan = SearchPlan("cat", [state()], ["cat photo", "a cat"])
    plan.note(plan.next(), 0)  # type: ignore[arg-type]
    assert ask_all(plan, most=3) == [
        ("duckduckgo", "a cat", 1),
        ("duckduckgo", "a cat", 2),
        ("duckduckgo", "a cat", 3),
    ]


def test_a_search_without_end_ends(clock: Clock) -> None:
    plan = SearchPlan("cat", [state()], ["a", "b"])
    questions = ask_all(plan)
    assert len(questions) == 40
    assert questions[-1] == ("duckduckgo", "b", 20)
    assert plan.wait_until() is None


def test_the_preferred_service_is_asked_until_it_has_no_more(clock: Clock) -> None:
    first, second = state("openverse"), state("wikimedia")
    plan = SearchPlan("cat", [first, second], ["cat"])
    plan.note(plan.next(), 0)  # type: ignore[arg-type]
    assert asked(plan.next()) == ("wikimedia", "cat", 1)


def test_while_one_service_rests_or_is_busy_the_next_one_is_asked(clock: Clock) -> None:
    first, second = state("openverse"), state("wikimedia")
    plan = SearchPlan("cat", [first, second], ["cat"])
    first.busy = True
    assert asked(plan.next()) == ("wikimedia", "cat", 1)
    first.busy, first.ready_at = False, clock.now + 5
    assert asked(plan.next()) == ("wikimedia", "cat", 1)
    second.ready_at = clock.now + 9
    assert plan.next() is None
    assert plan.wait_until() == clock.now + 5
    clock.now += 5
    assert asked(plan.next()) == ("openverse", "cat", 1)
    first.failed("is gone")
    assert first.lost == "is gone"
    assert plan.next() is None
    assert plan.wait_until() == second.ready_at
    second.failed("is gone too")
    assert plan.wait_until() is None


def test_what_an_earlier_run_read_is_not_asked_again(clock: Clock) -> None:
    done = {("duckduckgo", "a"): (3, 20), ("duckduckgo", "b"): (1, 0), ("openverse", "a"): (9, 9)}
    plan = SearchPlan("cat", [state()], ["a", "b", "c"], done)
    assert ask_all(plan, most=4) == [
        ("duckduckgo", "c", 1),
        ("duckduckgo", "c", 2),
        ("duckduckgo", "c", 3),
        ("duckduckgo", "a", 4),
    ]


def test_a_question_says_for_which_class_it_is(clock: Clock) -> None:
    question = SearchPlan("dog", [state()], ["dog"]).next()
    assert question is not None
    assert question.label == "dog"


def test_questions_to_one_service_are_a_pause_apart(clock: Clock) -> None:
    service = state()
    service.busy = True
    service.answered()
    assert not service.busy
    assert service.ready_at == clock.now + 1.5


def test_the_rests_of_a_service_double_and_then_it_is_left_out(clock: Clock) -> None:
    service = state()
    for seconds in (15, 30, 60):
        service.busy = True
        assert service.limited(None) == seconds
        assert service.ready_at == clock.now + seconds
        assert not service.busy
        assert not service.lost
        clock.now += seconds
    assert service.limited(None) == 0
    assert service.lost == "refuses again and again"


def test_an_answer_in_between_makes_a_rest_the_first_one_again(clock: Clock) -> None:
    service = state()
    for _ in range(5):
        assert service.limited(None) == 15
        service.answered()
    assert not service.lost


def test_a_service_rests_as_long_as_it_says_but_no_longer_than_a_person_waits(clock: Clock) -> None:
    service = state()
    assert service.limited(7) == 7
    assert service.limited(120) == 120
    assert service.ready_at == clock.now + 120
    assert service.limited(121) == 0
    assert service.lost == "asks to wait 121 s"


# -- hosts --


def row(number: int, host: str = "a.example", label: str = "cat", url: str = "") -> Fetch:
    url = url or f"http://{host}/{number}.jpg"
    return Fetch(number, label, url, WAITING, "", False, "", "", "", "", "", "", "", "", "", 0, "")


def queued(*rows: Fetch, per_host: int = 2) -> HostQueue:
    queue = HostQueue(per_host)
    for one in rows:
        queue.add(one)
    return queue


def take_all(queue: HostQueue, skip: set[str] | None = None) -> list[Job]:
    jobs = []
    while (job := queue.take(skip or set())) is not None:
        jobs.append(job)
    return jobs


def numbers(jobs: list[Job]) -> list[int]:
    return [job.row.id for job in jobs]


BREAK = FetchError("was cut off on its way", lasting=False, soon=True)
TIMEOUT = FetchError("took longer than 2 s", lasting=False)
MISSING = FetchError("answered 404 (not found)", lasting=True, status=404)


def limit(retry_after: float | None = None, status: int = 429) -> FetchError:
    return FetchError(f"answered {status}", lasting=False, soon=True, status=status, retry_after=retry_after)


def test_what_was_found_first_is_fetched_first_and_a_host_gets_its_share_at_once(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3), row(4, "b.example"), row(5, "b.example"), row(6, "b.example"))
    jobs = take_all(queue)
    assert numbers(jobs) == [1, 2, 4, 5]
    queue.done(jobs[1])
    assert numbers(take_all(queue)) == [3]
    queue.failed(jobs[2], MISSING)
    assert numbers(take_all(queue)) == [6]


def test_hosts_take_turns_by_what_was_found_first(clock: Clock) -> None:
    queue = queued(row(2, "b.example"), row(3, "c.example"), row(5), per_host=1)
    assert numbers(take_all(queue)) == [2, 3, 5]


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


def test_classes_that_are_full_are_passed_over(clock: Clock) -> None:
    queue = queued(row(1), row(2, label="dog"), row(3))
    assert numbers(take_all(queue, {"cat"})) == [2]
    assert queue.take({"cat", "dog"}) is None
    assert (queue.waiting("cat"), queue.waiting("dog")) == (2, 0)
    assert queue.next_time({"cat"}) is None
    assert queue.next_time(set()) == 0
    assert numbers(take_all(queue)) == [1]


def test_it_is_known_how_many_of_a_class_wait(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3, label="dog"))
    assert (queue.waiting("cat"), queue.waiting("dog"), queue.waiting("cow")) == (2, 1, 0)
    job = queue.take(set())
    assert job is not None
    assert queue.waiting("cat") == 1
    assert queue.failed(job, BREAK)
    assert queue.waiting("cat") == 2
    clock.now += 60
    again = queue.take(set())
    assert again is not None
    assert not queue.failed(again, MISSING)
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
def test_a_host_is_one_whatever_its_port_and_spelling(
    one: str, other: str, is_same: bool, clock: Clock
) -> None:
    queue = queued(row(1, url=one), row(2, url=other), per_host=1)
    assert numbers(take_all(queue)) == ([1] if is_same else [1, 2])


def test_an_address_that_broke_off_is_tried_three_times_with_growing_pauses(clock: Clock) -> None:
    queue = queued(row(1), row(2))
    for pause in (0.1, 0.2):
        job = queue.take(set())
        assert job is not None
        assert job.row.id == 1
        assert queue.failed(job, BREAK)
        assert job.ready_at == pytest.approx(clock.now + pause)
        other = queue.take(set())  # the host is not held up
        assert other is not None
        assert other.row.id == 2
        assert queue.take(set()) is None
        queue.failed(other, FetchError("", lasting=False, soon=True)) if pause == 0.1 else queue.done(other)
        clock.now += pause - 0.01
        assert queue.take(set()) is None
        clock.now += 0.02
    job = queue.take(set())
    assert job is not None
    assert job.tries == 3
    assert not queue.failed(job, BREAK)
    assert queue.next_time(set()) is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_patience_is_left_in_peace_as_a_whole(status: int, clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3, "b.example"))
    job = queue.take(set())
    assert job is not None
    assert queue.failed(job, limit(7, status))
    assert numbers(take_all(queue)) == [3]
    assert queue.next_time(set()) == clock.now + 7
    clock.now += 6.9
    assert queue.take(set()) is None
    clock.now += 0.2
    assert sorted(numbers(take_all(queue))) == [1, 2]


def test_a_host_that_says_not_how_long_is_left_in_peace_longer_each_time(clock: Clock) -> None:
    queue = queued(row(1))
    for pause in (2, 4):
        job = queue.take(set())
        assert job is not None
        assert queue.failed(job, limit())
        assert queue.next_time(set()) == clock.now + pause
        clock.now += pause
    job = queue.take(set())
    assert job is not None
    assert not queue.failed(job, limit())


def test_a_shorter_rest_does_not_end_a_longer_one(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3))
    first, second = take_all(queue)
    queue.failed(first, limit(30))
    queue.failed(second, limit(1))
    clock.now += 29
    assert queue.take(set()) is None
    clock.now += 1
    assert queue.take(set()) is not None


def test_a_server_s_own_trouble_does_not_hold_up_its_host(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3))
    job = queue.take(set())
    assert job is not None
    queue.failed(job, FetchError("answered 500", lasting=False, soon=True, status=500))
    assert numbers(take_all(queue)) == [2, 3]


@pytest.mark.parametrize("error", [MISSING, TIMEOUT])
def test_what_will_not_go_well_soon_is_not_tried_again(error: FetchError, clock: Clock) -> None:
    queue = queued(row(1))
    job = queue.take(set())
    assert job is not None
    assert not queue.failed(job, error)
    assert queue.take(set()) is None
    assert queue.waiting("cat") == 0


def test_a_host_that_wants_more_than_a_minute_is_given_up_for_this_run(clock: Clock) -> None:
    queue = queued(row(1), row(2), row(3, "b.example"), row(4, label="dog"), per_host=1)
    job = queue.take(set())
    assert job is not None
    assert queue.failed(job, limit(60))
    clock.now += 60
    job = queue.take(set())
    assert job is not None
    assert not queue.failed(job, limit(60.5))
    dropped = list(queue.given_up())
    assert {(job.row.id, reason) for job, reason in dropped} == {
        (n, "answered 429") for n in {1, 2, 4} - {job.row.id}
    }
    assert (queue.waiting("dog"), queue.waiting("cat")) == (0, 1)
    assert list(queue.given_up()) == []
    assert numbers(take_all(queue)) == [3]


def fail(queue: HostQueue, times: int, error: FetchError) -> None:
    for _ in range(times):
        job = queue.take(set())
        assert job is not None
        queue.failed(job, error)


def test_a_host_that_never_sent_anything_is_given_up_after_four_addresses(clock: Clock) -> None:
    queue = queued(*(row(i) for i in range(10)), row(20, "b.example"))
    fail(queue, 3, TIMEOUT)
    assert list(queue.given_up()) == []
    fail(queue, 1, TIMEOUT)
    assert {reason for _, reason in queue.given_up()} == {"took longer than 2 s"}
    assert numbers(take_all(queue)) == [20]


def test_a_host_that_sent_photos_has_more_patience_earned(clock: Clock) -> None:
    queue = queued(*(row(i) for i in range(40)))
    job = queue.take(set())
    assert job is not None
    queue.done(job)
    fail(queue, 15, TIMEOUT)
    assert list(queue.given_up()) == []
    fail(queue, 1, TIMEOUT)
    assert len(list(queue.given_up())) == 40 - 17


@pytest.mark.parametrize("how", ["a photo", "a page that is not there"])
def test_any_answer_in_between_begins_the_count_anew(how: str, clock: Clock) -> None:
    queue = queued(*(row(i) for i in range(40)))
    for _ in range(7):
        fail(queue, 3, TIMEOUT)
        job = queue.take(set())
        assert job is not None
        queue.done(job) if how == "a photo" else queue.failed(job, MISSING)
    assert list(queue.given_up()) == []


def test_tries_of_one_address_are_one_strike(clock: Clock) -> None:
    queue = queued(*(row(i) for i in range(5)), per_host=1)
    for _ in range(9):  # three addresses, three tries each
        job = queue.take(set())
        assert job is not None
        queue.failed(job, BREAK)
        if job.tries < 3:
            clock.now += 10
            waiting = [j for j in queue._hosts["a.example"].jobs if j.tries]
            assert waiting == [job]
            queue._hosts["a.example"].jobs.rotate(1)  # the same address next
    assert list(queue.given_up()) == []


def test_what_is_queued_for_a_host_that_was_given_up_is_dropped_too(clock: Clock) -> None:
    queue = queued(*(row(i) for i in range(4)))
    fail(queue, 4, TIMEOUT)
    queue.add(row(9))
    assert [(job.row.id, reason) for job, reason in queue.given_up()] == [(9, "took longer than 2 s")]


def test_the_next_moment_is_that_of_the_first_job_whose_host_rests_no_more(clock: Clock) -> None:
    queue = queued(row(1), row(2, "b.example"), row(3, "c.example", "dog"))
    first, second, third = take_all(queue)
    assert queue.next_time(set()) is None
    queue.failed(first, limit(9))
    queue.failed(second, BREAK)
    queue.failed(third, limit(5))
    assert queue.next_time(set()) == pytest.approx(clock.now + 0.1)
    clock.now += 1
    job = queue.take(set())
    assert job is not None
    assert job.row.id == 2
    queue.done(job)
    assert queue.next_time(set()) == clock.now - 1 + 5
    assert queue.next_time({"dog"}) == clock.now - 1 + 9
