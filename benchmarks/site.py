"""What a page without a server weighs, how soon it answers over a slow line and how fast, in a real Chromium.

Both networks have random weights: they answer nonsense as fast as trained ones. Gradio's page is measured
where `--gradio` names a Python that has the packages gradio and onnxruntime.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page

from fastclf import ModelBundle, Predictor
from fastclf.dashboard.site import build_site

from .harness import Bench, Line, alternate, tell
from .page import SHAPES, draw_photo, open_chromium, serve_fastclf

DATA = "nothing"
ARCHS = ("tf_efficientnet_lite0", "mobilenetv4_conv_small")
# what an answer may take, ms
GOALS = {"tf_efficientnet_lite0": 250, "mobilenetv4_conv_small": 100}
LINES = {"1 Mbit/s": (125_000, 100), "20 Mbit/s": (2_500_000, 20)}
PHOTOS = 16
TIMEOUT = 180_000
SITE, DASHBOARD, GRADIO = "site", "dashboard", "gradio"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
BUTTON = {GRADIO: "input[type=file]"}
ANSWER = {GRADIO: "[data-testid='label-output-value']"}

GRADIO_APP = """import sys
import gradio as gr
import numpy as np
import onnxruntime as ort

session = ort.InferenceSession(sys.argv[1])
side = int(sys.argv[2])


def classify(image):
    if image is None:
        return None
    pixels = np.asarray(image.convert("RGB").resize((side, side)), np.float32).transpose(2, 0, 1)[None] / 255
    names = [output.name for output in session.get_outputs()]
    logits = session.run(None, {session.get_inputs()[0].name: pixels})[names.index("logits")][0]
    powers = np.exp(logits - logits.max())
    return {f"class {k}": float(p) for k, p in enumerate(powers / powers.sum())}


gr.Interface(classify, gr.Image(type="pil"), gr.Label(), live=True).launch(
    server_name="127.0.0.1", server_port=int(sys.argv[3]), quiet=True
)
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gradio", metavar="PYTHON", help="a Python with gradio and onnxruntime")


def train_all(folder: Path, archs: Sequence[str] = ARCHS) -> dict[str, Path]:
    """Make a model of each architecture, from random weights on drawn photos."""
    from fastclf.training import train

    for number, kind in enumerate(SHAPES):
        for i in range(8):
            draw_photo(folder / "photos" / kind / f"{i}.jpg", kind, (320, 280), 1000 * number + i)
    made = {}
    for arch in archs:
        tell(f"Making {arch} with random weights ...")
        short = {"epochs": 1, "batch_size": 8, "pretrained": False, "quiet": True, "mode": "fine-tune"}
        train(folder / "photos", folder / arch, arch=arch, size=224, **short)
        made[arch] = folder / arch
    return made


