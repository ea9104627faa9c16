"""The API under eight clients at once: beside the model alone, and beside Gradio's API of the same model."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from fastclf.model import Predictor

from .harness import Bench, Line, alternate, find_photos, time_it

DATA = "MODEL=FOLDER: a model, and photos to ask it about; they are only read"
CLIENTS, PHOTOS = 8, 200
# Gradio's own page of a classifier, with as many answers at once as it is asked for
_GRADIO = """
import sys
import gradio as gr
from fastclf.model import Predictor
predictor = Predictor(sys.argv[1])
answer = lambda path: predictor.predict(path).probs
app = gr.Interface(answer, gr.Image(type="filepath"), gr.Label(), api_name="predict")
app.queue(default_concurrency_limit=int(sys.argv[3]))
app.launch(server_port=int(sys.argv[2]), quiet=True)
"""
Ask = Callable[[http.client.HTTPConnection, bytes], Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gradio", type=Path, help="a Python with gradio and fastclf's core packages")


def measure(bench: Bench) -> list[Line]:
    """Let eight clients ask about the same photos: the model in a process, the API, Gradio's API."""
    return [line for model, folder in bench.models for line in _measure(bench, model, folder)]


def _measure(bench: Bench, model: Path, folder: Path) -> Iterator[Line]:
    photos = [path.read_bytes() for path in find_photos(folder)[: bench.count(PHOTOS)]]
    predictor = Predictor(model)
    with _serve(bench, model) as port, _serve_gradio(bench, model) as other:
        ways = {
            "alone": lambda: _ask_all("alone", photos, lambda: None, lambda _, p: predictor.predict(p)),
            "batches": lambda: _ask_batches(predictor, photos),
            "api": lambda: _ask_all("api", photos, lambda: _connect(port), ask_api),
        }
        if other:
            ways["gradio"] = lambda: _ask_all("gradio", photos, lambda: _connect(other), ask_gradio)
        took = alternate(bench.repeats, ways)
    yield from _write_lines(took)


def _write_lines(took: dict[str, list[float]]) -> Iterator[Line]:
    words = f"{CLIENTS} clients, seconds a photo; "
    # 0.8 of the rate
    yield Line(f"{words}Predictor alone", took["api"], took["alone"], at_most=1 / 0.8)
    yield Line(f"{words}Predictor.predict_many", took["api"], took["batches"], at_most=1 / 0.8)
    yield Line("p95 of an answer, as a multiple of p50", took["api p95/p50"], limit=3)
    yield Line("p95 of an answer, s; of Predictor alone", took["api p95"], took["alone p95"])
    if "gradio" in took:
        yield Line(f"{words}Gradio's API", took["api"], took["gradio"], at_most=1)
        yield Line("p95 of an answer, s; of Gradio's API", took["api p95"], took["gradio p95"], at_most=1)


def _ask_all(name: str, photos: Sequence[bytes], connect: Callable[[], Any], ask: Ask) -> dict[str, float]:
    """Share the photos out to the clients, each of which asks one after the other."""

    def run(client: int) -> list[float]:
        connection, seconds = connect(), []
        for photo in photos[client::CLIENTS]:
            begun = time.perf_counter()
            ask(connection, photo)
            seconds.append(time.perf_counter() - begun)
        return seconds

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        seconds = [one for found in pool.map(run, range(CLIENTS)) for one in found]
    whole = time.perf_counter() - begun
    p50, p95 = median(seconds), quantiles(seconds, n=20)[-1]
    return {name: whole / len(photos), f"{name} p50": p50, f"{name} p95": p95, f"{name} p95/p50": p95 / p50}


def _ask_batches(predictor: Predictor, photos: Sequence[bytes]) -> dict[str, float]:
    return {"batches": time_it(lambda: list(predictor.predict_many(photos))) / len(photos)}


def ask_api(connection: http.client.HTTPConnection, photo: bytes) -> str:
    """Ask the API about one photo."""
    [answer] = _post(connection, "/api/v1/predict", photo, "image/jpeg")
    return str(answer["label"])


def ask_gradio(connection: http.client.HTTPConnection, photo: bytes) -> str:
    """Ask Gradio's API as its documentation says: send the file, begin a call, read its events."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n'
    body = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + photo + f"\r\n--{boundary}--\r\n".encode()
    [path] = _post(connection, "/gradio_api/upload", body, f"multipart/form-data; boundary={boundary}")
    data = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}).encode()
    event = _post(connection, "/gradio_api/call/predict", data, "application/json")["event_id"]
    connection.request("GET", f"/gradio_api/call/predict/{event}")
    told = connection.getresponse().read().decode()
    if "event: complete" not in told:
        raise SystemExit(f"Gradio did not answer: {told[:300]}")
    return str(json.loads(told.rpartition("data: ")[2])[0]["label"])


def _post(connection: http.client.HTTPConnection, path: str, body: bytes, kind: str) -> Any:
    connection.request("POST", path, body, {"Content-Type": kind})
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise SystemExit(f"{path} answered {response.status}: {text[:300]!r}")
    return json.loads(text)


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


@contextmanager
def _serve(bench: Bench, model: Path) -> Iterator[int]:
    port = _find_port()
    command = [sys.executable, "-m", "fastclf", "serve", str(model), f"--port={port}", "--api"]
    with _run(bench, command, port):
        yield port


@contextmanager
def _serve_gradio(bench: Bench, model: Path) -> Iterator[int]:
    """Start Gradio in its own Python; 0 where none is named."""
    if bench.options.gradio is None:
        yield 0
        return
    port = _find_port()
    command = [str(bench.options.gradio), "-c", _GRADIO, str(model.resolve()), str(port), str(CLIENTS)]
    with _run(bench, command, port):
        yield port


@contextmanager
def _run(bench: Bench, command: Sequence[str], port: int) -> Iterator[None]:
    source = str(Path(__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": source, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    with (bench.scratch / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 120
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit((bench.scratch / f"{port}.log").read_text()[-2000:])
            time.sleep(0.2)
        time.sleep(8)  # what is loaded besides, as kernels for visitors, is no part of the question
        yield
    finally:
        process.terminate()
        process.wait(20)


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PARTS = {"clients": measure}
