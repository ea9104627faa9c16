"""Measure the dashboard's page against an empty Voila page and the course's app, in a real browser."""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from served import (
    COURSE_APP,
    EMPTY_APP,
    TIMEOUT,
    Server,
    build_model,
    draw_photo,
    draw_training_photos,
    serve_fastclf,
    wait_until_quiet,
    write_notebook,
)
from verdicts import compare, print_table, tell

EMPTY, COURSE = "empty", "course"
COLD, PREHEATED, SMALL = "fastclf cold", "fastclf preheated", "fastclf small"
VISITORS = 4
CHROMIUM_ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
    # what a page asks of other hosts fails at once, whether or not this machine is online
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
_BINARY = 2
# Gradio 6.31's classifier page with the same model, over the same line, measured on a 2-core machine
GRADIO = {"usable": 3.1, "sent": 410.0, "requests": 58.0}
# 1 Mbit/s in bytes a second, 100 ms.
LINE = {"offline": False, "latency": 100, "downloadThroughput": 125_000, "uploadThroughput": 125_000}

# The upload button is there, enabled, and on top where a person would click it.
USABLE = """() => [...document.querySelectorAll("button")].some(button => {
    const box = button.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return /Upload|Choose photos/.test(button.textContent) && !button.disabled && button.contains(top);
})"""
UPLOAD = "button:has-text('Upload'), button:has-text('Choose photos')"
ANSWERED = {
    COURSE: """([name, n]) => [...document.querySelectorAll(".widget-label")]
        .some(label => label.textContent.startsWith(name + ":"))""",
    "fastclf": """([name, n]) => document.querySelectorAll(".fastclf-card").length == n""",
}