@contextlib.contextmanager
def hosting(folder: Path) -> Iterator[str]:
    """Serve a folder as a host does that compresses texts (gzip)."""
    packed = {p: gzip.compress(p.read_bytes(), 6) for p in folder.rglob("*") if p.suffix in TYPES}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            path = folder / (self.path.split("?")[0].strip("/") or "index.html")
            content = packed.get(path) or (path.read_bytes() if path.is_file() else None)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.send_header("Content-Type", TYPES.get(path.suffix, "application/octet-stream"))
            if path in packed:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(content or b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def gradio(python: str, model: Path, folder: Path) -> Iterator[str]:
    """Serve the same model with Gradio's own page."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "app.py").write_text(GRADIO_APP)
    command = [python, str(folder / "app.py"), str(model / "model.onnx"), "224", str(port)]
    with (folder / "gradio.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(1200):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        time.sleep(2)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


class Traffic:
    """Throttles a page, and counts what it is sent."""

    def __init__(self, page: Page, line: str) -> None:
        self.sent = 0
        session = page.context.new_cdp_session(page)
        session.on("Network.dataReceived", self._on_data)
        session.send("Network.enable")
        rate, delay = LINES[line]
        limits = {"latency": delay, "downloadThroughput": rate, "uploadThroughput": rate}
        session.send("Network.emulateNetworkConditions", {"offline": False, **limits})

    def _on_data(self, event: dict[str, Any]) -> None:
        self.sent += int(event["encodedDataLength"])


def visit(browser: Browser, url: str, kind: str, photo: Path, line: str) -> dict[str, float]:
    """Open a page with an empty cache, choose a photo as soon as that can be done, wait for its answer."""
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    context.set_default_timeout(TIMEOUT)
    try:
        page = context.new_page()
        traffic = Traffic(page, line)
        started = time.perf_counter()
        page.goto(url, wait_until="commit")
        field = page.locator(BUTTON.get(kind, ".fastclf-drop input[type=file]")).first
        field.wait_for(state="attached")
        shell = time.perf_counter() - started
        field.set_input_files(photo)
        page.locator(ANSWER.get(kind, ".fastclf-card h3")).first.wait_for()
        first = time.perf_counter() - started
        found = {"shell": shell, "first": first, "sent": traffic.sent / 1000}
        return {f"{kind}, {line}: {what}": value for what, value in found.items()}
    finally:
        context.close()


def measure_visits(bench: Bench) -> list[Line]:
    """Visit the page without a server, the dashboard and Gradio's page in turn, over both lines."""
    folder = bench.new_folder()
    model = train_all(folder, ARCHS[:1])[ARCHS[0]]
    site = build_site(ModelBundle.load(model), folder / "site")
    photo = draw_photo(folder / "photo.jpg", "circle", (1600, 1200), 7)
    files = [p for p in site.path.rglob("*") if p.is_file()]
    loaded = [p for p in files if p.parent.name == "parts" or p.name == "index.html"]
    raw = sum(p.stat().st_size for p in loaded) / 1e6
    packed = sum(len(gzip.compress(p.read_bytes(), 6)) for p in loaded) / 1e6
    with ExitStack() as stack:
        browser = stack.enter_context(open_chromium())
        server = serve_fastclf(folder / "dashboard", model, preheat=True)
        stack.callback(server.stop)
        pages = {SITE: stack.enter_context(hosting(site.path)), DASHBOARD: server.url}
        if bench.options.gradio:
            pages[GRADIO] = stack.enter_context(gradio(bench.options.gradio, model, folder))
        took: dict[str, list[float]] = {}
        for line in LINES:
            ways = {name: partial(visit, browser, url, name, photo, line) for name, url in pages.items()}
            took |= alternate(bench.repeats, ways)
    weights = [
        Line("bytes of a first visit, default architecture, as they are, MB", [raw], limit=9.5),
        Line("... as a host sends them that compresses (gzip), MB", [packed], limit=7),
    ]
    return [*weights, *compare(took, [name for name in pages if name != SITE])]


def compare(took: dict[str, list[float]], others: list[str]) -> list[Line]:
    lines = []
    for line in LINES:
        for what, words in (
            ("shell", "photos can be chosen"),
            ("first", "first answer"),
            ("sent", "sent until then"),
        ):
            unit = "kB" if what == "sent" else "s"
            ours = took[f"{SITE}, {line}: {what}"]
            for other in others:
                theirs = took[f"{other}, {line}: {what}"]
                lines.append(Line(f"{words}, {line}, {unit}; {other}", ours, theirs))
    return lines


def measure_answers(bench: Bench) -> list[Line]:
    """Ask the page and Predictor, which is native and has all cores, about the same photos in turn."""
    folder = bench.new_folder()
    models = train_all(folder)
    kinds = [*SHAPES]
    photos = [
        draw_photo(folder / "asked" / f"{i}.jpg", kinds[i % 3], (640, 480), 50 + i)
        for i in range(bench.count(PHOTOS) + 3)
    ]
    lines = []
    with open_chromium() as browser:
        for arch, model in models.items():
            page = build_site(ModelBundle.load(model), folder / f"{arch}.html", single_file=True).page
            with Predictor(model) as predictor:
                ways: dict[str, Callable[[], dict[str, float]]] = {
                    SITE: partial(ask_page, browser, page, photos),
                    "native": partial(ask_native, predictor, photos),
                }
                alternate(1, ways)
                took = alternate(bench.repeats, ways)
            lines += [
                Line(f"an answer, {arch}, ms; Predictor's", took["page"], took["native"], limit=GOALS[arch]),
                Line(
                    "... processor time, ms; Predictor's", took["page, processor"], took["native, processor"]
                ),
                Line(f"from the file's opening to the first one, {arch}, s", took["opened"], limit=2),
                Line("... processor time, s", took["opened, processor"]),
            ]
    return lines


def count_processor_seconds() -> float:
    """Return what the browser has used; a machine that does other things meanwhile changes it less."""
    used = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            used += sum(process.cpu_times()[:2]) if "chrom" in process.name() else 0
    return used


def ask_native(predictor: Predictor, photos: list[Path]) -> dict[str, float]:
    started, used = time.perf_counter(), time.process_time()
    for photo in photos:
        predictor.predict(photo)
    each = 1000 / len(photos)
    took = time.perf_counter() - started
    return {"native": took * each, "native, processor": (time.process_time() - used) * each}


def ask_page(browser: Browser, file: Path, photos: list[Path]) -> dict[str, float]:
    """Open the one file from the disk, then ask about all photos; times are the page's own."""
    context = browser.new_context()
    context.set_default_timeout(TIMEOUT)
    try:
        page, before = context.new_page(), count_processor_seconds()
        page.goto(file.as_uri(), wait_until="commit")
        page.locator(".fastclf-drop input[type=file]").set_input_files(photos[0])
        page.locator(".fastclf-card").wait_for()
        opened, opening = page.evaluate("performance.now()") / 1000, count_processor_seconds() - before
        page.locator("[data-parity=same], [data-parity=differs]").wait_for(state="attached")
        page.evaluate(
            """() => {
                window.times = [];
                const list = document.querySelector(".fastclf-cards");
                const look = () => window.times.push([performance.now(), list.children.length]);
                new MutationObserver(look).observe(list, { childList: true });
            }"""
        )
        before = count_processor_seconds()
        page.locator(".fastclf-drop input[type=file]").set_input_files(photos[1:])
        page.locator(".fastclf-card").nth(len(photos) - 1).wait_for()
        used = 1000 * (count_processor_seconds() - before) / (len(photos) - 1)
        times = page.evaluate("window.times")
        (start, few), (end, many) = times[0], times[-1]
        own = {"page": (end - start) / max(1, many - few), "page, processor": used}
        return {**own, "opened": opened, "opened, processor": opening}
    finally:
        context.close()


PARTS = {"answers": measure_answers, "visits": measure_visits}
PARTS_WITHOUT_DATA = ("answers", "visits")
