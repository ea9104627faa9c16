"""A model's data and the page's engine in a real browser, from `file://`: answers, reasons, faults, and no way out."""

from __future__ import annotations

import base64
import gzip
import http.server
import io
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from fastclf import Predictor, explain_answer
from fastclf.dashboard.site import write_data
from fastclf.model import ModelBundle

from ..conftest import ROOT, Trained
from ..drawing import draw_photo, encode
from ..toy import add_maps, write_toy_bundle
from .conftest import Visit
from .sites import change_head

pytestmark = pytest.mark.slow

SOURCES = ROOT / "page" / "src" / "site"
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:; style-src 'self'; "
    "img-src 'self' blob: data:; form-action 'none'; base-uri 'none'"
)
START = """
const answering = new Answering();
const seen = [];
let state = null;
answering.open((x) => seen.push(x)).then(() => (state = "open"), (e) => (state = [e.message, e.fields]));
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const pack = (array) => btoa(String.fromCharCode(...array));
const ask = async (text, name) => {
    const { prediction, ...rest } = await answering.answer(new Blob([bytes(text)]), name);
    const { probs } = prediction;
    return { ...rest, thumbnail: rest.thumbnail && pack(rest.thumbnail), prediction: { ...prediction, probs: probs && [...probs] } };
};
const why = async (text, label, most = Infinity) => {
    const [told, stop] = [[], new AbortController()];
    const progress = (x) => (told.push(x), told.length >= most && stop.abort());
    const found = await answering.explain(new Blob([bytes(text)]), label, { progress, signal: stop.signal });
    return found && { ...found, png: pack(found.png), told };
};
"""


def build_page(model: Path, folder: Path, policy: str = POLICY, **options: Any) -> Path:
    """Write a page that has the engine and nothing else."""
    names = write_data(ModelBundle.load(model, verify=False), folder, **options)
    parts = [
        (SOURCES / f"{name}.js").read_text()
        for name in ("fault", "line", "unpacking", "pack", "sha256", "sound", "answering")
    ]
    engine = re.sub(r"^import .*$|^export ", "", "\n".join(parts), flags=re.M)
    (folder / "engine.js").write_text(engine + START)
    scripts = "".join(f'<script src="{name}"></script>' for name in ("engine.js", *names))
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    file = folder / "index.html"
    file.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8">{meta}<title>Toy</title><body>{scripts}'
    )
    return file


def wait(page: Page, condition: str) -> Any:
    """Ask until there is something; the page's policy forbids Playwright's own waiting."""
    for _ in range(600):
        if found := page.evaluate(condition):
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"{condition} did not come")


