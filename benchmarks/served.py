"""What the page benchmark opens: models trained on drawn photos, three notebooks, and their Voila servers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw, ImageFilter

from fastclf.server import run as serving

TIMEOUT = 180.0
_COLOURS = {"circle": "firebrick", "square": "steelblue", "triangle": "seagreen"}

EMPTY_APP = """
import ipywidgets as widgets
widgets.VBox([widgets.FileUpload(), widgets.Button(description="Classify")])
"""

# The course's app with today's ipywidgets; the label names the file, so that a second answer shows.
COURSE_APP = """
from fastai.vision.all import *
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
widgets.VBox([btn_upload, out_pl, lbl_pred])
"""


def draw_photo(path: Path, kind: str, size: tuple[int, int], seed: int) -> Path:
    """Draw a shape on a noisy ground and save it as JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(90, 255, (size[1] // 8, size[0] // 8, 3), np.uint8))
    image = coarse.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))
    x, y = (int(rng.uniform(0.3, 0.7) * side) for side in size)
    r = int(rng.uniform(0.15, 0.28) * min(size))
    draw, colour = ImageDraw.Draw(image), _COLOURS[kind]
    if kind == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif kind == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=colour)
    else:
        draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)
    grain = rng.normal(0, 6, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "JPEG", quality=90)
    return path


def draw_training_photos(folder: Path, each: int = 14) -> Path:
    """Draw a folder a shape."""
    for k, kind in enumerate(_COLOURS):
        for i in range(each):
            draw_photo(folder / kind / f"{i}.jpg", kind, (320, 280), 1000 * k + i)
    return folder


def build_model(photos: Path, out: Path, arch: str, size: int) -> Path:
    """Train one epoch from scratch; the bundle holds the Learner as export.pkl too."""
    from fastclf.training import build_dls, build_learner, export_bundle, fit, load_data, plan_phases

    data = load_data(photos)
    dls = build_dls(data, size, pretrained=False, batch_size=16)
    learn = build_learner(dls, arch, pretrained=False)
    fit(learn, plan_phases(1, pretrained=False), quiet=True)
    return export_bundle(learn, data, out, arch=arch, title="Shapes").path


def write_notebook(path: Path, source: str) -> Path:
    """Write a notebook with one code cell."""
    cell = {"cell_type": "code", "id": "app", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": [{**cell, "source": source.strip()}],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))
    return path


class Server:
    """A Voila of its own.

    Parameters
    ----------
    folder
        Where it runs: its settings, log and Jupyter folders.
    notebook
        What it serves.
    settings
        Its voila.json; None leaves Voila's own settings.
    pool
        How many preheated kernels wait when nobody visits.
    env
        More environment variables.
    """

    def __init__(
        self,
        folder: Path,
        notebook: Path,
        settings: dict[str, Any] | None = None,
        pool: int = 0,
        env: dict[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if settings is not None:
            (folder / "voila.json").write_text(json.dumps(settings))
        self.pool = pool
        self._log = folder / "voila.log"
        places = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        own = {name: str(folder / name) for name in places}
        port = _find_free_port()
        command = [sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={port}"]
        with self._log.open("w") as log:
            self._child = subprocess.Popen(
                [*command, "--Voila.ip=127.0.0.1", "--Voila.port_retries=0"],
                cwd=folder, env={**os.environ, **own, **(env or {})}, stdout=log, stderr=log,
            )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}/"
        self._process = psutil.Process(self._child.pid)
        try:
            self._wait_for_port(port)
        except BaseException:
            self.stop()
            raise

    def kernels(self) -> list[psutil.Process]:
        """Return the kernel processes."""
        found = []
        for process in self._process.children(recursive=True):
            try:
                if any("ipykernel" in word for word in process.cmdline()):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return found

    def cpu_seconds(self) -> float:
        """Return the processor time that server and kernels have used."""
        used = 0.0
        for process in [self._process, *self.kernels()]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += times.user + times.system
        return used

    def stop(self) -> None:
        """End the server and every process that it started."""
        if self._child.poll() is not None:
            return
        family = self._process.children(recursive=True)
        self._child.terminate()
        psutil.wait_procs([self._process], timeout=10)
        for process in [self._process, *family]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=10)
        self._child.wait()

    def _wait_for_port(self, port: int) -> None:
        deadline = time.monotonic() + 60
        while self._child.poll() is None and time.monotonic() < deadline:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit(f"Voila did not start. Its last words: {self._log.read_text()[-500:]}")


def serve_fastclf(folder: Path, model: Path, preheat: bool) -> Server:
    """Serve fastclf's dashboard as it is shipped, with or without a waiting kernel."""
    settings = serving.read_settings()
    settings["VoilaConfiguration"]["preheat_kernel"] = preheat
    pool = settings["VoilaConfiguration"]["default_pool_size"] if preheat else 0
    return Server(folder, serving.find_notebook(), settings, pool, {"FASTCLF_MODEL": str(model)})


def wait_until_quiet(servers: list[Server]) -> None:
    """Wait until earlier visitors' kernels are gone, pools are full and nothing computes."""
    deadline = time.monotonic() + TIMEOUT
    used = [-1.0]
    while time.monotonic() < deadline:
        full = all(len(server.kernels()) == server.pool for server in servers)
        before, used = used, [server.cpu_seconds() for server in servers]
        if full and max(abs(b - a) for a, b in zip(before, used, strict=False)) < 0.05:
            return
        time.sleep(1)
    counts = [len(server.kernels()) for server in servers]
    raise SystemExit(f"The servers were not at rest within {TIMEOUT:.0f} s; kernels: {counts}.")


def _find_free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
