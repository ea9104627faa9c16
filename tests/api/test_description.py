"""The description of the API is sound, describes every address, and every answer is as it says."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from fastclf.api import routes
from fastclf.api.docs import load_description

from .conftest import Served, photo
from .test_protocols import CONFIG

DOCUMENT = load_description()


def check(path: str, method: str, answer: Any) -> None:
    """Compare a real answer with what is said of its status."""
    said = DOCUMENT["paths"][path][method.lower()]["responses"]
    assert str(answer.status_code) in said, (path, answer.status_code)
    found = said[str(answer.status_code)]
    if "$ref" in found:
        found = DOCUMENT["components"]["responses"][found["$ref"].rpartition("/")[2]]
    for kind, content in found.get("content", {}).items():
        assert answer.headers["Content-Type"].partition(";")[0] == kind
        if "json" in kind:
            schema = {**content["schema"], "components": DOCUMENT["components"]}
            Draft202012Validator(schema).validate(answer.json())


def test_it_is_valid_as_openapi_says(served: Served) -> None:
    for document in (DOCUMENT, served.ask("/openapi.json").json()):
        OpenAPIV31SpecValidator(document).validate()


def test_it_describes_every_address_and_no_other() -> None:
    for path in DOCUMENT["paths"]:
        assert any(re.fullmatch(door, path[1:]) for door in routes._DOORS), path
    assert len(DOCUMENT["paths"]) == len(routes._DOORS)
    for path, methods in DOCUMENT["paths"].items():
        [door] = [found for at, found in routes._DOORS.items() if re.fullmatch(at, path[1:])]
        assert {name.upper() for name in methods} == set(door.allowed) - {"HEAD"}, path


@pytest.mark.parametrize(
    ("path", "method", "given"),
    [
        ("/api/v1/predict", "POST", {"files": [("files", photo("red")), ("files", ("a.txt", b"no photo"))]}),
        ("/api/v1/predict", "POST", {"files": [("files", photo("red"))], "params": {"explain": "1", "top": "1"}}),
        ("/api/v1/predict", "POST", {"data": photo("red")[1], "headers": {"Content-Type": "image/png"}}),
        ("/api/v1/predict", "POST", {"files": [("files", photo("red"))], "params": {"top": "x"}}),
        ("/api/v1/predict", "POST", {"data": b"x", "headers": {"Content-Type": "text/plain"}}),
        ("/api/v1/predict", "POST", {"data": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}),
        ("/api/v1/predict", "POST", {"data": b"x", "headers": {"Origin": "https://evil.example", "Content-Type": "image/png"}}),
        ("/api/v1/model", "GET", {}),
        ("/api/v1/model", "GET", {"headers": {"Origin": "https://evil.example"}}),
        ("/api/v1/report", "POST", {"files": {"file": photo("red")}, "data": {"label": "blue"}}),
        ("/api/v1/report", "POST", {"files": {"file": photo("red")}}),
        ("/api/hf", "POST", {"data": photo("red")[1]}),
        ("/api/hf", "POST", {"json": {"inputs": base64.b64encode(photo("red")[1]).decode(), "parameters": {"top_k": 2}}}),
        ("/api/hf", "POST", {"data": b"no photo"}),
        ("/v2/health/live", "GET", {}),
        ("/v2/health/ready", "GET", {}),
        ("/v2", "GET", {}),
        ("/v2/models/fastclf", "GET", {}),
        ("/v2/models/fastclf/ready", "GET", {}),
        ("/v2/models/fastclf/infer", "POST", {"json": {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(photo("red")[1]).decode()]}]}}),
        ("/v2/models/fastclf/infer", "POST", {"json": {}}),
        ("/api/labels/health", "GET", {}),
        ("/api/labels/setup", "POST", {"json": {"schema": CONFIG}}),
        ("/api/labels/predict", "POST", {"json": {"tasks": [{"data": {}}], "label_config": CONFIG}}),
        ("/openapi.json", "GET", {}),
        ("/api/docs", "GET", {}),
    ],
)  # fmt: skip
def test_a_real_answer_is_as_it_says(path: str, method: str, given: dict[str, Any], served: Served) -> None:
    check(path, method, served.ask(path, method, **given))


def test_an_answer_that_is_not_as_it_says_is_noticed(served: Served) -> None:
    answer = served.predict(photo("red"))
    [found] = answer.json()
    answer._content = json.dumps([{**found, "more": 1}]).encode()
    with pytest.raises(Exception, match="more"):
        check("/api/v1/predict", "POST", answer)


def test_the_page_names_every_call_and_loads_nothing(served: Served) -> None:
    answer = served.ask("/api/docs")
    page = answer.text
    for path in DOCUMENT["paths"]:
        assert f"</b> {path}</code>" in page
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=\"(?!data:)", page)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
