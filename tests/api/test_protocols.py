"""The forms that other people's clients speak: huggingface_hub, the Open Inference Protocol, Label Studio."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from .conftest import TOKEN, Served, Start, photo

CONFIG = '<View><Image name="picture" value="$image"/><Choices name="kind" toName="picture"><Choice value="red"/></Choices></View>'


def test_hugging_faces_client_is_answered_as_by_its_own_service(start: Start) -> None:
    served = start(token=True)
    client = InferenceClient(model=f"{served.url}/api/hf", token=TOKEN)
    whole = client.image_classification(photo("red")[1])
    assert whole[0].label == "red"
    assert sum(one.score for one in whole) == pytest.approx(1)
    [first] = client.image_classification(photo("blue")[1], top_k=1)
    assert first.label == "blue"
    with pytest.raises(HfHubHTTPError, match="422"):
        client.image_classification(b"no photo")
    with pytest.raises(HfHubHTTPError, match="401"):
        InferenceClient(model=f"{served.url}/api/hf", token="x" * 20).image_classification(photo("red")[1])


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def infer(served: Served, **asked: Any) -> tuple[int, dict[str, Any]]:
    answer = served.ask("/v2/models/fastclf/infer", "POST", json=asked)
    return answer.status_code, answer.json()


def test_tensors_of_bytes_are_answered_with_a_tensor_a_field(served: Served) -> None:
    data = [encode(photo("red")[1]), encode(b"no photo"), encode(photo("blue")[1])]
    given = {"name": "image", "datatype": "BYTES", "shape": [3], "data": data}
    status, found = infer(served, id="7", inputs=[given])
    outputs = {one["name"]: one for one in found["outputs"]}
    assert (status, found["id"], found["model_name"]) == (200, "7", "fastclf")
    assert outputs["label"]["data"] == ["red", "", "blue"]
    probabilities = np.reshape(outputs["probabilities"]["data"], outputs["probabilities"]["shape"])
    assert probabilities.sum(1) == pytest.approx([1, 0, 1])
    assert [bool(words) for words in outputs["error"]["data"]] == [False, True, False]
    status, found = infer(served, inputs=[given], outputs=[{"name": "label"}])
    assert [one["name"] for one in found["outputs"]] == ["label"]
    described = served.ask("/v2/models/fastclf").json()
    assert {one["name"] for one in described["outputs"]} == set(outputs)


def test_tensors_in_binary_are_answered_alike(served: Served) -> None:
    photos = [photo("green")[1], photo("red")[1]]
    head = json.dumps({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [2]}]}).encode()
    tail = b"".join(len(one).to_bytes(4, "little") + one for one in photos)

    def send(length: object, body: bytes = head + tail) -> Any:
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(length)}
        return served.ask("/v2/models/fastclf/infer", "POST", data=body, headers=headers)

    assert send(len(head)).json()["outputs"][0]["data"] == ["green", "red"]
    for wrong in ("", "x", "-1", len(head) + len(tail) + 1, len(head) - 1, "9" * 300):
        assert send(wrong).status_code in (400, 422), wrong
    assert send(len(head), head + tail[:-1]).status_code == 422
    assert send(len(head), head + tail + b"\xff\xff\xff\xff").status_code == 422


@pytest.mark.parametrize(
    "inputs",
    [
        None, [], {}, [1], [{"name": "image"}], [{"name": "x", "datatype": "BYTES", "shape": [1], "data": ["aGk="]}],
        [{"name": "image", "datatype": "FP32", "shape": [1], "data": [0.5]}],
        [{"name": "image", "datatype": "BYTES", "shape": [2], "data": ["aGk="]}],
        [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [7]}],
        [{"name": "image", "datatype": "BYTES", "shape": [0], "data": []}],
        [{"name": "image", "datatype": "BYTES", "shape": [1], "data": "aGk="}],
    ],
)  # fmt: skip
def test_a_request_of_another_form_is_told_in_the_protocols_own_field(inputs: object, served: Served) -> None:
    status, found = infer(served, inputs=inputs)
    assert status == 422
    assert found["error"] == found["detail"]


@pytest.fixture
def label_studio() -> Iterator[Any]:
    """A server with photos that are given for a token alone, and a redirect that leads elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{server.server_port}/red.png")
                self.end_headers()
                return
            found = self.headers.get("Authorization") == "Token of-label-studio"
            body = photo("red")[1] if found else b"{}"
            self.send_response(200 if found else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    asked: list[tuple[str, str | None]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_label_studio_gets_labels_for_photos_of_its_own_origin_alone(start: Start, label_studio: Any) -> None:
    origin = f"http://127.0.0.1:{label_studio.server_port}"
    served = start(photos_from=origin)
    assert served.ask("/api/labels/health").json()["status"] == "UP"
    setup = {"project": "1.2", "schema": CONFIG, "hostname": origin, "access_token": "of-label-studio"}
    version = served.ask("/api/labels/setup", "POST", json=setup).json()["model_version"]
    addresses = [
        "/data/red.png", f"{origin}/red.png", f"{origin}/away", "http://169.254.169.254/x.png", f"http://localhost:{label_studio.server_port}/red.png",
        "file:///etc/passwd", f"https://127.0.0.1:{label_studio.server_port}/red.png", "//evil.example/x.png", "data:image/png;base64,AAAA", "", None,
    ]  # fmt: skip
    tasks = [{"id": n, "data": {"image": one}} for n, one in enumerate(addresses)]
    answer = served.ask("/api/labels/predict", "POST", json={"tasks": tasks, "label_config": CONFIG}).json()
    results = answer["results"]
    assert answer["model_version"] == version
    for one in results[:2]:
        [found] = one["result"]
        assert (found["from_name"], found["to_name"], found["type"]) == ("kind", "picture", "choices")
        assert found["value"] == {"choices": ["red"]}
        assert one["score"] == found["score"] > 0.5
    assert [one["result"] for one in results[2:]] == [[]] * 9
    assert sorted(path for path, _ in label_studio.asked) == ["/away", "/data/red.png", "/red.png"]


@pytest.mark.parametrize(
    "config",
    [None, "", "<View>", "<a>" * 9000 + "</a>" * 9000, "<View/>", '<View><Choices name="a" toName="b"/></View>', "x" * 70_000,
     '<!DOCTYPE a [<!ENTITY b "c">]><View><Image name="i" value="$x"/><Choices name="c" toName="i"/></View>'],
)  # fmt: skip
def test_a_project_that_labels_no_photos_is_told(config: object, start: Start) -> None:
    served = start(photos_from="http://127.0.0.1:1")
    asked = {"tasks": [{"data": {}}], "label_config": config}
    assert served.ask("/api/labels/predict", "POST", json=asked).status_code == 422
    assert served.ask("/api/labels/setup", "POST", json={"schema": config}).status_code == 422


def test_without_an_origin_nothing_is_fetched(served: Served) -> None:
    asked = {"tasks": [{"data": {"image": "http://127.0.0.1/x.png"}}], "label_config": CONFIG}
    answer = served.ask("/api/labels/predict", "POST", json=asked)
    assert (answer.status_code, "--api-photos-from" in answer.json()["detail"]) == (403, True)
