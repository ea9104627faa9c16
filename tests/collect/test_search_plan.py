"""Which search comes next, and the patience with services; time is told by a clock of the test's own."""

from __future__ import annotations

import pytest

from fastclf.collect.plan import Question, SearchPlan, ServiceState
from fastclf.collect.services import LimitedError, UnreachableError

from .conftest import Clock, FakeService

pytestmark = pytest.mark.usefixtures("clock")


def state(name: str = "duckduckgo") -> ServiceState:
    return ServiceState(FakeService({}, name))


def asked(question: Question | None) -> tuple[str, str, int] | None:
    return question and (question.state.service.name, question.query, question.page)


def ask_all(plan: SearchPlan, most: int = 100) -> list[tuple[str, int]]:
    """The questions in their order, if each page gives something new."""
    found: list[tuple[str, int]] = []
    while len(found) < most and (question := plan.next()) is not None:
        found.append((question.query, question.page))
        plan.note(question, 5)
    return found


def test_first_pages_come_before_second_ones_and_better_words_before_others() -> None:
    plan = SearchPlan("cat", [state()], ["cat photo", "a cat", "cats"])
    assert ask_all(plan, 7) == [
        ("cat photo", 1), ("a cat", 1), ("cats", 1), ("cat photo", 2), ("a cat", 2), ("cats", 2), ("cat photo", 3),
    ]  # fmt: skip


def test_words_that_give_nothing_new_are_not_asked_for_more_nor_what_an_earlier_run_read() -> None:
    done = {("duckduckgo", "a"): (3, 20), ("duckduckgo", "b"): (1, 0), ("openverse", "a"): (9, 9)}
    plan = SearchPlan("cat", [state()], ["a", "b", "c"], done)
    assert ask_all(plan, 4) == [("c", 1), ("c", 2), ("c", 3), ("a", 4)]
    plan = SearchPlan("cat", [state()], ["a", "b"])
    plan.note(plan.next(), 0)  # type: ignore[arg-type]
    assert ask_all(plan, 3) == [("b", 1), ("b", 2), ("b", 3)]


def test_a_search_without_end_ends() -> None:
    plan = SearchPlan("cat", [state()], ["a", "b"])
    questions = ask_all(plan)
    assert (len(questions), questions[-1]) == (40, ("b", 20))
    assert plan.wait_until() is None


def test_while_one_service_rests_is_busy_or_has_no_more_the_next_one_is_asked(clock: Clock) -> None:
    first, second = state("openverse"), state("wikimedia")
    plan = SearchPlan("cat", [first, second], ["cat"])
    question = plan.next()
    assert question is not None
    assert (question.label, asked(question)) == ("cat", ("openverse", "cat", 1))
    first.busy = True
    assert asked(plan.next()) == ("wikimedia", "cat", 1)
    first.busy, first.ready_at = False, clock.now + 5
    assert asked(plan.next()) == ("wikimedia", "cat", 1)
    second.ready_at = clock.now + 9
    assert (plan.next(), plan.wait_until()) == (None, clock.now + 5)
    clock.now += 5
    assert asked(plan.next()) == ("openverse", "cat", 1)
    second.ready_at = clock.now
    plan.note(question, 0)
    assert asked(plan.next()) == ("wikimedia", "cat", 1)
    second.failed(UnreachableError("wikimedia", "is gone"))
    assert (second.lost, plan.next(), plan.wait_until()) == ("is gone", None, None)


def test_the_rests_of_a_service_double_and_then_it_is_left_out(clock: Clock) -> None:
    service = state()
    for seconds in (15, 30, 60):
        service.busy = True
        said = service.failed(LimitedError("duckduckgo"))
        assert said == f"duckduckgo asks for fewer requests: waiting {seconds} s."
        assert (service.ready_at, service.busy, service.lost) == (clock.now + seconds, False, "")
        clock.now += seconds
    said = service.failed(LimitedError("duckduckgo"))
    assert said == "duckduckgo asks for fewer requests: left out of this run."
    assert service.lost == "refuses again and again"
    # an answer in between makes a rest the first one again
    service = state()
    for _ in range(5):
        assert service.limited(None) == 15
        service.busy = True
        service.answered()
        # questions to one service are a pause apart
        assert (service.busy, service.ready_at, service.lost) == (False, clock.now + 1.5, "")


def test_a_service_rests_as_long_as_it_says_but_no_longer_than_a_person_waits(clock: Clock) -> None:
    service = state()
    assert service.limited(7) == 7
    assert service.limited(120) == 120
    assert service.ready_at == clock.now + 120
    assert service.limited(121) == 0
    assert service.lost == "asks to wait 121 s"
