"""Photos that the browser made smaller: how much travels, and whether the answer stays the same.

Each photo becomes what a phone would have taken of it: 12 megapixels, JPEG, lying on its side with a note
in EXIF which way is up. Chromium prepares it with the page's own script; the model answers about the large
file and about what would be sent.

    python benchmarks/scaling.py MODEL FOLDER [--most 200]
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from base64 import b64decode, b64encode
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from verdicts import print_table

from fastclf import Predictor
from fastclf.dashboard.classify.photo_drop import LARGEST_SENT, LONGEST_SIDE
from fastclf.dashboard.widgets.scripted import read_script
from fastclf.photos import find_photo_files
from page import CHROMIUM_ARGS

PHONE = 4000, 3000
_SIDEWAYS = {6: Image.Transpose.ROTATE_90}  # what undoes EXIF's orientation 6

_RUN = """async ([script, data, limits]) => {
  const file = () => URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  if (!window.drop) window.drop = await import(file());
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const sent = await window.drop.prepare(new File([bytes], "photo.jpg", { type: "image/jpeg" }), limits);
  const got = new Uint8Array(await sent.arrayBuffer());
  let text = "";
  for (let i = 0; i < got.length; i += 30000) text += String.fromCharCode(...got.subarray(i, i + 30000));
  return btoa(text);
}"""


def take_with_a_phone(path: Path, orientation: int = 6) -> bytes:
    """Return a photo as 12 megapixels, turned by EXIF."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = PHONE if image.width >= image.height else PHONE[::-1]
    scale = min(width / image.width, height / image.height)
    size = round(image.width * scale), round(image.height * scale)
    image = image.resize(size, Image.Resampling.LANCZOS).transpose(_SIDEWAYS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


def send(page: Page, data: bytes, side: int) -> bytes:
    """Return what the page would send of a photo."""
    limits = {"sent": LARGEST_SENT, "side": side, "bytes": 20 * 2**20, "photos": 100}
    return b64decode(page.evaluate(_RUN, [read_script("drop.js"), b64encode(data).decode(), limits]))


def compare(model: Path, folder: Path, most: int) -> dict[str, Any]:
    """Answer about each photo as the phone took it and as it was sent."""
    predictor = Predictor(model)
    low, high = LONGEST_SIDE
    side = min(max(4 * max(predictor.preprocess.input_size[1:]), low), high)
    files = [found.path for found in find_photo_files(folder)]
    step = max(1, len(files) // most)
    rows = []
    found = os.environ.get("FASTCLF_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        page = browser.new_page()
        page.goto("about:blank")
        for file in files[::step][:most]:
            large = take_with_a_phone(file)
            sent = send(page, large, side)
            one, other = predictor.predict(large, file.name), predictor.predict(sent, file.name)
            change = abs((one.probs or {})[one.label] - (other.probs or {})[one.label])
            rows.append(
                (len(large), len(sent), one.label == other.label, change, one.unfamiliar == other.unfamiliar)
            )
        browser.close()
    return {
        "n": len(rows), "large": median(r[0] for r in rows), "sent": median(r[1] for r in rows),
        "most": max(r[1] for r in rows), "same": sum(r[2] for r in rows) / len(rows),
        "change": median(r[3] for r in rows), "worst": max(r[3] for r in rows),
        "familiar": sum(r[4] for r in rows) / len(rows), "side": side,
    }  # fmt: skip


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=200, help="photos (default: 200)")
    args = parser.parse_args()
    got = compare(args.model, args.folder, args.most)
    print_table(
        ["what", "found", "to reach"],
        [
            ("photos", f"{got['n']}", ""),
            ("longest side sent, px", f"{got['side']}", ""),
            ("photo as taken, kB, median", f"{got['large'] / 1000:.0f}", ""),
            ("sent, kB, median", f"{got['sent'] / 1000:.0f}", ""),
            ("sent, kB, largest", f"{got['most'] / 1000:.0f}", "<= 300"),
            ("same label", f"{got['same']:.4f}", ">= 0.99"),
            ("change of probability, median", f"{got['change']:.4f}", "<= 0.02"),
            ("change of probability, largest", f"{got['worst']:.4f}", ""),
            ("same in being unfamiliar", f"{got['familiar']:.4f}", ""),
        ],
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
