"""The page on which classifiers are taught, beside `fastclf train --mode head`: seconds to fit, and accuracy.

Chromium is driven as a person would: a folder of classes is chosen, all else follows by itself.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from fastclf import ModelBundle, Predictor
from fastclf.backbone import open_packaged
from fastclf.dashboard.site import build_teach_site
from fastclf.head import fit_head_by_cross_validation
from fastclf.metrics import compute_softmax
from fastclf.received import import_project

from .harness import Bench, Line, Table, alternate, find_photos, for_each_folder, tell

DATA = "folders of photos for the part `accuracy`: three of their classes are taught, 20 photos each"
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SIZES = ((300, 3), (300, 6), (2000, 3), (2000, 6))
CLASSES, A_CLASS = 3, 20
Answer = tuple[str, dict[str, float]]
LESSON = "fastclfSite.school.lesson"
LEARNED = f"""!{LESSON}.progress && !{LESSON}.learning
    && {LESSON}.taught?.photos.length === fastclfSite.school.project.photos.length"""
GIVE = """([text, targets]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const all = new Float32Array(bytes.buffer);
    const take = (label, i) => ({ features: all.slice(i * 1280, (i + 1) * 1280), label, group: String(i) });
    window.given = targets.map(take);
}"""
ASK = f"""async () => {{
    const said = [];
    for (const file of document.getElementById("held").files) {{
        const {{ prediction }} = await {LESSON}.teaching.answer(file, file.name);
        said.push([prediction.label, Object.fromEntries(prediction.probs)]);
    }}
    return said;
}}"""


@contextmanager
def open_page(site: Path) -> Iterator[Page]:
    """Open Chromium for a page that lies on the disk, without a network."""
    found = os.environ.get("FASTCLF_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        page = browser.new_context(offline=True).new_page()
        page.set_default_timeout(600_000)
        page.goto(site.as_uri())
        yield page
        browser.close()


def wait(page: Page, condition: str, seconds: float = 600) -> None:
    """Wait until something is true; the page's policy forbids Playwright's own waiting."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        if time.monotonic() > deadline:
            raise SystemExit(f"never true: {condition}")
        page.wait_for_timeout(100)


def measure_speed(bench: Bench) -> list[Any]:
    """Fit heads on features of so many photos, cross-validation and judging included."""
    site = build_teach_site(open_packaged(), bench.scratch / "site").page
    lines: list[Any] = []
    with open_page(site) as page:
        wait(page, f"Boolean({LESSON}.teaching.manifest)")
        for n, classes in SIZES:
            x, targets = draw_features(bench.count(n), classes)
            give(page, x, targets)
            groups = [str(i) for i in range(len(x))]
            ways = {
                "python": partial(fit_head_by_cross_validation, x, targets, groups),
                "page": partial(fit, page, classes),
            }
            took = alternate(bench.repeats, ways)
            limit = 1 if n == 300 else 5
            what = f"fit {n} photos of {classes} classes, s; fit_head_by_cross_validation"
            lines.append(Line(what, took["page"], took["python"], limit=limit))
    return lines


