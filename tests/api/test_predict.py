"""Answers about photos: as `predict --json` gives them, of one model each, with what was asked for besides."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from PIL import Image

from fastclf import Predictor
from fastclf.inbox import Inbox

from ..toy import write_toy_bundle
from .conftest import Served, Start, photo


def answer_alone(model: Path, *photos: tuple[str, bytes]) -> list[dict[str, object]]:
    uploads = [{"name": name, "content": data} for name, data in photos]
    return [one.to_dict() for one in Predictor(model).predict_many(uploads)]


def test_many_photos_are_answered_in_order_as_the_command_answers_and_a_faulty_one_says_why(
    served: Served,
) -> None:
    photos = [photo("red"), ("notes.txt", b"hello, this is no photo"), photo("blue"), ("empty.jpg", b"")]
    answer = served.predict(*photos)
    assert answer.status_code == 200
    assert answer.json() == answer_alone(served.model, *photos)
    assert [one["label"] for one in answer.json()] == ["red", None, "blue", None]
    assert "notes.txt is text" in answer.json()[1]["error"]


def test_one_photo_is_a_body_of_its_own(served: Served) -> None:
    name, data = photo("green")
    for kind in ("image/png", "image/jpeg", "application/octet-stream", None):
        headers = {"Content-Type": kind} if kind else {}
        found = served.ask("/api/v1/predict?name=../a/green.png", "POST", data=data, headers=headers)
        assert found.json() == answer_alone(served.model, (name, data))


@pytest.mark.parametrize("top", [1, 2, 3])
def test_top_names_so_many_classes(top: int, served: Served) -> None:
    [whole] = served.predict(photo("red")).json()
    [found] = served.predict(photo("red"), query=f"?top={top}").json()
    assert list(found["probs"].items()) == list(whole["probs"].items())[:top]


@pytest.mark.parametrize(
    "query", ["?top=0", "?top=4", "?top=x", "?top=-1", "?top=", "?top=1e1", "?explain=2"]
)
def test_a_wrong_wish_is_told(query: str, served: Served) -> None:
    answer = served.predict(photo("red"), query=query)
    assert answer.status_code == 422
    assert query[1:].split("=")[0] in answer.json()["detail"]


def test_an_explanation_is_a_transparent_picture_of_the_photos_shape(served: Served) -> None:
    [found] = served.predict(photo("red"), query="?explain=1").json()
    assert found["explanation"]["label"] == found["label"] == "red"
    with Image.open(io.BytesIO(base64.b64decode(found["explanation"]["png"]))) as png:
        shown = Image.open(io.BytesIO(photo("red")[1]))
        assert (png.format, png.mode, png.size) == ("PNG", "RGBA", shown.size)
    assert served.predict(*[photo("red")] * 5, query="?explain=1").status_code == 422


def test_the_model_says_what_it_is_and_its_tag_tells_whether_it_is_still_the_same(served: Served) -> None:
    found = served.ask("/api/v1/model")
    said, tag = found.json(), found.headers["ETag"]
    assert said["classes"] == ["blue", "green", "red"]
    assert said["quality"]["photos"] == 30
    assert tag == f'"{said["hash"]}"'
    again = served.ask("/api/v1/model", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert served.predict(photo("red")).headers["ETag"] == tag
    assert str(served.model) not in found.text


def replace_model(model: Path, *, title: str) -> None:
    """Put another model in the place of one, as a refit does."""
    from fastclf.system import replaced_folder

    other = write_toy_bundle(model.with_name(f"made-{title}"))
    text = (other / "bundle.json").read_text().replace("Toy colours", title)
    (other / "bundle.json").write_text(text)
    with replaced_folder(model) as folder:
        shutil.copytree(other, folder, dirs_exist_ok=True)
    shutil.rmtree(other)


def test_a_model_that_is_replaced_is_picked_up_whole_and_no_request_is_lost(served: Served) -> None:
    before = served.ask("/api/v1/model").json()
    statuses, tags, over = [], set(), threading.Event()

    def go_on() -> None:
        while not over.is_set():
            answer = served.predict(photo("red"), photo("blue"))
            statuses.append(answer.status_code)
            tags.add(answer.headers.get("ETag"))

    asking = threading.Thread(target=go_on)
    asking.start()
    for n in range(3):
        replace_model(served.model, title=f"other {n}")
    over.set()
    asking.join(30)
    assert set(statuses) == {200}
    after = served.ask("/api/v1/model").json()
    assert (after["title"], before["title"]) == ("other 2", "Toy colours")
    assert after["hash"] != before["hash"]
    assert served.predict(photo("red")).headers["ETag"] == f'"{after["hash"]}"'


def test_a_model_that_does_not_open_is_told_without_its_place(start: Start, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    served = start()
    answer = served.predict(photo("red"))
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert str(tmp_path) not in answer.text
    assert served.ask("/v2/health/ready").status_code == 503
    assert served.ask("/healthz").status_code == 503


def test_a_report_goes_into_the_inbox_with_what_the_model_says(served: Served, tmp_path: Path) -> None:
    for label in ("blue", "blue", ""):
        answer = served.ask("/api/v1/report", "POST", files={"file": photo("red")}, data={"label": label})
        assert (answer.status_code, answer.json()) == (201, {"kept": True})
    reports = Inbox(tmp_path / "inbox.sqlite").reports()
    assert [(one.name, one.answer, one.label) for one in reports] == [
        ("red.png", "red", "blue"), ("red.png", "red", None),
    ]  # fmt: skip


def test_what_is_no_report_is_told(served: Served, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def report(at: Served = served, **given: object) -> tuple[int, str]:
        answer = at.ask("/api/v1/report", "POST", **given)
        return answer.status_code, answer.json()["detail"]

    red = {"file": photo("red")}
    assert report(files=red, data={"label": "purple"})[0] == 422
    assert report(files=red)[0] == 422
    assert report(files=[("a", photo("red")), ("b", photo("blue"))], data={"label": "red"})[0] == 422
    assert report(files={"file": ("a.txt", b"text")}, data={"label": "red"})[0] == 422
    assert report(data=b"x", headers={"Content-Type": "image/png"})[0] == 415
    monkeypatch.setattr(served.api.reports, "_most", 0)
    status, _ = report(files=red, data={"label": "blue"})
    assert status == 429
    monkeypatch.delenv("FASTCLF_INBOX")
    assert report(start(), files=red, data={"label": "blue"}) == (
        404,
        "This server keeps no reports. Send the photo to whoever runs it.",
    )


def test_curl_needs_nothing_but_its_form(served: Served, red_png: Path) -> None:
    command = ["curl", "-sS", "-F", f"files=@{red_png}", f"{served.url}/api/v1/predict"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert '"label": "red"' in done.stdout
    # what curl sends by itself is no photo's type, and is told what to do
    command = ["curl", "-sS", "--data-binary", f"@{red_png}", f"{served.url}/api/v1/predict"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert '"status": 415' in done.stdout
