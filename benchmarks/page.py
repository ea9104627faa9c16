"""How soon the dashboard's page can be used, and how little of a photo has to travel, in a real Chromium.

The part `visits` needs no DATA: it trains on drawn photos and compares with an empty Voila page and the
course's app. The part `scaling` compares photos as a phone takes them with what the page sends of them.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import nbformat
import numpy as np
import psutil
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, Page, sync_playwright

from fastclf import Predictor
from fastclf.photos import decode_photo
from fastclf.server import run as serving
from tests.profiles import P3, build_profile

from .harness import Bench, Line, alternate, encode, list_unlearned, open_rgb, tell

DATA = "MODEL=FOLDER of photos, for the part `scaling`"
EMPTY, COURSE = "empty", "course"
COLD, PREHEATED, SMALL = "cold", "preheated", "small"
TIMEOUT, VISITORS = 180.0, 4
PHONE = 4000, 3000
SHAPES = {"circle": (60, "firebrick"), "square": (4, "steelblue"), "triangle": (3, "seagreen")}
CHROMIUM_ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
    # what a page asks of other hosts fails at once, whether or not this machine is online
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
# Gradio 6.31's classifier page with the same model, over the same line, measured on a 2-core machine
GRADIO = {"usable": 3.1, "sent": 410.0, "requests": 58.0}
# 1 Mbit/s in bytes a second, 100 ms.
LINE = {"offline": False, "latency": 100, "downloadThroughput": 125_000, "uploadThroughput": 125_000}

EMPTY_APP = """import ipywidgets as widgets
widgets.VBox([widgets.FileUpload(), widgets.Button(description="Classify")])"""

# The course's app with today's ipywidgets; the label names the file, so that a second answer shows.
COURSE_APP = """from fastai.vision.all import *
import ipywidgets as widgets

learn = load_learner("export.pkl")
btn_upload, out_pl, lbl_pred = widgets.FileUpload(), widgets.Output(), widgets.Label()

def on_upload(change):
    if not change["new"]:
        return
    photo = change["new"][0]
    img = PILImage.create(bytes(photo["content"]))
    out_pl.clear_output()
    with out_pl:
        display(img.to_thumb(128, 128))
    pred, pred_idx, probs = learn.predict(img)
    lbl_pred.value = f"{photo['name']}: {pred}; Probability: {probs[pred_idx]:.04f}"

btn_upload.observe(on_upload, "value")
widgets.VBox([btn_upload, out_pl, lbl_pred])"""

# The upload button is there, enabled, and on top where a person would click it.
USABLE = """() => [...document.querySelectorAll("button")].some(button => {
    const box = button.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return /Upload|Choose photos/.test(button.textContent) && !button.disabled && button.contains(top);
})"""
UPLOAD = "button:has-text('Upload'), button:has-text('Choose photos')"
COURSE_ANSWERED = """([name, n]) => [...document.querySelectorAll(".widget-label")]
    .some(label => label.textContent.startsWith(name + ":"))"""
ANSWERED = """([name, n]) => document.querySelectorAll(".fastclf-card").length == n"""

PREPARE = """async ([script, data, limits]) => {
  const file = () => URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  if (!window.drop) window.drop = await import(file());
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const sent = await window.drop.prepare(new File([bytes], "photo.jpg", { type: "image/jpeg" }), limits);
  const got = new Uint8Array(await sent.arrayBuffer());
  let text = "";
  for (let i = 0; i < got.length; i += 30000) text += String.fromCharCode(...got.subarray(i, i + 30000));
  return btoa(text);
}"""


class Server:
    """A Voila of its own; its settings, log and Jupyter folders lie in one folder."""

    def __init__(self, folder: Path, notebook: Path, settings: dict[str, Any], **env: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "voila.json").write_text(json.dumps(settings))
        voila = settings.get("VoilaConfiguration", {})
        self.pool = voila["default_pool_size"] if voila.get("preheat_kernel") else 0
        self._log = folder / "voila.log"
        own = {
            name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        }
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        command = [sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={port}"]
        with self._log.open("w") as log:
            self._process = psutil.Popen(
                [*command, "--Voila.ip=127.0.0.1", "--Voila.port_retries=0"],
                cwd=folder, env={**os.environ, **own, **env}, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}/"
        try:
            self._wait_for_port(port)
        except BaseException:
            self.stop()
            raise

    def kernels(self) -> list[psutil.Process]:
        """Return the kernel processes."""
        found = []
        for process in self._process.children(recursive=True):
            with suppress(psutil.Error):
                found += [process] * any("ipykernel" in word for word in process.cmdline())
        return found

    def cpu_seconds(self) -> float:
        """Return the processor time that server and kernels have used."""
        used = 0.0
        for process in [self._process, *self.kernels()]:
            with suppress(psutil.Error):
                used += sum(process.cpu_times()[:2])
        return used

    def stop(self) -> None:
        """End the server and every process that it started."""
        if self._process.poll() is not None:
            return
        family = self._process.children(recursive=True)
        self._process.terminate()
        psutil.wait_procs([self._process], timeout=10)
        for process in [self._process, *family]:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs([self._process, *family], timeout=10)

    def _wait_for_port(self, port: int) -> None:
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit(f"Voila did not start. Its last words: {self._log.read_text()[-500:]}")


def wait_until_quiet(servers: Iterable[Server]) -> None:
    """Wait until earlier visitors' kernels are gone, pools are full and nothing computes."""
    deadline = time.monotonic() + TIMEOUT
    used = [-1.0 for _ in servers]
    while time.monotonic() < deadline:
        full = all(len(server.kernels()) == server.pool for server in servers)
        before, used = used, [server.cpu_seconds() for server in servers]
        if full and max(abs(b - a) for a, b in zip(before, used, strict=True)) < 0.05:
            return
        time.sleep(1)
    counts = [len(server.kernels()) for server in servers]
    raise SystemExit(f"The servers were not at rest within {TIMEOUT:.0f} s; kernels: {counts}.")


