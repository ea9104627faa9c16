"""Dashboards that run: a folder laid out like a checkout, and a server in it, started as people do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page

from ..conftest import ROOT
from .stalls import ON_SIGNAL, WATCHED

# `fastclf serve`, Voila on its own, and Voila as an extension of a Jupyter server, as on Binder
MODES = ["serve", "voila", "extension"]
# `fastclf serve` starts Voila, so what holds there holds for Voila on its own: the matrix has both
MODES_TO_SEE = [pytest.param(mode, marks=pytest.mark.thorough) if mode == "voila" else mode for mode in MODES]
COLD = {"preheat_kernel": False}


@dataclass(frozen=True)
class Server:
    """A running server, and the address of one of its pages."""

    url: str
    process: psutil.Process
    folder: Path

    def __post_init__(self) -> None:
        WATCHED.servers[self.root] = self

    @property
    def root(self) -> str:
        return self.url.split("voila/")[0]

    def find_kernels(self, kernel_id: str = "") -> list[psutil.Process]:
        """The processes of its kernels, or of one; none that is ending."""
        found = []
        for process in self.process.children(recursive=True):
            try:
                words = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if "ipykernel" in words and kernel_id in words:
                found.append(process)
        return found


def build_checkout(
    folder: Path,
    *,
    model: Path | None = None,
    photos: Path | None = None,
    code: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Lay a folder out like a checkout: with a model, photos, a notebook of the test's own, settings of Voila."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("dashboard.ipynb", "train.ipynb", "voila.json"):
        shutil.copy(ROOT / name, folder)
    if model:
        shutil.copytree(model, folder / "model")
    if photos:
        shutil.copytree(photos, folder / "photos" / photos.name)
    if code:
        write_notebook(folder / "dashboard.ipynb", code)
    if settings:
        whole = json.loads((folder / "voila.json").read_text())
        whole["VoilaConfiguration"].update(settings)
        (folder / "voila.json").write_text(json.dumps(whole))
    return folder


def write_notebook(path: Path, code: str) -> None:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": code,
        "outputs": [],
        "execution_count": None,
    }
    metadata = {"kernelspec": kernel, "title": "A small page"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [cell]}
    path.write_text(json.dumps(notebook), encoding="utf-8")


def start(
    mode: str, folder: Path, options: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Server:
    """Start the dashboard in one of the three ways that people do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, env = f"http://127.0.0.1:{port}/", {**os.environ, **(env or {})}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ON_SIGNAL), env.get("PYTHONPATH"))))
    if mode == "serve":
        command = ["fastclf", "serve", "model"]
    elif mode == "voila":
        command = ["voila", "dashboard.ipynb", "--no-browser"]
    else:
        # as Binder does it: with the file that postBuild installs
        (folder / "etc").mkdir()
        shutil.copy(ROOT / "fastclf" / "server" / "jupyter_server_config.json", folder / "etc")
        env["JUPYTER_CONFIG_PATH"] = str(folder / "etc")
        command = [
            "jupyter", "server", "--no-browser", "--IdentityProvider.token=", "--allow-root",
            "--ServerApp.jpserver_extensions={'voila.server_extension': True}",
        ]  # fmt: skip
        url += "voila/render/dashboard.ipynb"
    command = [sys.executable, "-m", *command, f"--port={port}", *options]
    with (folder / "server.log").open("wb") as log:
        process = psutil.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return Server(url, process, folder)
        time.sleep(0.1)
    with suppress(psutil.NoSuchProcess):
        process.kill()
    pytest.fail(f"The server did not start:\n{(folder / 'server.log').read_text()}")


def stop(process: psutil.Process) -> list[psutil.Process]:
    """Stop a server as an operating system does; return which of its processes stayed."""
    family = process.children(recursive=True)
    process.terminate()
    process.wait(15)
    _, alive = psutil.wait_procs(family, timeout=15)
    for left in alive:
        left.kill()
    return alive


def fetch(url: str) -> tuple[int, bytes]:
    """GET a URL exactly as it is written; return status and body."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def read_kernel(page: Page) -> str:
    """Return the id of the kernel behind a page."""
    return json.loads(page.locator("#jupyter-config-data").text_content() or "")["kernelId"]


def on_the_wire(script: str) -> str:
    """Return a page's function with `openSocket`, and with the client's own `pack`, `unpack`, `makeMessage`."""
    wire = (ROOT / "page" / "src" / "wire.js").read_text(encoding="utf-8").replace("export ", "")
    return f"""async (argument) => {{
        {wire}
        const openSocket = async (path) => {{
            const socket = new WebSocket(`ws://${{location.host}}${{path}}`, [PROTOCOL]);
            socket.binaryType = "arraybuffer";
            await new Promise((done, fail) => {{ socket.onopen = done; socket.onerror = fail; }});
            return socket;
        }};
        return await ({script})(argument);
    }}"""


def wait_until(check: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert check()
