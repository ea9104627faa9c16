"""How many visitors at once does a server bear, how long do they wait, and what memory does each take?

The part `memory` needs no DATA: kernels that are forked beside kernels that are started, one session each.
The part `load` takes MODEL=FOLDER: visitors come within half a minute and ask about five photos each, with
pauses; three of them are real pages in Chromium, or all. Other visitors speak the page's own protocol.
`--gradio PYTHON` names a Python with Gradio, whose page then bears the same load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright
from tornado.httpclient import AsyncHTTPClient

from fastclf import Predictor
from fastclf.model import draw_picture
from fastclf.photos import encode_jpeg
from fastclf.server import run as serving

from .clients import GradioClient, PageClient, Visit, visit
from .harness import Bench, Line, Table, alternate, list_unlearned, open_rgb, tell
from .page import SHAPES, draw_photo
from .page import Server as VoilaServer

DATA = "MODEL=FOLDER of photos, for the part `load`"
FORKS, STARTED = "forks", "started"
# visitors, and how many of them are real pages
CROWDS = ((20, 20), (50, 3), (100, 3))
PHOTOS, ARRIVE_SECONDS, THINK_SECONDS, TIMEOUT = 5, 30.0, 2.0, 180.0
SESSIONS = 4
SIDE = 896
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-proxy-server"]
CHOOSE = "button:has-text('Choose photos')"
USABLE = """() => [...document.querySelectorAll("button")].some(
    (button) => /Choose photos/.test(button.textContent) && button.checkVisibility())"""
CARDS = "() => [...document.querySelectorAll('.fastclf-card')].map((card) => card.textContent)"

# Gradio's page for a classifier, as its own guide writes it, with our model behind it.
GRADIO_APP = """import sys
sys.path.extend({path!r})
import gradio as gr
from fastclf import Predictor
predictor = Predictor({model!r})
def classify(image):
    return predictor.predict(image).probs
page = gr.Interface(classify, gr.Image(type="pil"), gr.Label(num_top_classes=5), flagging_mode="never")
page.launch(server_name="127.0.0.1", server_port={port}, quiet=True)
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this benchmark alone is asked for."""
    parser.add_argument("--gradio", type=Path, help="a Python with Gradio, for the same load on its page")
    parser.add_argument("--crowds", help="visitors by commas, each with real pages, like 20/20,50/3,100/3")


class Server:
    """A server in a process of its own, and what it and its descendants take."""

    def __init__(self, command: Sequence[object], port: int, folder: Path, **env: str) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        with (folder / "server.log").open("w") as log:
            self.process = psutil.Popen(
                [*map(str, command)], cwd=folder, env={**os.environ, **env}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit(f"The server did not start: {(folder / 'server.log').read_text()[-500:]}")

    def measure(self) -> dict[str, float]:
        """Return MB: unique memory of the server and of a kernel's mean, and the sum of all shares."""
        kernels, others, total = [], [], 0.0
        for process in [self.process, *self.process.children(recursive=True)]:
            with suppress(psutil.Error):
                words, found = " ".join(process.cmdline()), process.memory_full_info()
                total += found.pss / 1e6
                (kernels if "ipykernel" in words else others).append(found.uss / 1e6)
        return {"kernels": len(kernels), "kernel": mean(kernels or [0]), "server": sum(others), "all": total}

    def stop(self) -> None:
        """End it and all that it started."""
        family = self.process.children(recursive=True)
        self.process.terminate()
        psutil.wait_procs([self.process, *family], timeout=15)
        for process in [self.process, *family]:
            with suppress(psutil.Error):
                process.kill()


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve_fastclf(folder: Path, model: Path, *, forks: bool = True) -> Iterator[Server]:
    """Serve the dashboard with room for everybody; `forks` as it is shipped."""
    port = find_port()
    command = [sys.executable, "-m", "fastclf", "serve", model.absolute(), "--port", port]
    env = {"FASTCLF_MAX_VISITORS": "500", "FASTCLF_FORKS": str(int(forks))}
    server = Server(command, port, folder, **env)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def serve_gradio(folder: Path, model: Path, python: Path) -> Iterator[Server]:
    """Serve the same model with Gradio."""
    port, path = find_port(), [entry for entry in sys.path if entry] + [str(Path.cwd())]
    app = folder / "app.py"
    app.write_text(GRADIO_APP.format(path=path, model=str(model.absolute()), port=port))
    # what a server asks of other hosts would hold it up where there is no network
    env = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "no_proxy": "127.0.0.1"}
    server = Server([python, app], port, folder, **env)
    try:
        yield server
    finally:
        server.stop()


def prepare_photos(model: Path, folder: Path, n: int) -> list[tuple[str, bytes, str]]:
    """Return photos as the page sends them, each with the label that is right: what the model alone says."""
    files = list_unlearned(model, folder)
    chosen = np.random.default_rng(0).choice(len(files), n, replace=len(files) < n)
    found = []
    with Predictor(model) as predictor:
        for number in chosen:
            image = open_rgb(files[number])
            image.thumbnail((SIDE, SIDE))
            data = encode_jpeg(image, 90)
            found.append((files[number].name, data, str(predictor.predict(data).label)))
    return found


