"""What a session on Binder takes, by both ways in: Voila as an extension, and a proxy before `fastclf serve`.

DATA is an environment that Binder's steps made: the Jupyter packages of repo2docker's own environment, then
`pip install -r .binder/requirements.txt`, and `jupyter-server-proxy` for the second way.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS, find_chromium
from tests.conftest import ROOT

from .harness import Bench, Line, alternate

DATA = "ENVIRONMENT: a folder with bin/jupyter, made by Binder's steps"
EXTENSION, PROXY = "extension", "proxy"
PAGES = {EXTENSION: "voila/render/dashboard.ipynb", PROXY: "fastclf/"}
BASE, TOKEN = "/user/ann/", "token"
SETTLED = 2.0
READY, ANSWER = ".fastclf-drop .fastclf-primary", ".fastclf-card h3, .fastclf-card [role=heading]"


def build_session(folder: Path, way: str) -> Path:
    """Lay out what a session's folder holds; return that of Jupyter's settings."""
    for name in ("dashboard.ipynb", "voila.json"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / ".binder" / "model", folder / "model")
    settings = json.loads((ROOT / "fastclf" / "server" / "jupyter_server_config.json").read_text())
    if way == PROXY:
        # the proxy passes the session's own name, which is not known beforehand
        command = ["fastclf", "serve", "model", "--port", "{port}", "--host", "0.0.0.0"]
        command += ["--base-url", "{base_url}fastclf/"]
        settings["ServerProxy"] = {
            "servers": {"fastclf": {"command": command, "absolute_url": True, "timeout": 60}}
        }
    (folder / "etc").mkdir()
    (folder / "etc" / "jupyter_server_config.json").write_text(json.dumps(settings))
    return folder / "etc"


@contextmanager
def run_session(bench: Bench, way: str) -> Iterator[tuple[psutil.Process, str]]:
    """Start Jupyter as Binder does; yields it and the address of its page."""
    folder, environment = bench.new_folder(), bench.folders[0] / "bin"
    etc = build_session(folder, way)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "JUPYTER_PATH")}
    env |= {"PATH": f"{environment}{os.pathsep}{env['PATH']}", "HOME": str(folder)}
    command = [
        str(environment / "jupyter"), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", f"--ServerApp.base_url={BASE}", f"--IdentityProvider.token={TOKEN}",
    ]  # fmt: skip
    env["JUPYTER_CONFIG_PATH"] = str(etc)
    with (folder / "log").open("wb") as log:
        process = psutil.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.02)
        yield process, f"http://127.0.0.1:{port}{BASE}{PAGES[way]}?token={TOKEN}"
    finally:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        for left in psutil.wait_procs(family, timeout=15)[1]:
            left.kill()


def measure_memory(process: psutil.Process) -> float:
    """Return the session's memory in MB: what its processes share counts once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):
            total += one.memory_full_info().pss
    return total / 1e6


def open_page(browser: Browser, address: str) -> tuple[Page, float]:
    """Open the page as a new visitor; return the seconds until photos can be chosen, too."""
    page = browser.new_context().new_page()
    started = time.perf_counter()
    page.goto(address, timeout=120_000)
    page.locator(READY).wait_for(timeout=120_000)
    return page, time.perf_counter() - started


def visit(bench: Bench, browser: Browser, way: str) -> dict[str, float]:
    """Start a session, open its page, have a photo answered, open it once more."""
    with run_session(bench, way) as (process, address):
        page, first = open_page(browser, address)
        with page.expect_file_chooser() as chooser:
            page.locator(READY).click()
        chooser.value.set_files([str(ROOT / ".binder" / "model" / "examples" / "example-3.jpg")])
        page.locator(ANSWER).first.wait_for(timeout=60_000)
        time.sleep(SETTLED)
        memory = measure_memory(process)
        page.context.close()
        page, again = open_page(browser, address)
        page.context.close()
    return {f"{way} first": first, f"{way} again": again, f"{way} memory": memory}


def measure_ways(bench: Bench) -> list[Line]:
    """Compare both ways in; the baseline is the proxy."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        ways = {way: partial(visit, bench, browser, way) for way in PAGES}
        took = alternate(bench.repeats, ways)
        browser.close()

    def compare(words: str, key: str, limit: float | None = None) -> Line:
        return Line(f"{words}; by the proxy", took[f"{EXTENSION} {key}"], took[f"{PROXY} {key}"], limit=limit)

    return [
        compare("first page of a session, s", "first"),
        compare("page once more, s", "again"),
        compare("memory of a session after an answer, MB", "memory", 300),
    ]


PARTS = {"ways": measure_ways}
