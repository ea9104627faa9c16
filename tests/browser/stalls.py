"""What a page, its server and its kernels were doing when a test stood still: written into the report of the failure."""

from __future__ import annotations

import json
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Error, Page

# of a browser's processes there are many; of a log the end tells what is wanted
_MOST_LETTERS = 20_000

# Where a process that a test starts finds `sitecustomize`.
ON_SIGNAL = Path(__file__).parent / "on_signal"

# Keeps the last of what a page sent, heard and was clicked with; pictures are not kept.
_RECORDER = """(() => {
    const kept = window.fastclfHeard = [];
    const note = (...what) => {
        kept.push([Math.round(performance.now()), ...what]);
        if (kept.length > 300) kept.shift();
    };
    const decoder = new TextDecoder();
    const read = (data) => {
        if (!(data instanceof ArrayBuffer)) data = data.buffer || new ArrayBuffer(0);
        const view = new DataView(data);
        const at = (i) => Number(view.getBigUint64(8 * i, true));
        const part = (i) => JSON.parse(decoder.decode(new Uint8Array(data, at(i), at(i + 1) - at(i))));
        const header = part(2), parent = part(3);
        const content = at(6) - at(5) < 5000 ? JSON.stringify(part(5)).slice(0, 200) : "";
        return [header.msg_type, header.msg_id, parent.msg_id || "", content];
    };
    const safely = (data) => { try { return read(data); } catch (e) { return [String(e)]; } };
    window.WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            note("socket", this.url);
            this.addEventListener("open", () => note("open"));
            this.addEventListener("close", ({ code }) => note("closed", code));
            this.addEventListener("message", ({ data }) => note("heard", ...safely(data)));
        }
        send(data) {
            note("sent", this.readyState, ...safely(data));
            super.send(data);
        }
    };
    for (const type of ["pointerdown", "pointerup", "click", "keydown", "fastclf-language", "fastclf-ready"]) {
        const say = ({ target, key, detail }) => target.nodeName
            ? `${target.nodeName} ${key || ""} ${target.className || ""} ${(target.innerText || "").slice(0, 40)}` : String(detail);
        addEventListener(type, (event) => note(type, say(event)), true);
    }
    addEventListener("error", ({ message }) => note("error", message));
    addEventListener("unhandledrejection", ({ reason }) => note("rejected", String(reason)));
})();"""

# Messages that nothing was heard about, and those that the kernel has not said to be done with.
_PENDING = """() => {
    const kept = window.fastclfHeard || [];
    const done = new Set(kept.filter((e) => e[1] === "heard" && e[5]?.includes('"idle"')).map((e) => e[4]));
    const known = new Set(kept.filter((e) => e[1] === "heard").map((e) => e[4]));
    const sent = kept.filter((e) => e[1] === "sent");
    const models = sent.filter((e) => !done.has(e[4]));
    return {
        now: Math.round(performance.now()), address: location.href, hidden: document.hidden,
        unheard: sent.filter((e) => !known.has(e[4])), undone: models, last: kept.slice(-80),
    };
}"""


class Watched:
    """The pages and servers of a worker's tests."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.servers: dict[str, Any] = {}

    def watch(self, page: Page) -> Page:
        """Take note of a page before it is opened."""
        self.pages = [*(p for p in self.pages if not p.is_closed()), page]
        page.add_init_script(_RECORDER)
        return page

    def tell(self) -> str:
        """Return what the open pages and their servers are doing."""
        pages = [page for page in self.pages if not page.is_closed()]
        roots = {root for page in pages for root in self.servers if page.url.startswith(root)}
        told = [_tell_page(page) for page in pages]
        told += [_tell_server(self.servers[root]) for root in roots]
        return "\n\n".join(told)


WATCHED = Watched()


def _tell_page(page: Page) -> str:
    try:
        found = page.evaluate(_PENDING)
    except Error as e:
        return f"{page.url} does not answer: {e.message}"
    lines = [f"{page.url} at {found['now']} ms"]
    for name in ("unheard", "undone", "last"):
        lines += [f"{name}:", *(json.dumps(entry) for entry in found[name])]
    return "\n".join(lines)


def _tell_server(server: Any) -> str:
    log = server.folder / "server.log"
    size = log.stat().st_size
    processes = [server.process, *server.find_kernels()]
    for process in processes:
        _signal(process, signal.SIGUSR1)
        time.sleep(0.3)  # or one would write into the lines of another
    _signal(server.process, signal.SIGUSR2)
    for child in server.process.children():
        _signal(child, signal.SIGUSR2)
    time.sleep(1)
    names = "\n".join(f"{p.pid}: {_name(p)}" for p in server.process.children(recursive=True))
    with log.open(errors="replace") as file:
        before = file.read(size)[-3000:]
        return f"{server.url}\n{names}\n{before}\n--- now\n{file.read()[:_MOST_LETTERS]}"


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{process.status()} {process.cpu_times().user:.1f} s {' '.join(process.cmdline())[-90:]}"
    return "over"


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)
