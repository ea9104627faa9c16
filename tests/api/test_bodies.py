"""Bodies that nobody should send: none is in memory beyond its limit, none keeps a connection, all are told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fastclf.api import bodies, door, limits, service

from ..drawing import draw_photo, encode
from .conftest import Served, Start, photo, read_all

FORM = "multipart/form-data; boundary=B"
PREDICT = "/api/v1/predict"


def part(name: str = "files", filename: str | None = "a.png", data: bytes = b"x", more: str = "") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--B\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{more}\r\n'
    return head.encode() + data + b"\r\n"


def post(
    served: Served, body: bytes, kind: str = FORM, path: str = PREDICT, **headers: str
) -> tuple[int, str]:
    answer = served.ask(path, "POST", data=body, headers={"Content-Type": kind, **headers})
    found = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json" or answer.status_code == 200
    return answer.status_code, found["detail"] if isinstance(found, dict) else ""


def wait_for_room(served: Served) -> None:
    """Wait until nothing of a body is held."""
    until = time.monotonic() + 10
    while served.api.service._held and time.monotonic() < until:
        time.sleep(0.02)
    assert served.api.service._held == 0


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(served: Served) -> None:
    for headers in ({"Expect": "100-continue", "Content-Length": 2**27}, {"Content-Length": 2**45}):
        with served.open(PREDICT, {"Content-Type": FORM, **headers}) as line:
            answer = read_all(line)
        assert b"413" in answer.split(b"\r\n")[0]
        assert b"100 (Continue)" not in answer
    wait_for_room(served)


def test_a_body_that_grows_beyond_the_limit_is_dropped_and_told(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST_BODY", 2**20)
    held = []
    hold = served.api.service.hold
    monkeypatch.setattr(served.api.service, "hold", lambda size: (hold(size), held.append(size)))

    def send() -> Any:
        yield part(data=b"x" * 2**19)
        for _ in range(40):
            yield b"y" * 2**17

    answer = served.ask(PREDICT, "POST", data=send(), headers={"Content-Type": FORM})
    assert answer.status_code == 413
    assert sum(held) <= 2**20
    wait_for_room(served)
    assert served.predict(photo("red")).status_code == 200


def test_a_body_without_end_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_DROPPED", 2**20)
    headers = {"Content-Type": "text/plain", "Transfer-Encoding": "chunked"}
    # broken pipe or reset, as the system likes
    with contextlib.suppress(OSError), served.open(PREDICT, headers) as line:
        for _ in range(2**12):
            line.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
        pytest.fail("256 MB were taken")
    assert served.predict(photo("red")).status_code == 200


def test_a_body_in_small_pieces_is_one_body(served: Served) -> None:
    data = photo("red")[1]
    pieces = (data[i : i + 7] for i in range(0, len(data), 7))
    answer = served.ask(PREDICT, "POST", data=pieces, headers={"Content-Type": "image/png"})
    assert answer.json()[0]["label"] == "red"


def test_a_body_that_does_not_come_is_let_go(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_SECONDS", 0.3)
    with served.open(PREDICT, {"Content-Type": FORM, "Content-Length": 1000}) as line:
        line.sendall(part()[:20])
        begun = time.monotonic()
        assert b"408" in read_all(line)
        assert time.monotonic() - begun < 10
    wait_for_room(served)


def test_a_sender_who_goes_away_gives_the_room_back(served: Served) -> None:
    with served.open(PREDICT, {"Content-Type": FORM, "Content-Length": 2**20}) as line:
        line.sendall(part())
        until = time.monotonic() + 10
        while not served.api.service._held and time.monotonic() < until:
            time.sleep(0.02)
        assert served.api.service._held == 2**20
    wait_for_room(served)


def test_more_bodies_at_once_than_there_is_memory_for_are_asked_to_wait(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_HELD", 2**20)
    with served.open(PREDICT, {"Content-Type": FORM, "Content-Length": 2**20 - 10}) as line:
        line.sendall(part())
        time.sleep(0.3)
        answer = served.predict(photo("red"))
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1


def test_large_photos_are_decoded_one_at_a_time_and_hold_up_no_other(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "count_pixels", lambda data: 10**8 if data.startswith(b"\xff") else 1)
    begun, go_on, at_once = threading.Semaphore(0), threading.Event(), []
    say = service._say_large

    def wait(*given: Any) -> Any:
        at_once.append(threading.current_thread().name)
        begun.release()
        assert go_on.wait(20)
        return say(*given)

    monkeypatch.setattr(service, "_say_large", wait)
    large = ("large.jpg", encode(draw_photo("blue", 50), "JPEG"))
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(served.predict, large) for _ in range(4)]
        assert begun.acquire(timeout=20)
        assert served.predict(photo("red")).json()[0]["label"] == "red"
        assert len(at_once) == 1
        go_on.set()
        assert [one.result().json()[0]["label"] for one in waiting] == ["blue"] * 4
    assert len(set(at_once)) == 1


def test_more_photos_than_the_queue_holds_are_asked_to_wait(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_WAITING", 2)
    answer = served.predict(*[photo("red")] * 3)
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert served.predict(*[photo("red")] * 2).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"hello", 400),
        (b"--B--\r\n", 400),
        (part(), 400),
        (part()[:-2], 400),
        (b"--B\r\n\r\nx\r\n--B--\r\n", 400),
        (part(name="a", filename=None) + b"--B--\r\n", 400),
        (b"--B\r\nContent-Disposition: attachment\r\n\r\nx\r\n--B--\r\n", 400),
        (b"--B\r\n" + b"X" * 5000 + b": y\r\n\r\nx\r\n--B--\r\n", 400),
        (b"--B\r\nX: " + b"y" * 5000 + b"\r\n\r\nx\r\n--B--\r\n", 400),
        (part(more="A: b\r\n" * 20) + b"--B--\r\n", 400),
        (part(filename=None, data=b"x" * 5000) + b"--B--\r\n", 413),
        (b"".join(part(name=f"n{i}", filename=None) for i in range(20)) + b"--B--\r\n", 400),
        (part() * 65 + b"--B--\r\n", 413),
        (part() * 64 + b"--B--\r\n", 200),
        (part(data=b"\r\n--Bx" * 1000) + b"--B--\r\n", 413),
        (b"\x00" * 10_000, 400),
    ],
)  # fmt: skip
def test_a_form_that_is_none_or_has_too_much_of_anything_is_told(
    body: bytes, status: int, served: Served
) -> None:
    assert post(served, body)[0] == status
    assert served.predict(photo("red")).status_code == 200


def test_a_file_that_is_larger_than_a_photo_is_told_by_its_name_and_the_others_are_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_BYTES", 2**16)
    found = served.predict(("large.jpg", b"x" * 2**17), photo("red")).json()
    assert "large.jpg" in found[0]["error"]
    assert found[1]["label"] == "red"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=" + "b" * 5000, 400),
        ("multipart/mixed; boundary=B", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json", 415),
        ("text/html", 415),
        ("multipart/form-data; boundary=B; charset*=utf-8''%ff", 400),
    ],
)
def test_a_body_of_another_kind_is_told_what_is_read(kind: str, status: int, served: Served) -> None:
    assert post(served, b"x", kind)[0] == status


def test_a_compressed_body_is_not_inflated(served: Served) -> None:
    body = gzip.compress(b"\0" * 2**24)
    assert post(served, body, **{"Content-Encoding": "gzip"})[0] == 415
    assert post(served, body, "image/png", **{"Content-Encoding": "deflate"})[0] == 415


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"[]", 400), (b"{", 400), (b"\xff\xfe", 400), (b"null", 400),
        (b'{"inputs":' * 90_000, 400),
        (b"{" + b"[" * 250_000, 413),
        (b'{"inputs":[' + b"0," * 250_000 + b"0]}", 413),
        (b'{"inputs":"***"}', 422), (b'{"inputs":7}', 422), (b'{"inputs":""}', 400),
        (b'{"inputs":"aGVsbG8=","parameters":[]}', 422), (b'{"inputs":"aGVsbG8=","parameters":{"top_k":true}}', 422),
        (b'{"inputs":"aGVsbG8=","parameters":{"function_to_apply":"sigmoid"}}', 422),
        (b'{"inputs":"aGVsbG8="}', 422),
    ],
)  # fmt: skip
def test_json_that_is_none_or_has_too_much_of_anything_is_told(
    body: bytes, status: int, served: Served
) -> None:
    assert post(served, body, "application/json", "/api/hf")[0] == status


def test_two_lengths_and_other_smuggled_framings_get_no_answer_of_ours(served: Served) -> None:
    for extra in (
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: -1",
    ):
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
            line.sendall(
                f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n{extra}\r\n\r\nGET / ".encode()
            )
            assert b" 200 " not in line.recv(4096)
    assert served.predict(photo("red")).status_code == 200


def test_the_limits_that_callers_are_told_are_those_that_hold(served: Served) -> None:
    told = served.ask("/api/v1/model").json()["limits"]
    assert told == {
        "files": limits.MOST_FILES,
        "file_bytes": bodies.MAX_BYTES,
        "body_bytes": limits.MOST_BODY,
    }
    assert json.loads(served.ask("/openapi.json").text)["openapi"].startswith("3.1")


def test_a_server_that_ends_answers_what_is_here_and_takes_nothing_more(start: Start) -> None:
    served, (name, data) = start(), photo("red")
    body = part(filename=name, data=data) + b"--B--\r\n"
    with served.open(PREDICT, {"Content-Type": FORM, "Content-Length": len(body)}) as line:
        line.sendall(body[:50])
        until = time.monotonic() + 10
        while not served.api.service._held and time.monotonic() < until:
            time.sleep(0.02)
        ending = asyncio.run_coroutine_threadsafe(served.api.service.end(10), served.loop)
        time.sleep(0.2)
        later = served.predict(photo("blue"))
        assert (later.status_code, "Retry-After" in later.headers) == (503, True)
        assert not ending.done()
        line.sendall(body[50:])
        assert b'"label": "red"' in line.recv(2**16)
    ending.result(15)
