"""Collecting 1,000 addresses, one in ten faulty, against fetching and decoding alone, and fastai's way.

Usage: python benchmarks/collecting.py FOLDER [--side 1600] [--delay 0] [--count 1000] [--rounds 3].
The photos of FOLDER are served, scaled to `side` pixels, by a local server in a process of its own; every
round runs all ways, in turn.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.request import ProxyHandler, build_opener

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

PARALLEL = 16
SIDE = 640
FAULTS = ("missing", "forbidden", "page", "cut", "huge", "short", "reset", "private", "redirected", "empty")


def serve(folder: str, count: int, side: int, delay: float, pipe: Any) -> None:
    """Serve `count` addresses until told to end; every tenth is faulty, each in its own way."""
    from tests.collect import web as behave

    files = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    step = max(1, len(files) // count)
    with behave.Web() as web:
        web.delay = delay
        urls = []
        for i in range(count):
            data = scale(files[i * step % len(files)], side, i)
            if i % 10:
                urls.append(web.photo(f"/{i}.jpg", data))
                continue
            kind = FAULTS[i // 10 % len(FAULTS)]
            behaviour = {
                "missing": behave.status(404),
                "forbidden": behave.status(403),
                "page": behave.html(),
                "cut": behave.truncated(data),
                "huge": behave.huge_dimensions(),
                "short": behave.wrong_length(data, 2 * len(data)),
                "reset": behave.reset(),
                "private": behave.redirect("http://10.255.255.1/a.jpg"),
                "redirected": behave.redirect(f"/{i}-loop.jpg"),
                "empty": behave.status(200),
            }[kind]
            if kind == "redirected":
                web.add(f"/{i}-loop.jpg", behaviour)
            urls.append(web.add(f"/{i}.jpg", behaviour))
        pipe.send((web.address, urls))
        pipe.recv()


def scale(file: Path, side: int, number: int) -> bytes:
    """Return a photo as a JPEG with a longer side of `side` pixels; `number` makes its picture its own."""
    image = Image.open(file).convert("RGB")
    factor = side / max(image.size)
    image = image.resize((round(image.width * factor), round(image.height * factor)))
    image.paste((number % 256, number // 256, 0), (0, 0, 64, 64))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def fetch_and_decode(urls: list[str], out: Path, **_: Any) -> int:
    """The floor: fetch with the standard library and decode, nothing else."""
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


def collect(urls: list[str], out: Path, address: tuple[str, int], *, whole: bool = True) -> int:
    """Ours: fetched, judged, scaled, stored, recorded; with `whole` the catalog takes the photos in as well.

    That is what every collection ends with: hashes, thumbnails and measures for the check and the Clean tab.
    """
    from fastclf.collect import run
    from fastclf.collect.web import AddressRule

    rule = AddressRule(allow=frozenset({address}))
    with mock.patch.object(run, "_scan", run._scan if whole else lambda _: None):
        report = run.collect_urls(
            out / "photos" / "bear",
            [{"url": url} for url in urls],
            parallel=PARALLEL,
            per_host=PARALLEL,
            seconds=10.0,
            largest_side=SIDE,
            rule=rule,
            bars=False,
        )
    count = report.classes["bear"]
    if count.found != len(urls) or count.waiting:
        raise SystemExit(f"not all are accounted for: {count}")
    return count.stored


def fastai_way(urls: list[str], out: Path, **_: Any) -> int:
    """fastai's download_images, verify_images and resize_images."""
    from fastai.vision.utils import download_images, get_image_files, resize_images, verify_images

    folder = out / "fastai"
    download_images(folder, urls=urls, n_workers=PARALLEL, timeout=10)
    for failed in verify_images(get_image_files(folder)):
        failed.unlink()
    resize_images(folder, max_size=SIDE, dest=folder)
    return len(get_image_files(folder))


def measure(way: Callable[..., int], urls: list[str], address: tuple[str, int]) -> tuple[float, int]:
    out = Path(tempfile.mkdtemp(prefix="collecting-"))
    try:
        started = time.perf_counter()
        stored = way(urls, out, address=address)
        return time.perf_counter() - started, stored
    finally:
        shutil.rmtree(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--side", type=int, default=1600)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(
        target=serve, args=(args.folder, args.count, args.side, args.delay, theirs), daemon=True
    )
    server.start()
    address, urls = ours.recv()
    ways = {
        "fetch and decode alone": fetch_and_decode,
        "fastclf, to the record": partial(collect, whole=False),
        "fastclf, scanned as well": collect,
        "fastai": fastai_way,
    }
    import fastai.vision.utils  # noqa: F401 - its import is not part of any way

    import fastclf.collect.gather  # noqa: F401

    times: dict[str, list[float]] = {name: [] for name in ways}
    stored: dict[str, Counter[int]] = {name: Counter() for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            seconds, count = measure(way, urls, address)
            times[name].append(seconds)
            stored[name][count] += 1
            print(f"{name}: {seconds:.1f} s, {count} photos", flush=True)
    ours.send(None)
    server.join(5)
    base = statistics.median(times["fetch and decode alone"])
    print(
        f"\n{args.count} addresses, {args.count // 10} faulty, {args.side} px, {args.delay} s each; "
        f"medians of {args.rounds} rounds:"
    )
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:24} {median:6.1f} s  {median / base:5.2f} x  photos {dict(stored[name])}")


if __name__ == "__main__":
    main()