def draw_features(n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features like those of the network, with classes that overlap a little."""
    rng = np.random.default_rng(0)
    targets = np.arange(n) % classes
    middles = rng.normal(0, 0.12, (classes, 1280))
    x = np.maximum(rng.lognormal(-1, 1, 1280) * (rng.normal(0, 1, (n, 1280)) + middles[targets]), 0)
    return x.astype(np.float32), targets


def give(page: Page, x: np.ndarray, targets: np.ndarray) -> None:
    """Hand features to the page."""
    page.evaluate(GIVE, [base64.b64encode(x.tobytes()).decode(), targets.tolist()])


def fit(page: Page, classes: int) -> dict[str, float]:
    """Return the seconds that the page says it took."""
    took = f"(k) => {LESSON}.teaching.fit(window.given, k).then(({{ ms }}) => ms / 1000)"
    return {"page": page.evaluate(took, classes)}


def measure_accuracy(bench: Bench, folder: Path) -> list[Any]:
    """Teach three classes in the page and by the command with the same photos; judge both on all others."""
    site = build_teach_site(open_packaged(), bench.new_folder() / "site").page
    rows, numbers = [], []
    for seed in range(bench.repeats):
        learned, held = draw(folder, bench.new_folder() / "photos", seed)
        tell(f"  draw {seed}: {sorted(path.name for path in learned.iterdir())}, {len(held)} held photos")
        project = bench.new_folder() / "project.zip"
        answers, told = teach(site, learned, held, project)
        ours = [label for label, _ in answers]
        imported = compare_import(project, bench.new_folder(), held, answers)
        theirs = train(learned, held, bench.new_folder() / "model")
        truth = [path.parent.name for path in held]
        right = [sum(a == b for a, b in zip(said, truth, strict=True)) / len(held) for said in (ours, theirs)]
        same = sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(held)
        numbers.append(
            {"page": right[0], "train": right[1], "same": same, "n": len(held), **imported, **told}
        )
        own = f"{told['right'] / told['photos']:.1%} ({told['low']:.0%} to {told['high']:.0%})"
        shares = [f"{share:.1%}" for share in (*right, same)]
        brought = [f"{imported['imported']:.1%}", f"{imported['difference']:.1e}"]
        rows.append([str(seed), str(len(held)), *shares, *brought, own, f"{told['seconds']:.0f}"])
    heads = [
        "draw",
        "held",
        "page",
        "train --mode head",
        "same answers",
        "imported: same",
        "largest difference",
        "the page said of itself",
        "s to teach",
    ]
    return [Table(f"{folder.name}, {CLASSES} classes, {A_CLASS} photos each", heads, rows, numbers)]


def draw(folder: Path, dest: Path, seed: int) -> tuple[Path, list[Path]]:
    """Copy the photos to learn from, and return the others of their classes."""
    rng = np.random.default_rng(seed)
    by_class: dict[str, list[Path]] = {}
    for path in find_photos(folder):
        by_class.setdefault(path.parent.name, []).append(path)
    held: list[Path] = []
    for name in sorted(rng.permutation(sorted(by_class))[:CLASSES]):
        order = rng.permutation(len(by_class[name]))
        (dest / name).mkdir(parents=True)
        for i in order[:A_CLASS]:
            shutil.copyfile(by_class[name][i], dest / name / by_class[name][i].name)
        held += [by_class[name][i] for i in order[A_CLASS:]]
    return dest, held


def teach(
    site: Path, learned: Path, held: Sequence[Path], project: Path
) -> tuple[list[Answer], dict[str, float]]:
    """Return what the page answers about the held photos, and what it said of itself; save the project."""
    with open_page(site) as page:
        started = time.monotonic()
        page.locator(".fastclf-teach-add input").set_input_files(str(learned))
        wait(page, LEARNED)
        seconds = time.monotonic() - started
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the project").click()
        download.value.save_as(project)
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input type=file multiple id=held>')")
        page.locator("#held").set_input_files([str(path) for path in held])
        said = page.evaluate(ASK)
        judged = page.evaluate(f"{LESSON}.taught.judged")
    low, high = judged["interval"]
    return said, {
        "photos": judged["photos"],
        "right": judged["right"],
        "low": low,
        "high": high,
        "seconds": seconds,
    }


def compare_import(
    project: Path, folder: Path, held: Sequence[Path], answers: Sequence[Answer]
) -> dict[str, float]:
    """Return the share of held photos with the same label from the imported model, and how far it is at most.

    The page has no temperature, so that probabilities are those before the model's.
    """
    bundle = import_project(project, folder / "model", folder / "photos").bundle
    same, worst = 0, 0.0
    with Predictor(bundle) as predictor:
        for path, (label, probs) in zip(held, answers, strict=True):
            logits, _ = predictor.run(bundle.preprocess.batch([bundle.preprocess.decode(path).image]))
            here = compute_softmax(logits)[0]
            same += bundle.vocab[int(here.argmax())] == label
            worst = max(worst, *(abs(p - probs[name]) for name, p in zip(bundle.vocab, here, strict=True)))
    return {"imported": same / len(held), "difference": float(worst)}


def train(learned: Path, held: Sequence[Path], model: Path) -> list[str]:
    """Return what a model of the command answers."""
    command = [sys.executable, "-m", "fastclf", "train", str(learned), "--mode", "head", "--out", str(model)]
    subprocess.run(command, check=True, capture_output=True)
    with Predictor(ModelBundle.load(model)) as predictor:
        return [str(found.label) for found in predictor.predict_many(held)]


PARTS = {"speed": measure_speed, "accuracy": for_each_folder(measure_accuracy)}
PARTS_WITHOUT_DATA = ("speed",)
