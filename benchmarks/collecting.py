"""Collecting 1,000 addresses, one in ten faulty, against fetching and decoding alone, and fastai's way.

The photos of DATA are served, scaled to `--side` pixels, by a local server in a process of its own.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.request import ProxyHandler, build_opener

from PIL import Image

from .harness import Bench, Line, alternate, encode, find_photos, for_each_folder, open_rgb

DATA = "folders with one sub-folder per class; they are only read"
PARALLEL, KEPT_SIDE = 16, 640


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--side", type=int, default=1600, help="longer side of the served photos (default: 1600)"
    )
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer (default: 0)")
    parser.add_argument("--count", type=int, default=1000, help="addresses (default: 1000)")


def serve(folder: Path, count: int, side: int, delay: float, pipe: Any) -> None:
    """Serve `count` addresses until told to end; every tenth is faulty, each in its own way."""
    from tests.collect import web as behave

    files = find_photos(folder)
    step = max(1, len(files) // count)
    with behave.Web() as web:
        web.delay = delay
        urls = []
        for i in range(count):
            data = scale(files[i * step % len(files)], side, i)
            faults = [
                behave.status(404), behave.status(403), behave.html(), behave.truncated(data),
                behave.huge_dimensions(), behave.wrong_length(data, 2 * len(data)), behave.reset(),
                behave.redirect("http://10.255.255.1/a.jpg"), behave.redirect(f"/{i}.jpg"),
                behave.status(200),
            ]  # fmt: skip
            one = (
                web.photo(f"/{i}.jpg", data)
                if i % 10
                else web.add(f"/{i}.jpg", faults[i // 10 % len(faults)])
            )
            urls.append(one)
        pipe.send((web.address, urls))
        pipe.recv()


def scale(file: Path, side: int, number: int) -> bytes:
    """Return a photo as a JPEG with a longer side of `side` pixels; `number` makes its picture its own."""
    image = open_rgb(file)
    factor = side / max(image.size)
    image = image.resize((round(image.width * factor), round(image.height * factor)))
    image.paste((number % 256, number // 256, 0), (0, 0, 64, 64))
    return encode(image, quality=88)


def fetch_and_decode(urls: list[str], out: Path) -> int:
    """Fetch with the standard library and decode, nothing else: no way can do without."""
    opener = build_opener(ProxyHandler({}))

    def one(url: str) -> bool:
        try:
            data = opener.open(url, timeout=10).read()
            Image.open(io.BytesIO(data)).convert("RGB")
        except Exception:  # noqa: BLE001 - whatever fails, fails
            return False
        return True

    with ThreadPoolExecutor(PARALLEL) as pool:
        return sum(pool.map(one, urls))


def collect(urls: list[str], out: Path, *, address: tuple[str, int], whole: bool) -> int:
    """Fetch, judge, scale, store and record; with `whole` the catalog takes the photos in as well.

    That is what every collection ends with: hashes, thumbnails and measures for the check and the Clean tab.
    """
    from fastclf.collect import run
    from fastclf.collect.web import AddressRule

    rule = AddressRule(allow=frozenset({address}))
    found = [{"url": url} for url in urls]
    with mock.patch.object(run, "_scan", run._scan if whole else lambda _: None):
        report = run.collect_urls(
            out / "bear", found, parallel=PARALLEL, per_host=PARALLEL, seconds=10.0, largest_side=KEPT_SIDE,
            rule=rule, bars=False,
        )  # fmt: skip
    count = report.classes["bear"]
    if count.found != len(urls) or count.waiting:
        raise SystemExit(f"not all are accounted for: {count}")
    return count.stored


def collect_as_fastai(urls: list[str], out: Path) -> int:
    """Call fastai's download_images, verify_images and resize_images."""
    from fastai.vision.utils import download_images, get_image_files, resize_images, verify_images

    download_images(out, urls=urls, n_workers=PARALLEL, timeout=10)
    for failed in verify_images(get_image_files(out)):
        failed.unlink()
    resize_images(out, max_size=KEPT_SIDE, dest=out)
    return len(get_image_files(out))


def measure_urls(bench: Bench, source: Path) -> list[Line]:
    """Collect all addresses in each way, in turn."""
    import fastai.vision.utils

    import fastclf.collect.gather  # noqa: F401

    options, count = bench.options, bench.count(bench.options.count)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    args = (source, count, options.side, options.delay, theirs)
    server = context.Process(target=serve, args=args, daemon=True)
    server.start()
    address, urls = ours.recv()

    def take(name: str, way: Callable[[list[str], Path], int]) -> dict[str, float]:
        out = bench.new_folder()
        started = time.perf_counter()
        stored = way(urls, out)
        took = time.perf_counter() - started
        shutil.rmtree(out)
        return {name: took, f"{name}: photos": stored}

    ways: dict[str, Callable[[list[str], Path], int]] = {
        "alone": fetch_and_decode,
        "record": partial(collect, address=address, whole=False),
        "scanned": partial(collect, address=address, whole=True),
        "fastai": collect_as_fastai,
    }
    took = alternate(bench.repeats, {name: partial(take, name, way) for name, way in ways.items()})
    ours.send(None)
    server.join(5)
    alone, fastai = took["alone"], took["fastai"]
    words = f"{count:,} addresses of {source.name}, {options.side} px, {options.delay:g} s delay"
    return [
        Line(f"{words}, to the record, s; fetching and decoding alone", took["record"], alone, at_most=1.3),
        Line("... scanned as well, s; alone", took["scanned"], alone),
        Line("... to the record, s; fastai", took["record"], fastai),
        Line("... scanned as well, s; fastai", took["scanned"], fastai),
        Line("... photos stored; alone", took["scanned: photos"], took["alone: photos"]),
        Line("... photos stored; fastai", took["scanned: photos"], took["fastai: photos"]),
    ]


PARTS = {"urls": for_each_folder(measure_urls)}