def pack(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A toy model with maps, and one without."""
    folder = tmp_path_factory.mktemp("models")
    with_maps = add_maps(write_toy_bundle(folder / "maps"), 64, 8)
    return {"maps": with_maps, "plain": write_toy_bundle(folder / "plain")}


@pytest.fixture(scope="module")
def sites(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sites")
    return {name: build_page(model, folder / name) for name, model in models.items()}


@pytest.fixture(scope="module")
def opened(sites: dict[str, Path], stay: Visit) -> Callable[[str], Page]:
    """Open a model's page once for the tests of this file."""
    pages: dict[str, Page] = {}

    def go(name: str) -> Page:
        if name not in pages:
            pages[name] = stay(sites[name].as_uri())
            assert wait(pages[name], "state") == "open"
        return pages[name]

    return go


def draw_photos() -> dict[str, bytes]:
    """Photos of several kinds: turned by EXIF, with alpha, grey, tiny, large, a long one."""
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    half = Image.new("RGB", (90, 40), (220, 30, 30))
    half.paste((20, 20, 200), (60, 0, 90, 40))
    half.save(turned, "JPEG", exif=exif, quality=95)
    clear = Image.new("RGBA", (50, 70), (20, 200, 30, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 50, 35))
    return {
        "red.png": encode(draw_photo("red", 1), "PNG"),
        "blue.jpg": encode(draw_photo("blue", 2), "JPEG"),
        "turned.jpg": turned.getvalue(),
        "clear.png": encode(clear, "PNG"),
        "palette.png": encode(draw_photo("green", 6).quantize(16), "PNG"),
        "tiny.png": encode(Image.new("RGB", (1, 1), (250, 0, 0)), "PNG"),
        "large.jpg": encode(draw_photo("green", 3).resize((2300, 1700)), "JPEG"),
        "long.webp": encode(draw_photo("green", 4).resize((40, 900)), "WEBP"),
    }


def test_it_opens_counts_bytes_and_knows_its_answers(opened: Callable[[str], Page]) -> None:
    page = opened("maps")
    first, last = page.evaluate("[seen[0], seen.at(-1)]")
    assert first["loaded"] < first["total"] == last["total"] == last["loaded"]
    manifest = page.evaluate(
        "({...answering.manifest, examples: answering.manifest.examples.map((e) => [e.name, pack(e.bytes)])})"
    )
    assert (manifest["title"], manifest["vocab"]) == ("Toy colours", ["blue", "green", "red"])
    assert manifest["parity"] == "unknown"
    assert [name for name, _ in manifest["examples"]] == [f"example-{i}.jpg" for i in (1, 2, 3)]
    assert page.evaluate("answering.compare()") == "same"
    assert page.evaluate("answering.manifest.parity") == "same"


@pytest.mark.parametrize("name", ["maps", "plain"])
def test_it_answers_as_python_does(opened: Callable[[str], Page], models: dict[str, Path], name: str) -> None:
    page = opened(name)
    with Predictor(ModelBundle.load(models[name], verify=False)) as predictor:
        for file, data in draw_photos().items():
            found, expected = (
                page.evaluate("([data, name]) => ask(data, name)", [pack(data), file]),
                predictor.predict(data, file),
            )
            answer = found["prediction"]
            assert (answer["file"], answer["label"], answer["unfamiliar"]) == (
                file,
                expected.label,
                expected.unfamiliar,
            )
            assert [label for label, _ in answer["probs"]] == list(expected.probs)
            # another decoder may differ by a level
            assert [p for _, p in answer["probs"]] == pytest.approx(
                list(expected.probs.values()), abs=5e-3
            ), file
            assert answer.keys() == expected.to_dict().keys()
            with Image.open(io.BytesIO(base64.b64decode(found["thumbnail"]))) as thumbnail:
                assert max(thumbnail.size) <= 256
                turned = (found["width"] > found["height"]) != (thumbnail.width > thumbnail.height)
                assert not turned or thumbnail.width == thumbnail.height


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_trained_network_answers_as_python_does(
    trained: Trained, tmp_path: Path, visit: Visit, precision: str
) -> None:
    page = visit(build_page(trained.model, tmp_path / "site", precision=precision).as_uri())
    files = sorted(trained.photos.rglob("*.png"))[::60]
    assert wait(page, "state") == "open"
    assert page.evaluate("answering.compare()") == "same"
    allowed = 1e-3 if precision == "float32" else 0.05
    with Predictor(trained.model) as predictor:
        for file in files:
            found, expected = (
                page.evaluate("(data) => ask(data, 'a')", pack(file.read_bytes())),
                predictor.predict(file),
            )
            probs = dict(found["prediction"]["probs"])
            assert max(abs(probs[k] - p) for k, p in expected.probs.items()) <= allowed, file
            if precision == "float32":  # classes that are called by numbers stay in order
                assert list(probs) == list(expected.probs)
    assert len(files) > 20


def test_a_turned_photo_is_upright(opened: Callable[[str], Page]) -> None:
    found = opened("maps").evaluate("(data) => ask(data, 'a')", pack(draw_photos()["turned.jpg"]))
    assert (found["width"], found["height"]) == (40, 90)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty (0 bytes); it was probably not fully saved or downloaded"),
        (b"no photo", "is no photo that this browser reads, or it is damaged; save it as JPEG or PNG"),
        (encode(Image.new("RGB", (3000, 2)), "PNG"), "is {width} x {height} pixels; a photo may be at most {most} times as long as wide"),
    ],
    ids=["empty", "text", "long"],
)  # fmt: skip
def test_a_photo_that_cannot_be_read_is_told(opened: Callable[[str], Page], data: bytes, reason: str) -> None:
    found = opened("maps").evaluate("(data) => ask(data, 'a.jpg')", pack(data))
    error = found["prediction"]["error"]
    assert error["text"] == "{name} {reason}."
    assert (error["fields"]["name"], error["fields"]["reason"]["text"]) == ("a.jpg", reason)
    assert found["prediction"]["label"] is None