@dataclass
class Crowd:
    """What became of some visitors and what the server took meanwhile."""

    visits: list[Visit] = field(default_factory=list)
    pages: list[Visit] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0

    def row(self, what: str, right: list[str]) -> list[str]:
        """Return the row of a table."""
        everybody = self.visits + self.pages
        fine = sum(one.labels == right for one in everybody)
        pages = [one.page for one in everybody if one.page]
        answers = [seconds for one in everybody for seconds in one.answers]
        memory = [f"{self.memory.get(name, 0):.0f}" for name in ("server", "kernel", "all")]
        return [what, f"{fine} of {len(everybody)}", _say(pages), _say(answers), *memory, f"{self.cpu:.0f}"]


def _say(seconds: list[float]) -> str:
    return " / ".join(f"{np.percentile(seconds, p):.2f}" for p in (50, 95)) if seconds else "-"


def load(server: Server, client: Callable[[str], Any], photos: Sequence[Any], n: int, pages: int) -> Crowd:
    """Let `n` visitors come, `pages` of them in a browser, and watch the server until they are done."""
    crowd, given = Crowd(), [(name, data) for name, data, _ in photos]
    # until then the server prepares
    asyncio.run(visit(client(server.url), given[:1], 0.0))
    used = _count_cpu(server)

    def look() -> None:
        # once, while all are there: looking at the memory of a hundred processes takes a second of a core
        crowd.cpu, crowd.memory = _count_cpu(server) - used, server.measure()

    args = (server.url, crowd, given, pages, look if n == pages else lambda: None)
    browse = threading.Thread(target=_browse, args=args)
    browse.start()
    crowd.visits = asyncio.run(_come(server.url, client, given, n - pages, look))
    browse.join()
    return crowd


def _count_cpu(server: Server) -> float:
    """Return processor seconds of a server and of what it has started, ended ones included."""
    used = 0.0
    for process in [server.process, *server.process.children(recursive=True)]:
        with suppress(psutil.Error):
            used += sum(process.cpu_times()[:4])
    return used


async def _come(
    url: str, client: Callable[[str], Any], photos: list[tuple[str, bytes]], n: int, look: Callable[[], None]
) -> list[Visit]:
    AsyncHTTPClient.configure(None, max_clients=1000)
    clients = [client(url) for _ in range(n)]

    async def arrive(number: int) -> Visit:
        await asyncio.sleep(ARRIVE_SECONDS * number / max(1, n))
        return await visit(clients[number], photos, THINK_SECONDS)

    found = await asyncio.gather(*map(arrive, range(n)))
    if n:
        look()
    for one in clients:
        one.close()
    return list(found)