@dataclass
class Visit:
    """What one visit took: seconds, bytes on the line, requests."""

    usable: float
    answers: list[float]
    sent: int = 0
    requests: int = 0


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

    def _on_handshake(self, event: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
        if "permessage-deflate" in headers.get("sec-websocket-extensions", ""):
            self._packers[event["requestId"]] = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self.requests += 1

    def _on_frame(self, event: dict[str, Any]) -> None:
        frame = event["response"]
        data = frame["payloadData"].encode()
        if frame["opcode"] == _BINARY:
            data = base64.b64decode(data)
        if packer := self._packers.get(event["requestId"]):
            data = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        self.sent += len(data)
        self.last = time.monotonic()

    def _on_request(self, event: dict[str, Any]) -> None:
        if not event["request"]["url"].startswith(("data:", "blob:")):
            self.requests += 1
        self.last = time.monotonic()


class Bench:
    """Servers, browser and photos of one run."""

    def __init__(self, browser: Browser, servers: dict[str, Server], photos: list[Path]) -> None:
        self.browser = browser
        self.servers = servers
        self.photos = photos

    @contextmanager
    def open_pages(self) -> Iterator[Any]:
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

    def visit(self, name: str, throttled: bool = False) -> Visit:
        """Open a page in a fresh browser context, and upload photos unless the line is slow."""
        wait_until_quiet(list(self.servers.values()))
        with self.open_pages() as new_page:
            page = new_page()
            traffic = Traffic(page) if throttled else None
            visit = self._load(page, name)
            if traffic:
                traffic.wait_for_rest(page)
                visit.sent, visit.requests = traffic.sent, traffic.requests
            elif name != EMPTY:
                visit.answers = [self._answer(page, name, i) for i in range(len(self.photos))]
        line = " throttled" if throttled else ""
        tell(f"{name}{line}: usable {visit.usable:.2f} s, answers {[round(s, 2) for s in visit.answers]}")
        return visit

    def measure_memory(self, name: str) -> list[float]:
        """Return each kernel's unique memory in MB, `VISITORS` being open after one answer each."""
        server = self.servers[name]
        wait_until_quiet([server])
        with self.open_pages() as new_page:
            for _ in range(VISITORS):
                page = new_page()
                self._load(page, name)
                self._answer(page, name, 0)
            time.sleep(2)
            sizes = [kernel.memory_full_info().uss / 1e6 for kernel in server.kernels()]
        tell(f"{name}: {', '.join(f'{size:.0f}' for size in sizes)} MB")
        return sizes

    def _load(self, page: Page, name: str) -> Visit:
        started = time.perf_counter()
        page.goto(self.servers[name].url, wait_until="commit")
        page.wait_for_function(USABLE)
        return Visit(time.perf_counter() - started, [])

    def _answer(self, page: Page, name: str, number: int) -> float:
        photo = self.photos[number]
        with page.expect_file_chooser() as chooser:
            page.locator(UPLOAD).first.click()
        started = time.perf_counter()
        chooser.value.set_files(photo)
        page.wait_for_function(ANSWERED[name.split()[0]], arg=[photo.name, number + 1])
        return time.perf_counter() - started


@contextmanager
def start_bench() -> Iterator[Bench]:
    """Train, start the servers and the browser; end them all afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastclf-benchmark-")))
        tell("Training resnet18 at 224 px and the sample's small network ...")
        photos = draw_training_photos(folder / "photos")
        model = build_model(photos, folder / "model", "resnet18", 224)
        small = build_model(photos, folder / "small-model", "test_resnet", 32)
        shutil.copytree(model, folder / COURSE)
        notebooks = {
            name: write_notebook(folder / name / "app.ipynb", source)
            for name, source in ((EMPTY, EMPTY_APP), (COURSE, COURSE_APP))
        }
        servers = {}
        for name, notebook in notebooks.items():
            servers[name] = Server(folder / name, notebook)
            stack.callback(servers[name].stop)
        for name, bundle in ((COLD, model), (PREHEATED, model), (SMALL, small)):
            servers[name] = serve_fastclf(folder / name, bundle, preheat=name == PREHEATED)
            stack.callback(servers[name].stop)
        uploads = [
            draw_photo(folder / "first.jpg", "circle", (1600, 1200), 7),
            draw_photo(folder / "second.jpg", "triangle", (1600, 1200), 8),
        ]
        playwright = stack.enter_context(sync_playwright())
        found = os.environ.get("FASTCLF_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        stack.callback(browser.close)
        yield Bench(browser, servers, uploads)


def measure(bench: Bench, repeats: int, quick: bool) -> dict[str, Any]:
    """Visit the pages in turn, `repeats` times over, and return the raw numbers."""
    names = [EMPTY, COURSE, COLD, PREHEATED]
    slow_names = [EMPTY, PREHEATED] if quick else [EMPTY, COURSE, PREHEATED]
    for name in [EMPTY, COLD, PREHEATED] if quick else names:
        tell("Warming up, not counted:")
        bench.visit(name)
    raw: dict[str, Any] = {"open": {n: [] for n in names}, "throttled": {n: [] for n in slow_names}}
    for kind in raw:
        for _ in range(repeats):
            for name, visits in raw[kind].items():
                visits.append(asdict(bench.visit(name, throttled=kind == "throttled")))
    raw["memory"] = {name: bench.measure_memory(name) for name in (COURSE, COLD, SMALL)}
    return raw


def judge(raw: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return the table's rows: what, baseline, fastclf, ratio, verdict."""
    usable = {n: median(v["usable"] for v in visits) for n, visits in raw["open"].items()}
    rows = [
        compare("page usable, cold, s; empty page", usable[EMPTY], usable[COLD], at_most=1.3),
        compare("page usable, cold, s; course's app", usable[COURSE], usable[COLD], at_most=1 / 6),
        compare("page usable, preheated, s; empty, cold", usable[EMPTY], usable[PREHEATED], at_most=0.75),
        compare("page usable, preheated, s; course's app, cold", usable[COURSE], usable[PREHEATED]),
    ]
    slow = raw["throttled"]
    for key, words, scale, limit in (
        ("usable", "usable at 1 Mbit/s, 100 ms, preheated, s", 1, 5.0),
        ("sent", "sent over that line, kB", 1e-3, 500.0),
        ("requests", "requests over that line", 1, None),
    ):
        got = {n: scale * median(v[key] for v in visits) for n, visits in slow.items()}
        for name, baseline in [(n, v) for n, v in got.items() if n != PREHEATED]:
            label = "empty page" if name == EMPTY else "course's app"
            bound = limit if name == EMPTY else None
            rows.append(compare(f"{words}; {label}", baseline, got[PREHEATED], limit=bound))
        rows.append(compare(f"{words}; Gradio's page, on record", GRADIO[key], got[PREHEATED], at_most=1.0))
    memory = {n: mean(sizes) for n, sizes in raw["memory"].items()}
    words = f"unique memory a visitor, mean of {VISITORS}, MB"
    rows.append(compare(f"{words}; course's", memory[COURSE], memory[COLD], limit=140))
    rows.append(compare(f"{words}, sample's network; course's", memory[COURSE], memory[SMALL], limit=100))
    for number, words in enumerate(("first", "second")):
        took = {n: median(v["answers"][number] for v in raw["open"][n]) for n in (COURSE, COLD, PREHEATED)}
        for name in (COLD, PREHEATED):
            what = f"upload to {words} answer, {name.split()[1]}, s; course's"
            rows.append(compare(what, took[COURSE], took[name]))
    return rows


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="visits of each page (default: 3)")
    parser.add_argument("--quick", action="store_true", help="one visit each, the course's app once")
    parser.add_argument("--json", type=Path, help="file for the raw numbers")
    args = parser.parse_args()
    # ending the run by a signal ends the servers too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with start_bench() as bench:
        raw = measure(bench, 1 if args.quick else max(1, args.repeats), args.quick)
    if args.json:
        args.json.write_text(json.dumps(raw, indent=1))
    print_table(["what; baseline", "baseline", "fastclf", "ratio", "verdict"], judge(raw))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