def test_a_file_that_is_too_large_is_not_read(opened: Callable[[str], Page]) -> None:
    reason = opened("maps").evaluate(
        """async () => {
            const { prediction } = await answering.answer(new Blob([new Uint8Array(21 * 2 ** 20)]), "a.jpg");
            return prediction.error.fields.reason;
        }"""
    )
    text = "has {size:.1f} MB; at most {most:.0f} MB are read, so scale it down"
    assert reason == {"text": text, "fields": {"size": 21, "most": 20}}


@pytest.mark.parametrize(("name", "method"), [("maps", "class activation"), ("plain", "occlusion")])
def test_it_says_why_as_python_does(
    opened: Callable[[str], Page], models: dict[str, Path], name: str, method: str
) -> None:
    photo = Image.new("RGB", (200, 160), (120, 120, 120))
    photo.paste((230, 20, 20), (140, 100, 190, 150))
    found = opened(name).evaluate("(data) => why(data, 'red')", pack(encode(photo, "PNG")))
    with Predictor(ModelBundle.load(models[name], verify=False)) as predictor:
        expected = explain_answer(predictor, photo, "red")
    assert (found["method"], found["place"]) == (method, list(expected.find_place()))
    with (
        Image.open(io.BytesIO(base64.b64decode(found["png"]))) as shown,
        Image.open(io.BytesIO(expected.render(photo.size))) as wanted,
    ):
        a, b = (np.asarray(image.convert("RGBA").getchannel("A"), int) for image in (shown, wanted))
    assert a.shape == b.shape
    assert (np.abs(a - b) > 3).mean() < 0.01
    if method == "occlusion":
        assert found["told"][-1] == {"done": 64, "total": 64}


def test_an_explanation_can_be_stopped_and_answers_come_in_between(opened: Callable[[str], Page]) -> None:
    page, data = opened("plain"), pack(encode(draw_photo("red", 5), "PNG"))
    assert page.evaluate("(data) => why(data, 'red', 3)", data) is None
    order = page.evaluate(
        """async (data) => {
            const order = [];
            await Promise.all([why(data, "red").then(() => order.push("why")), ask(data, "a").then(() => order.push("answer"))]);
            return order;
        }""",
        data,
    )
    assert order == ["answer", "why"]