def _browse(
    url: str, crowd: Crowd, photos: list[tuple[str, bytes]], n: int, look: Callable[[], None]
) -> None:
    """Open real pages, one after the other, and ask about the photos in turn."""
    if not n:
        return
    program = os.environ.get("FASTCLF_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGS)
        pages = []
        for _ in range(n):
            pages.append(browser.new_context().new_page())
            crowd.pages.append(Visit())
            _guard(crowd.pages[-1], lambda one=crowd.pages[-1], page=pages[-1]: _open(page, url, one))
        for number, (name, data) in enumerate(photos, 1):
            for page, one in zip(pages, crowd.pages, strict=True):
                _guard(one, lambda p=page, v=one, k=number, f=name, d=data: _ask(p, v, k, f, d))
        look()
        browser.close()


def _guard(one: Visit, act: Callable[[], None]) -> None:
    if one.fault:
        return
    try:
        act()
    except Exception as e:  # noqa: BLE001 - whatever it is, it is what became of this visitor
        one.fault = f"{type(e).__name__}: {e}"[:200]


def _open(page: Page, url: str, one: Visit) -> None:
    began = time.perf_counter()
    page.goto(url, wait_until="commit", timeout=1000 * TIMEOUT)
    _wait_for(lambda: page.evaluate(USABLE))
    one.page = time.perf_counter() - began


def _ask(page: Page, one: Visit, number: int, name: str, data: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator(CHOOSE).first.click()
    began = time.perf_counter()
    chooser.value.set_files([{"name": name, "mimeType": "image/jpeg", "buffer": data}])
    _wait_for(lambda: len(page.evaluate(CARDS)) == number)
    one.answers.append(time.perf_counter() - began)
    one.labels.append(page.evaluate(CARDS)[0])


def _wait_for(check: Callable[[], object]) -> None:
    """Ask again and again; Playwright's own waiting evaluates a text, which the page's policy forbids."""
    deadline = time.perf_counter() + TIMEOUT
    while not check():
        if time.perf_counter() > deadline:
            raise TimeoutError("it never came")
        time.sleep(0.01)


def measure_load(bench: Bench) -> list[Any]:
    """Let crowds come to fastclf, and to Gradio where there is one."""
    [(model, folder)] = bench.models[:1]
    photos = prepare_photos(model, folder, PHOTOS)
    rows: list[list[str]] = []
    for n, pages in _read_crowds(bench):
        with serve_fastclf(bench.new_folder(), model) as server:
            rows.append(
                _let_come(f"fastclf, {n} visitors, {pages} real pages", server, PageClient, photos, n, pages)
            )
        if bench.options.gradio:
            with serve_gradio(bench.new_folder(), model, bench.options.gradio) as server:
                rows.append(_let_come(f"Gradio, {n} visitors", server, GradioClient, photos, n, 0))
    heads = ("who", "answered rightly", "page, s: p50 / p95", "answer, s: p50 / p95", "server, MB",
             "a kernel, MB", "all, MB", "processor, s")  # fmt: skip
    return [Table(f"{PHOTOS} photos each, within {ARRIVE_SECONDS:.0f} s of one another", heads, rows, rows)]


def _read_crowds(bench: Bench) -> list[tuple[int, int]]:
    if bench.options.crowds:
        pairs = [tuple(map(int, one.split("/"))) for one in bench.options.crowds.split(",")]
        return [(pair[0], pair[1]) for pair in pairs]
    return [(bench.count(n), min(pages, bench.count(n))) for n, pages in CROWDS]


def _let_come(
    what: str, server: Server, client: Callable[[str], Any], photos: Sequence[Any], n: int, pages: int
) -> list[str]:
    crowd = load(server, client, photos, n, pages)
    right = [label for *_, label in photos]
    for one in crowd.pages:
        # a card tells its class among other words
        one.labels = [r if r in text else text[:40] for r, text in zip(right, one.labels, strict=False)]
    for fault in {one.fault for one in crowd.visits + crowd.pages if one.fault}:
        tell(f"  {what}: {fault}")
    row = crowd.row(what, right)
    tell("  " + json.dumps(row))
    return row


def measure_memory(bench: Bench) -> list[Any]:
    """Compare kernels that are forked with kernels that are started, before and after answers."""
    model = bench.models[0][0] if bench.options.data else _make_model(bench.new_folder())
    photo = encode_jpeg(draw_picture().resize((SIDE, 672)))

    def take(name: str) -> dict[str, float]:
        server = serve_without_pool(bench.new_folder(), model, forks=name == FORKS)
        try:
            return asyncio.run(_take_memory(server, photo, name))
        finally:
            server.stop()

    took = alternate(bench.repeats, {name: partial(take, name) for name in (FORKS, STARTED)})
    words = {"page": "page without a pool, s", "cpu": "... processor seconds of server and kernel",
             "before": "unique memory of a kernel with its page, MB", "one": "... after one answer",
             "six": "... after six answers"}  # fmt: skip
    limits = {"page": 0.3, "before": 25.0, "one": 40.0}
    return [
        Line(f"{said}; started", took[f"{FORKS}: {key}"], took[f"{STARTED}: {key}"], limit=limits.get(key))
        for key, said in words.items()
    ]


def serve_without_pool(folder: Path, model: Path, *, forks: bool) -> VoilaServer:
    """Serve the dashboard without a waiting kernel; `forks` as it is shipped."""
    settings = serving.read_settings()
    settings["VoilaConfiguration"]["preheat_kernel"] = False
    if not forks:
        del settings["KernelProvisionerFactory"]
    return VoilaServer(folder, serving.find_notebook(), settings, FASTCLF_MODEL=str(model.absolute()))


async def _take_memory(server: VoilaServer, photo: bytes, name: str) -> dict[str, float]:
    clients = [PageClient(server.url) for _ in range(SESSIONS + 1)]
    seconds: list[float] = []
    for client in clients:
        began, used = time.perf_counter(), server.cpu_seconds()
        await client.open()
        seconds.append(time.perf_counter() - began)
    found = {"page": median(seconds[1:]), "cpu": server.cpu_seconds() - used}
    await asyncio.sleep(2)
    found["before"] = _measure_kernel(server)
    for number in range(1, 7):
        for client in clients:
            await client.ask(number, "photo.jpg", photo)
        if number in (1, 6):
            await asyncio.sleep(1)
            found["one" if number == 1 else "six"] = _measure_kernel(server)
    for client in clients:
        client.close()
    return {f"{name}: {key}": value for key, value in found.items()}


def _measure_kernel(server: VoilaServer) -> float:
    return mean(kernel.memory_full_info().uss / 1e6 for kernel in server.kernels())


def _make_model(folder: Path) -> Path:
    """Train a head on drawn photos, as the benchmark of the page does."""
    for number, kind in enumerate(SHAPES):
        for i in range(14):
            draw_photo(folder / "photos" / kind / f"{i}.jpg", kind, (320, 280), 1000 * number + i)
    options = ["--out", folder / "model", "--mode", "head"]
    command = [sys.executable, "-m", "fastclf", "train", folder / "photos", *options]
    subprocess.run([*map(str, command)], check=True, stdout=sys.stderr)
    return folder / "model"


PARTS = {"memory": measure_memory, "load": measure_load}
PARTS_WITHOUT_DATA = ("memory",)
