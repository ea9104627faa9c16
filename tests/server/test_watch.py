"""What a host sees: well or not, numbers that Prometheus reads, a log without photos and people."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from fastclf.api import Counts
from fastclf.api.counts import BUCKETS
from fastclf.system import listen_for_tallies, read_tally, send_tally

from ..api.conftest import TOKEN, Served, Start, photo, start  # noqa: F401

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]+"(,[a-z]+="[^"]+")*\})? [0-9.e+-]+')


def read_numbers(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in lines)
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_numbers_count_answers_faults_and_refusals(start: Start) -> None:  # noqa: F811
    served = start()
    served.predict(photo("red"), ("a.txt", b"x"))
    served.ask("/api/v1/nothing")
    answer = served.ask("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = read_numbers(answer.text)
    assert found['fastclf_answers_total{way="api"}'] == found['fastclf_unreadable_total{way="api"}'] == 1
    assert found['fastclf_answer_seconds_bucket{way="api",le="+Inf"}'] == 1
    assert found['fastclf_answer_seconds_count{way="api"}'] == 1
    assert found['fastclf_refusals_total{status="404"}'] == 1
    assert (found["fastclf_visitors"], found["fastclf_places"]) == (3, 20)


def test_a_histogram_grows_from_bucket_to_bucket() -> None:
    counts = Counts()
    for seconds in (0.001, 0.01, 0.02, 3.0, 99.0):
        counts.add_answer("page", seconds, unfamiliar=seconds > 1)
    found = read_numbers(counts.render({}))
    row = [
        found[f'fastclf_answer_seconds_bucket{{way="page",le="{top}"}}']
        for top in (*map(str, BUCKETS), "+Inf")
    ]
    assert row == sorted(row)
    assert (row[0], row[1], row[-2], row[-1]) == (2, 3, 4, 5)
    assert found['fastclf_unfamiliar_total{way="page"}'] == 2


def test_numbers_are_for_this_machine_or_for_the_token(start: Start) -> None:  # noqa: F811
    served = start(token=True)
    assert served.ask("/metrics").status_code == 200
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        through = {header: "198.51.100.7"}
        assert served.ask("/metrics", headers=through).status_code == 403
        shown = {**through, "Authorization": f"Bearer {TOKEN}"}
        assert served.ask("/metrics", headers=shown).status_code == 200


def test_the_log_holds_no_photo_no_address_and_no_name(start: Start, tmp_path: Path) -> None:  # noqa: F811
    served = start()
    served.predict(
        ("anna-at-home.png", photo("red")[1]), query="?name=anna", headers={"X-Forwarded-For": "198.51.100.7"}
    )
    served.ask("/anna/secret?anna=1")
    served.ask("/api/v1/anna")
    time.sleep(0.2)
    log = (tmp_path / "access.log").read_text()
    lines = log.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} POST /api/v1/predict 200 \d+ ms", lines[0])
    assert all(line.split()[2:4] == ["(no", "such"] for line in lines[1:])
    assert not re.search(r"anna|127\.0\.0\.1|198\.51", log)


@pytest.mark.slow
def test_a_log_that_is_rotated_is_written_anew(start: Start, tmp_path: Path) -> None:  # noqa: F811
    served = start()
    served.ask("/healthz")
    (tmp_path / "access.log").rename(tmp_path / "access.log.1")
    served.ask("/healthz")
    time.sleep(0.2)
    assert "/healthz" in (tmp_path / "access.log").read_text()


def test_health_is_whether_there_is_a_model(start: Start) -> None:  # noqa: F811
    served = start()
    assert (served.ask("/healthz").status_code, served.ask("/healthz").json()) == (200, {"status": "ok"})
    (served.model / "bundle.json").rename(served.model / "gone")
    assert served.ask("/healthz").status_code == 503


@pytest.mark.skipif(sys.platform == "win32", reason="no such sockets")
def test_a_visitors_process_is_heard_and_one_that_nobody_hears_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TALLY_OF_FASTCLF", raising=False)
    send_tally("answer", seconds=1.0)
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TALLY_OF_FASTCLF", "to be undone")
        line = listen_for_tallies(folder)
        assert line is not None
        assert Path(folder, "tally").stat().st_mode & 0o77 == 0
        code = "from fastclf.system import send_tally; send_tally('answer', seconds=0.5, unfamiliar=True)"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        assert read_tally(line) == {"kind": "answer", "seconds": 0.5, "unfamiliar": True}
        assert read_tally(line) is None
        for _ in range(10_000):  # nobody reads them
            send_tally("report")
        line.close()
    send_tally("report")