def test_other_answers_than_recorded_are_noticed(
    models: dict[str, Path], tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = "fastclf.dashboard.site.data.describe_answers"
    monkeypatch.setattr(
        recorded,
        lambda answers: {
            "photos": [{"file": a.file, "sha256": a.sha256, "probs": a.probs[::-1]} for a in answers]
        },
    )
    page = visit(build_page(models["maps"], tmp_path / "site").as_uri())
    assert wait(page, "state") == "open"
    assert page.evaluate("answering.compare()") == "differs"


def spoil(folder: Path, name: str, how: Callable[[str], str]) -> None:
    file = folder / name
    file.write_text(how(file.read_text()))


SPOILT = {
    "graph": ("graph.js", lambda text: text.replace("/Td6W", "/Td6X").replace('AAAA"', 'AAAB"')),
    "head": ("head.js", lambda text: text[:200] + ("B" if text[200] == "A" else "A") + text[201:]),
    "examples": ("examples.js", lambda text: text[:300] + "!" + text[301:]),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_damaged_file_is_one_sentence(
    sites: dict[str, Path], tmp_path: Path, visit: Visit, name: str
) -> None:
    folder = shutil.copytree(sites["plain"].parent, tmp_path / "site")
    spoil(folder, *SPOILT[name])
    text, fields = wait(visit((folder / "index.html").as_uri()), "state")
    assert text.startswith("A part of this page is damaged ({name}).")
    assert fields == {"name": name}


def expect_damaged(visit: Visit, folder: Path, name: str) -> None:
    text, fields = wait(visit((folder / "index.html").as_uri()), "state")
    assert (text[:31], fields) == ("A part of this page is damaged ", {"name": name})


def test_a_part_that_holds_far_more_than_it_should_is_not_unpacked(
    sites: dict[str, Path], tmp_path: Path, visit: Visit
) -> None:
    folder = Path(shutil.copytree(sites["plain"].parent, tmp_path / "site"))
    # all that the page reads of it is as it should be
    change_head(folder, lambda values: None, more=bytes(150 * 2**20))
    expect_damaged(visit, folder, "head")


def test_a_head_that_computes_nothing_is_not_used(
    sites: dict[str, Path], tmp_path: Path, visit: Visit
) -> None:
    folder = Path(shutil.copytree(sites["plain"].parent, tmp_path / "site"))
    change_head(folder, lambda values: values["header"].update(temperature=0))
    expect_damaged(visit, folder, "head")


def test_a_worker_of_another_page_is_not_run(sites: dict[str, Path], tmp_path: Path, visit: Visit) -> None:
    folder = Path(shutil.copytree(sites["plain"].parent, tmp_path / "site"))
    other = base64.b64encode(gzip.compress(b"postMessage({})")).decode()
    (folder / "worker.js").write_text(f'fastclfTake("worker",0,1,"{other}");')
    expect_damaged(visit, folder, "worker")


def test_a_missing_file_is_one_sentence(sites: dict[str, Path], tmp_path: Path, visit: Visit) -> None:
    folder = shutil.copytree(sites["plain"].parent, tmp_path / "site")
    (folder / "graph.js").unlink()
    text, fields = wait(visit((folder / "index.html").as_uri()), "state")
    assert (text, fields) == (
        "A part of this page did not come ({name}). Load it again.",
        {"name": "graph.js"},
    )


def test_a_browser_that_lacks_something_is_told(sites: dict[str, Path], visit: Visit) -> None:
    page = visit()
    page.add_init_script("delete self.DecompressionStream")
    page.goto(sites["plain"].as_uri())
    text, fields = wait(page, "state")
    assert (text[:33], fields) == ("This browser lacks what the page ", {"what": "DecompressionStream"})


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on the loopback, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()

        do_POST = do_HEAD = do_OPTIONS = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


ATTEMPTS = {
    "fetch": "fetch(to, {mode: 'no-cors'}).catch(() => {})",
    "request": "{ const r = new XMLHttpRequest(); r.open('GET', to); r.send(); }",
    "beacon": "navigator.sendBeacon(to, 'x')",
    "image": "new Image().src = to",
    "form": "{ const f = document.createElement('form'); Object.assign(f, {action: to, method: 'post', target: 'frame'}); document.body.append(f); f.submit(); }",
    "websocket": "new WebSocket(to.replace('http', 'ws'))",
    "events": "new EventSource(to)",
    "worker": "new Worker(URL.createObjectURL(new Blob([`fetch(${JSON.stringify(to)}, {mode: 'no-cors'}).catch(() => {})`])))",
    "script": "{ const s = document.createElement('script'); s.src = to; document.body.append(s); }",
    "style": "{ const l = document.createElement('link'); Object.assign(l, {rel: 'stylesheet', href: to}); document.body.append(l); }",
    "frame": "{ const f = document.createElement('iframe'); f.name = 'frame'; f.src = to; document.body.append(f); }",
}  # fmt: skip


def try_all(page: Page, address: str) -> None:
    """Try every way out, in the page and from a worker."""
    page.evaluate("document.body.innerHTML = ''")
    for name in ["frame", *(name for name in ATTEMPTS if name != "frame")]:
        page.evaluate(f"(to) => {{ try {{ {ATTEMPTS[name]} }} catch {{}} }}", f"{address}/{name}")
    page.wait_for_timeout(700)


def test_nothing_gets_out(sites: dict[str, Path], visit: Visit, listener: tuple[str, list[str]]) -> None:
    address, asked = listener
    page = visit(sites["plain"].as_uri())
    assert wait(page, "state") == "open"
    try_all(page, address)
    assert asked == []


def test_without_the_policy_each_of_these_ways_leads_out(
    models: dict[str, Path], tmp_path: Path, visit: Visit, listener: tuple[str, list[str]]
) -> None:
    address, asked = listener
    page = visit(build_page(models["plain"], tmp_path / "site", policy="").as_uri())
    assert wait(page, "state") == "open"
    try_all(page, address)
    assert {path.strip("/") for path in asked} == set(ATTEMPTS)