class Traffic:
    """Counts what a page is sent over a slow line: what it fetches, and what comes over its websockets.

    The browser reports a websocket's frames unpacked. Where the server packs them (with Python's zlib), they
    are packed here the same way to know what was on the line.
    """

    def __init__(self, page: Page) -> None:
        self.sent = self.requests = 0
        self.last = time.monotonic()
        self._packers: dict[str, Any] = {}
        session = page.context.new_cdp_session(page)
        session.on("Network.loadingFinished", self._on_finished)
        session.on("Network.requestWillBeSent", self._on_request)
        session.on("Network.webSocketHandshakeResponseReceived", self._on_handshake)
        session.on("Network.webSocketFrameReceived", self._on_frame)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", LINE)

    def wait_for_rest(self, page: Page) -> None:
        """Let what is still on the line arrive: until 3 s pass without an event, 60 s at most."""
        deadline = time.monotonic() + 60
        while time.monotonic() < min(deadline, self.last + 3):
            page.wait_for_timeout(200)

    def _on_finished(self, event: dict[str, Any]) -> None:
        self.sent += int(event["encodedDataLength"])
        self.last = time.monotonic()

    def _on_request(self, event: dict[str, Any]) -> None:
        self.requests += not event["request"]["url"].startswith(("data:", "blob:"))
        self.last = time.monotonic()

    def _on_handshake(self, event: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
        if "permessage-deflate" in headers.get("sec-websocket-extensions", ""):
            self._packers[event["requestId"]] = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self.requests += 1

    def _on_frame(self, event: dict[str, Any]) -> None:
        frame = event["response"]
        binary = frame["opcode"] == 2
        data = base64.b64decode(frame["payloadData"]) if binary else frame["payloadData"].encode()
        if packer := self._packers.get(event["requestId"]):
            data = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        self.sent += len(data)
        self.last = time.monotonic()


class Visitor:
    """Opens the servers' pages in one browser, and uploads photos."""

    def __init__(self, browser: Browser, servers: dict[str, Server], photos: list[Path]) -> None:
        self.browser, self.servers, self.photos = browser, servers, photos

    @contextmanager
    def open_pages(self) -> Iterator[Callable[[], Page]]:
        """Give a maker of pages; afterwards leave them as a visitor does, so that their kernels end."""
        context = self.browser.new_context(viewport={"width": 1000, "height": 800})
        context.set_default_timeout(TIMEOUT * 1000)
        try:
            yield context.new_page
            for page in context.pages:
                # Voila refuses its own page's farewell without this cookie, and the kernel stays
                context.add_cookies([{"name": "_xsrf", "value": "benchmark", "url": page.url}])
                page.goto("about:blank")
        finally:
            context.close()

    def visit(self, name: str, *, slowly: bool = False) -> dict[str, float]:
        """Open a page in a fresh browser context, and upload photos unless the line is slow."""
        wait_until_quiet(self.servers.values())
        with self.open_pages() as new_page:
            page = new_page()
            traffic = Traffic(page) if slowly else None
            took = {"usable": self._load(page, name)}
            if traffic:
                traffic.wait_for_rest(page)
                took |= {"sent": traffic.sent / 1000, "requests": traffic.requests}
            elif name != EMPTY:
                took |= {word: self._answer(page, name, i) for i, word in enumerate(("first", "second"))}
        return {f"{name}: {what}": number for what, number in took.items()}

    def measure_memory(self, name: str) -> float:
        """Return the kernels' mean unique memory in MB, `VISITORS` being open after one answer each."""
        wait_until_quiet([self.servers[name]])
        with self.open_pages() as new_page:
            for _ in range(VISITORS):
                page = new_page()
                self._load(page, name)
                self._answer(page, name, 0)
            time.sleep(2)
            return mean(kernel.memory_full_info().uss / 1e6 for kernel in self.servers[name].kernels())

    def _load(self, page: Page, name: str) -> float:
        started = time.perf_counter()
        page.goto(self.servers[name].url, wait_until="commit")
        _wait_until(page, USABLE)
        return time.perf_counter() - started

    def _answer(self, page: Page, name: str, number: int) -> float:
        photo = self.photos[number]
        with page.expect_file_chooser() as chooser:
            page.locator(UPLOAD).first.click()
        started = time.perf_counter()
        chooser.value.set_files(photo)
        answered = COURSE_ANSWERED if name == COURSE else ANSWERED
        _wait_until(page, answered, [photo.name, number + 1])
        return time.perf_counter() - started


def _wait_until(page: Page, test: str, given: Any = None, seconds: float = 120) -> None:
    """Ask again and again; Playwright's own waiting evaluates a text, which the page's policy forbids."""
    deadline = time.perf_counter() + seconds
    while not page.evaluate(test, given):
        if time.perf_counter() > deadline:
            raise TimeoutError(f"never true: {test}")
        time.sleep(0.01)


def draw_photo(path: Path, kind: str, size: tuple[int, int], seed: int) -> Path:
    """Draw a shape on a noisy ground and save it as JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(90, 255, (size[1] // 8, size[0] // 8, 3), np.uint8))
    image = coarse.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))
    x, y = (int(rng.uniform(0.3, 0.7) * side) for side in size)
    sides, colour = SHAPES[kind]
    circle = (x, y, int(rng.uniform(0.15, 0.28) * min(size)))
    ImageDraw.Draw(image).regular_polygon(circle, sides, fill=colour)
    grain = rng.normal(0, 6, (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def serve_app(folder: Path, source: str) -> Server:
    """Serve a notebook of one cell with Voila's own settings."""
    folder.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code = nbformat.v4.new_code_cell(source)
    notebook = nbformat.v4.new_notebook(cells=[code], metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "app.ipynb")
    return Server(folder, folder / "app.ipynb", {})


def serve_fastclf(folder: Path, model: Path, preheat: bool) -> Server:
    """Serve fastclf's dashboard as it is shipped, with or without a waiting kernel."""
    settings = serving.read_settings()
    settings["VoilaConfiguration"]["preheat_kernel"] = preheat
    return Server(folder, serving.find_notebook(), settings, FASTCLF_MODEL=str(model))


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Start the browser and end it afterwards."""
    found = os.environ.get("FASTCLF_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@contextmanager
def start_all(folder: Path) -> Iterator[Visitor]:
    """Train, start the servers and the browser; end them all afterwards."""
    from fastclf.training import train

    tell("Training resnet18 at 224 px and the sample's small network ...")
    for number, kind in enumerate(SHAPES):
        for i in range(14):
            draw_photo(folder / "photos" / kind / f"{i}.jpg", kind, (320, 280), 1000 * number + i)
    model, small = folder / "model", folder / "small-model"
    short = {"epochs": 1, "batch_size": 16, "pretrained": False, "quiet": True}
    train(folder / "photos", model, arch="resnet18", size=224, **short)
    train(folder / "photos", small, arch="test_resnet", size=32, **short)
    shutil.copytree(model, folder / COURSE)
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name, start in {
            EMPTY: partial(serve_app, source=EMPTY_APP),
            COURSE: partial(serve_app, source=COURSE_APP),
            COLD: partial(serve_fastclf, model=model, preheat=False),
            PREHEATED: partial(serve_fastclf, model=model, preheat=True),
            SMALL: partial(serve_fastclf, model=small, preheat=False),
        }.items():
            servers[name] = start(folder / name)
            stack.callback(servers[name].stop)
        first, second = (folder / f"{kind}.jpg" for kind in ("circle", "triangle"))
        uploads = [draw_photo(path, path.stem, (1600, 1200), 7) for path in (first, second)]
        yield Visitor(stack.enter_context(open_chromium()), servers, uploads)


def measure_visits(bench: Bench) -> list[Line]:
    """Visit the pages in turn; with --quick the course's app neither warmed up nor over the slow line."""
    names = [EMPTY, COURSE, COLD, PREHEATED]
    some = [name for name in names if name != COURSE or not bench.options.quick]
    with start_all(bench.new_folder()) as visitor:
        tell("Warming up, not counted:")
        alternate(1, {name: partial(visitor.visit, name) for name in some})
        took = alternate(bench.repeats, {name: partial(visitor.visit, name) for name in names})
        throttled = {n: partial(visitor.visit, n, slowly=True) for n in some if n != COLD}
        slow = alternate(bench.repeats, throttled)
        memory = {name: [visitor.measure_memory(name)] for name in (COURSE, COLD, SMALL)}
    return [*compare_opening(took), *compare_slow_line(slow), *compare_memory(memory), *compare_answers(took)]


def compare_opening(took: dict[str, list[float]]) -> list[Line]:
    empty, course, cold, preheated = (took[f"{name}: usable"] for name in (EMPTY, COURSE, COLD, PREHEATED))
    return [
        Line("page usable, cold, s; empty page", cold, empty, at_most=1.3),
        Line("page usable, cold, s; course's app", cold, course, at_most=1 / 6),
        Line("page usable, preheated, s; empty, cold", preheated, empty, at_most=0.75),
        Line("page usable, preheated, s; course's app, cold", preheated, course),
    ]


def compare_slow_line(slow: dict[str, list[float]]) -> list[Line]:
    lines = []
    for key, words, limit in (
        ("usable", "usable at 1 Mbit/s, 100 ms, preheated, s", 5.0),
        ("sent", "sent over that line, kB", 500.0),
        ("requests", "requests over that line", None),
    ):
        ours = slow[f"{PREHEATED}: {key}"]
        lines.append(Line(f"{words}; empty page", ours, slow[f"{EMPTY}: {key}"], limit=limit))
        if theirs := slow.get(f"{COURSE}: {key}"):
            lines.append(Line(f"{words}; course's app", ours, theirs))
        lines.append(Line(f"{words}; Gradio's page, on record", ours, [GRADIO[key]], at_most=1.0))
    return lines


def compare_memory(memory: dict[str, list[float]]) -> list[Line]:
    words = f"unique memory a visitor, mean of {VISITORS}, MB"
    return [
        Line(f"{words}; course's", memory[COLD], memory[COURSE], limit=140),
        Line(f"{words}, sample's network; course's", memory[SMALL], memory[COURSE], limit=100),
    ]


def compare_answers(took: dict[str, list[float]]) -> list[Line]:
    return [
        Line(
            f"upload to {word} answer, {name}, s; course's",
            took[f"{name}: {word}"],
            took[f"{COURSE}: {word}"],
        )
        for word in ("first", "second")
        for name in (COLD, PREHEATED)
    ]


def measure_scaling(bench: Bench) -> list[Line]:
    """Answer about photos as a phone takes them, and as the page's own script sends them."""
    from fastclf.dashboard.classify.photo_drop import LARGEST_SENT, LONGEST_SIDE

    lines = []
    for model, folder in bench.models:
        photos = list_unlearned(model, folder)
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(photos), min(len(photos), bench.count(120)), replace=False)
        with open_chromium() as browser, Predictor(model) as predictor:
            side = int(np.clip(4 * max(predictor.preprocess.input_size[1:]), *LONGEST_SIDE))
            limits = {"sent": LARGEST_SENT, "side": side, "bytes": 20 * 2**20, "photos": 100}
            page = browser.new_page()
            page.goto("about:blank")
            rows = [compare_scaled(page, predictor, photos[i], limits) for i in chosen]
            wide = [compare_scaled(page, predictor, photos[i], limits, build_profile(P3)) for i in chosen]
        what = f"{len(rows)} photos of {folder.name}, {side} px"
        lines += [*list_scaled(what, rows), *list_scaled(f"{what}, tagged Display P3", wide)]
        lines += compare_tagged(rows, wide)
    return lines


