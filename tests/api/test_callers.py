"""Who may call: a token, browsers' origins, the server's own names; and what a host's settings have to be."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from fastclf.api import ApiSettings
from fastclf.api.tries import Tries
from fastclf.cli.api import read_api_options
from fastclf.errors import ServingError, UsageError
from fastclf.inbox import Inbox

from .conftest import TOKEN, Served, Start, photo

SCHOOL = "https://school.example"


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'anybody:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (basic(TOKEN), 200), ("", 401), ("Bearer", 401),
        (f"Bearer {TOKEN}x", 401), (f"Bearer {TOKEN[:-1]}", 401), (f"Token {TOKEN}", 401), (TOKEN, 401),
        (basic("x"), 401), ("Basic ***", 401), ("Bearer é", 401),
    ],
)  # fmt: skip
def test_a_token_opens_and_nothing_else_does(shown: str, status: int, start: Start) -> None:
    served = start(token=True)
    headers = {"Authorization": shown.encode()} if shown else {}
    answer = served.predict(photo("red"), headers=headers)
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert served.ask("/api/v1/model", headers=headers).status_code == status


def test_health_and_the_description_need_no_token_and_all_else_does(start: Start) -> None:
    served = start(token=True)
    for path in (
        "/v2/health/live",
        "/v2/health/ready",
        "/api/labels/health",
        "/openapi.json",
        "/api/docs",
        "/healthz",
    ):
        assert served.ask(path).status_code == 200, path
    for path in ("/api/v1/model", "/v2", "/v2/models/fastclf"):
        assert served.ask(path).status_code == 401, path
    for path in (
        "/api/v1/predict",
        "/api/v1/report",
        "/api/hf",
        "/v2/models/fastclf/infer",
        "/api/labels/setup",
        "/api/labels/predict",
    ):
        assert (
            served.ask(path, "POST", data=b"{}", headers={"Content-Type": "application/json"}).status_code
            == 401
        ), path


def test_tries_are_counted_and_a_right_token_among_them_is_refused_too(start: Start) -> None:
    served = start(token=True)
    statuses = [
        served.ask("/api/v1/model", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    right = served.ask("/api/v1/model", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (right.status_code, int(right.headers["Retry-After"]) <= 60) == (429, True)
    # whoever comes through a proxy on this machine is told from the others by what it says last
    other = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    assert served.ask("/api/v1/model", headers=other).status_code == 200


def test_tries_are_forgotten_in_time_and_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    tries, now = Tries(2, 10.0), [0.0]
    monkeypatch.setattr("fastclf.api.tries.time.monotonic", lambda: now[0])
    for _ in range(5):
        tries.add("a")
    assert (tries.find_wait("a"), tries.find_wait("b")) == (10, 0)
    now[0] = 10.0
    assert tries.find_wait("a") == 0
    monkeypatch.setattr("fastclf.api.tries.MOST_ADDRESSES", 3)
    for address in "bcdef":
        tries.add(address)
    assert len(tries._times) == 3


def test_pages_of_other_origins_are_refused_whatever_they_send(start: Start, tmp_path: Path) -> None:
    served = start(inbox=True, cors=(SCHOOL,))
    for origin in (
        "https://evil.example",
        "null",
        "http://school.example",
        f"{SCHOOL}.evil.example",
        "https://localhost.evil",
    ):
        # a form of another site is sent without asking; it may do nothing
        answer = served.ask(
            "/api/v1/report",
            "POST",
            headers={"Origin": origin},
            files={"file": photo("red")},
            data={"label": "blue"},
        )
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert served.ask("/api/v1/model", headers={"Origin": origin}).status_code == 403
        assert served.ask("/api/v1/predict", "OPTIONS", headers={"Origin": origin}).status_code == 403
    assert Inbox(tmp_path / "inbox.sqlite").reports() == []


def test_pages_of_named_origins_may_read_answers_and_faults(start: Start) -> None:
    served = start(token=True, cors=(SCHOOL,))
    asked = {
        "Origin": SCHOOL,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = served.ask("/api/v1/predict", "OPTIONS", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    for headers, status in (({"Authorization": f"Bearer {TOKEN}"}, 200), ({}, 401)):
        answer = served.predict(photo("red"), headers={"Origin": SCHOOL, **headers})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == SCHOOL
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
    own = served.ask("/api/v1/model", headers={"Origin": served.url, "Authorization": f"Bearer {TOKEN}"})
    assert own.status_code == 200


def test_an_unknown_name_is_refused_in_problem_json(served: Served) -> None:
    for path in ("/api/v1/model", "/v2/health/live", "/openapi.json"):
        answer = served.ask(path, headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["status"]) == (421, 421)


def test_every_answer_is_plain_data_for_a_browser_and_says_nothing_of_the_server(served: Served) -> None:
    for path in ("/api/v1/model", "/api/v1/nothing", "/v2", "/healthz", "/metrics", "/openapi.json"):
        headers = served.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert {"Server", "Set-Cookie"} & set(headers) == set()
        assert headers["Cache-Control"] in ("no-store", "no-cache")
    assert (
        served.ask("/api/v1/model").headers["Content-Security-Policy"]
        == "default-src 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_another_method_is_told_which_there_is(method: str, served: Served) -> None:
    answer = served.ask("/api/v1/predict", method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1",
        "/api/v1/",
        "/api/v1/x",
        "/api/hf/x",
        "/v2/models/other",
        "/v2/models/other/infer",
        "/api/labels",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_that_is_none_is_told(path: str, method: str, served: Served) -> None:
    answer = served.ask(path, method, data=b"x" * 100_000 if method == "POST" else None)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_an_api_below_a_path_is_there_alone(start: Start) -> None:
    served = start(base="/bears/")
    assert served.ask("/bears/api/v1/model").status_code == 200
    assert served.ask("/api/v1/model").status_code == 404
    assert served.ask("/bears/openapi.json").json()["servers"] == [{"url": "/bears"}]
    assert "/bears/api/v1/predict" in served.ask("/bears/api/docs").text


@pytest.mark.parametrize("text", ["", "short", "two words that are long enough", "é" * 20, "\n\n"])
def test_a_token_that_is_none_is_refused_before_the_server_starts(text: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(ServingError, match="holds no token"):
        ApiSettings(token_file=tmp_path / "token").check()
    with pytest.raises(ServingError, match="cannot be read"):
        ApiSettings(token_file=tmp_path / "nowhere").check()


@pytest.mark.parametrize(
    "origin",
    ["school.example", "https://school.example/path", "ftp://a", "https://", "https://a b", "https://*.a"],
)
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ServingError, match="which is no origin"):
        ApiSettings(cors=(origin,)).check()
    with pytest.raises(ServingError, match="which is no origin"):
        ApiSettings(photos_from=origin).check()


def test_settings_travel_through_the_environment_and_flags_win(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = ApiSettings(token_file=tmp_path / "t", cors=(SCHOOL, "*"), photos_from="http://localhost:8080")
    environment = given.to_environment()
    assert ApiSettings.from_environment(environment) == given
    assert ApiSettings.from_environment({}) == ApiSettings()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = read_api_options(False, None, ["HTTPS://Other.example/"], "")
    assert found == ApiSettings(
        token_file=tmp_path / "t", cors=("https://other.example",), photos_from="http://localhost:8080"
    )
    monkeypatch.delenv("FASTCLF_API")
    assert read_api_options(False, None, [], "") is None
    with pytest.raises(UsageError, match="add --api"):
        read_api_options(False, None, [SCHOOL], "")