def list_scaled(what: str, rows: list[dict[str, Any]]) -> list[Line]:
    got = {key: [row[key] for row in rows] for key in rows[0]}
    same, familiar = ([mean(got[key])] for key in ("same", "familiar"))
    return [
        Line(f"kB sent of {what}; as taken", got["sent"], got["taken"]),
        Line("... largest", [max(got["sent"])], limit=300),
        Line("... share with the same label", same, at_least=0.99),
        Line("... change of probability, median", got["change"], limit=0.01),
        Line("... change of probability, largest", [max(got["change"])]),
        Line("... change of colours the network sees, of 255, median", got["colours"]),
        Line("... share with the same in being unfamiliar", familiar),
    ]


def compare_tagged(rows: list[dict[str, Any]], wide: list[dict[str, Any]]) -> list[Line]:
    """Say what the tag changes at all: were it ignored on one way, the two would differ by as much."""
    pairs = [(one["answer"], other["answer"]) for one, other in zip(rows, wide, strict=True)]
    changes = [abs(one.probs[one.label] - other.probs[one.label]) for one, other in pairs]
    colours = [float(np.abs(a["seen"] - b["seen"]).mean()) for a, b in zip(rows, wide, strict=True)]
    return [
        Line("what the tag changes: share with the same label", [mean(a.label == b.label for a, b in pairs)]),
        Line("... change of probability, median", changes),
        Line("... change of probability, largest", [max(changes)]),
        Line("... change of colours the network sees, of 255, median", colours),
    ]


def compare_scaled(
    page: Page, predictor: Predictor, path: Path, limits: dict[str, int], profile: bytes | None = None
) -> dict[str, Any]:
    from fastclf.dashboard.classify.photo_drop import PhotoDrop

    taken = take_with_a_phone(path, profile)
    script = PhotoDrop._esm
    sent = base64.b64decode(page.evaluate(PREPARE, [script, base64.b64encode(taken).decode(), limits]))
    (one, seen), (other, seen_of_sent) = (ask(predictor, data) for data in (taken, sent))
    return {
        "taken": len(taken) / 1000, "sent": len(sent) / 1000, "same": one.label == other.label,
        "change": abs(one.probs[one.label] - other.probs[one.label]),
        "colours": float(np.abs(seen - seen_of_sent).mean()),
        "familiar": one.unfamiliar == other.unfamiliar, "answer": one, "seen": seen,
    }  # fmt: skip


def ask(predictor: Predictor, data: bytes) -> tuple[Any, np.ndarray]:
    """Return the answer about a photo, and what the network sees of it, in levels of 0 to 255."""
    image = decode_photo(data).image
    return predictor.predict_images([image], [""])[0], 255 * predictor.preprocess(image)


def take_with_a_phone(path: Path, profile: bytes | None = None) -> bytes:
    """Return a photo as 12 megapixels, lying on its side with a note in EXIF which way is up.

    Its numbers mean colours of `profile`.
    """
    image = open_rgb(path)
    width, height = PHONE if image.width >= image.height else PHONE[::-1]
    scale = min(width / image.width, height / image.height)
    size = round(image.width * scale), round(image.height * scale)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = image.resize(size, Image.Resampling.LANCZOS).transpose(Image.Transpose.ROTATE_90)
    return encode(turned, quality=92, exif=exif, icc_profile=profile)


PARTS = {"visits": measure_visits, "scaling": measure_scaling}
PARTS_WITHOUT_DATA = ("visits",)
