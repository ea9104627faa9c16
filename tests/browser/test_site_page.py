"""A page without a server: opened from a disk without a network, and from a host of files under a sub-path."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from fastclf import ModelBundle, Predictor
from fastclf.dashboard.classify.answers import Answer, build_table, describe
from fastclf.dashboard.site import build_site
from fastclf.dashboard.texts import LANGUAGES, find_text
from fastclf.inbox import Claim, build_report_zip
from fastclf.system import hash_bytes

from ..conftest import Once
from ..drawing import COLOURS, draw_photo
from .conftest import Visit, choose
from .pictures import find_barriers
from .sites import hosting, make_site

MADE = ("model", "folder", "file")
THOROUGH = pytest.mark.thorough


@pytest.fixture(scope="session")
def made(once: Once) -> dict[str, Path]:
    return dict(zip(MADE, map(Path, once("site", make_site)), strict=True))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    drawn = {f"{label} {n}.png": draw_photo(label, 700 + n, (90, 60)) for n, label in enumerate(COLOURS)}
    mixed = Image.blend(draw_photo("red", 1, (64, 64)), draw_photo("blue", 1, (64, 64)), 0.5)
    for name, image in {**drawn, "mixed.png": mixed}.items():
        image.save(tmp_path / name)
    return [tmp_path / name for name in (*drawn, "mixed.png")]


def open_file(visit: Visit, page: Path, **options: object) -> Page:
    return visit(page.as_uri(), offline=True, **options)


def count_cards(page: Page, n: int) -> None:
    expect(page.locator(".fastclf-card")).to_have_count(n)


def say(text: str, code: str = "en") -> str:
    return text if code == "en" else find_text(text, code)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_page_from_a_disk_answers_as_the_model_does_without_a_network(
    made: dict[str, Path], visit: Visit, photos: list[Path], kind: str
) -> None:
    page = open_file(visit, made[kind])
    choose(page, *photos)
    count_cards(page, len(photos))
    found = Predictor(made["model"]).predict_many(photos)
    said = dict(zip([p.name for p in photos], [describe(p) for p in found], strict=True))
    shown = page.locator(".fastclf-card").evaluate_all(
        "items => items.map((item) => [item.fastclfCard.card.name, item.fastclfCard.card.words])"
    )
    assert dict(shown) == said
    expect(page.locator(".fastclf-foot")).to_contain_text("Your photos never leave this browser")
    expect(page.locator('[data-parity="same"]')).to_be_hidden()


@pytest.mark.slow
def test_a_visit_from_a_host_is_kept_for_the_next_one_without_it(
    made: dict[str, Path], visit: Visit, photos: list[Path]
) -> None:
    top = made["folder"].parents[3]
    with hosting(top) as host:
        url = f"{host.url}/{quote(made['folder'].parent.relative_to(top).as_posix())}/"
        page = visit(url)
        choose(page, photos[0])
        count_cards(page, 1)
        kept = "navigator.serviceWorker.ready.then(({ active }) => active.state)"
        assert page.evaluate(kept) in ("activating", "activated")
        asked = {line.split()[1].split("?")[0] for line in host.asked}
        assert all(path.startswith(url.removeprefix(host.url)) for path in asked), asked
        page.wait_for_timeout(500)
    # the host is gone
    page.goto(f"{url}index.html")
    choose(page, photos[1])
    count_cards(page, 1)
    page.goto(url)
    # what was asked at this address before is found again, too
    count_cards(page, 1)


@pytest.mark.slow
@THOROUGH
def test_a_newer_page_is_there_at_the_next_visit_but_one(
    made: dict[str, Path], visit: Visit, tmp_path: Path
) -> None:
    bundle, site = ModelBundle.load(made["model"]), tmp_path / "site"
    build_site(bundle, site)
    with hosting(site) as host:
        page = visit(host.url)
        page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
        build_site(replace(bundle, manifest=replace(bundle.manifest, title="Newer")), site)
        page.reload()
        expect(page.get_by_role("heading", name="Toy colours")).to_be_visible()
        expect(page.locator(".fastclf-example").first).to_be_visible()
        page.wait_for_timeout(2000)
        page.reload()
        expect(page.get_by_role("heading", name="Newer")).to_be_visible()
        expect(page.locator(".fastclf-example").first).to_be_visible()
        assert page.evaluate("caches.keys().then((names) => names.length)") == 1


@pytest.mark.slow
def test_on_a_slow_line_photos_can_be_chosen_before_the_model_is_there(
    made: dict[str, Path], visit: Visit, photos: list[Path]
) -> None:
    with hosting(made["folder"].parent, pause=0.4) as host:
        page = visit()
        page.goto(host.url, wait_until="commit")
        choose(page, photos[0])
        expect(page.locator(".fastclf-loading p")).to_contain_text(
            re.compile(r"Loading the model: \d\.\d of [23]\.\d MB")
        )
        assert page.locator(".fastclf-card").count() == 0
        count_cards(page, 1)
        expect(page.locator(".fastclf-loading")).to_have_count(0)


@pytest.mark.slow
def test_a_large_photo_is_answered_as_it_is_and_pushes_no_other_one_out(
    made: dict[str, Path], visit: Visit, tmp_path: Path, photos: list[Path]
) -> None:
    large = tmp_path / "large.jpg"
    draw_photo("green", 5, (2400, 1800)).save(large, quality=98)
    assert large.stat().st_size > 3_000_000
    page = open_file(visit, made["folder"])
    choose(page, photos[0], large)
    count_cards(page, 2)
    known = Predictor(made["model"]).predict(large)
    found = page.locator(".fastclf-card").nth(1).evaluate("item => item.fastclfCard.card.probability")
    assert found == pytest.approx(known.probability, abs=1e-5)
    page.reload()
    count_cards(page, 2)
    expect(page.get_by_role("button", name="Why?")).to_have_count(1)
    expect(page.locator(".fastclf-card").filter(has_text="From before this page")).to_contain_text(
        "large.jpg"
    )


ESCAPES = {
    "fetch": "fetch(URL + 'fetch').catch(() => 0)",
    "post": "fetch(URL + 'post', { method: 'POST', mode: 'no-cors', body: 'x' }).catch(() => 0)",
    "beacon": "navigator.sendBeacon(URL + 'beacon', 'x')",
    "image": "new Image().src = URL + 'image'",
    "style": "document.body.style.backgroundImage = `url(${URL}style)`",
    "request": "{ const r = new XMLHttpRequest(); r.open('GET', URL + 'request'); r.send(); }",
    "socket": "new WebSocket(URL.replace('http', 'ws') + 'socket')",
    "events": "new EventSource(URL + 'events')",
    "script": "document.head.append(Object.assign(document.createElement('script'), { src: URL + 'script' }))",
    "module": "import(URL + 'module').catch(() => 0)",
    "worker": "new Worker(URL + 'worker')",
    "blob worker": "new Worker(window.URL.createObjectURL(new Blob([`fetch('${URL}blob')`])))",
    "frame": "document.body.append(Object.assign(document.createElement('iframe'), { src: URL + 'frame' }))",
    "font": "new FontFace('a', `url(${URL}font)`).load().catch(() => 0)",
    "media": "new Audio(URL + 'media').load()",
    "sheet": "document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: URL + 'sheet' }))",
    "prefetch": "document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: URL + 'prefetch' }))",
    "form": "{ const f = document.body.appendChild(Object.assign(document.createElement('form'), { action: URL + 'form', method: 'post' })); f.submit(); }",
    "inline": "document.body.append(Object.assign(document.createElement('script'), { textContent: `fetch('${URL}inline')` }))",
    "markup": "document.body.insertAdjacentHTML('beforeend', `<p style=\"background: url(${URL}markup)\">x</p><img src=${URL}picture>`)",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["folder", pytest.param("file", marks=THOROUGH), pytest.param("host", marks=THOROUGH)]
)
def test_nothing_gets_out_of_the_page(made: dict[str, Path], visit: Visit, tmp_path: Path, kind: str) -> None:
    (tmp_path / "other").mkdir()
    with hosting(tmp_path / "other") as other, hosting(made["folder"].parent) as home:
        page = visit(f"{home.url}/index.html" if kind == "host" else made[kind].as_uri())
        expect(page.locator(".fastclf-example").first).to_be_visible()
        for name, act in ESCAPES.items():
            page.evaluate(f"(URL) => {{ try {{ {act}; }} catch {{}} }}", f"{other.url}/{quote(name)}-")
        page.wait_for_timeout(800)
        assert other.asked == []
        # the host hears it where nothing forbids: what was tried does send
        free = visit(f"{other.url}/")
        for act in [act for name, act in ESCAPES.items() if name != "form"]:
            free.evaluate(f"(URL) => {{ try {{ {act}; }} catch {{}} }}", f"{other.url}/free-")
        free.wait_for_timeout(500)
        assert len({line.split()[1] for line in other.asked if "free-" in line}) > 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "width", "scheme"),
    [
        ("ar", 360, "dark"),
        ("en", 1000, "light"),
        *(
            pytest.param(code, width, scheme, marks=THOROUGH)
            for code in LANGUAGES
            for width in (360, 1440)
            for scheme in ("light", "dark")
        ),
    ],
)
def test_no_barrier_stands_in_the_way_in_any_language(
    made: dict[str, Path], visit: Visit, photos: list[Path], code: str, width: int, scheme: str
) -> None:
    page = open_file(visit, made["folder"], width=width, scheme=scheme, language=code)
    choose(page, *photos)
    count_cards(page, len(photos))
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [
        code,
        "rtl" if code == "ar" else "ltr",
    ]
    card = page.locator(".fastclf-card").first
    card.get_by_role("button", name=say("Why?", code)).click()
    expect(card.locator(".fastclf-heat")).to_be_visible()
    assert find_barriers(page) == []
    page.get_by_role("tab", name=say("About", code)).click()
    expect(page.locator(".fastclf-confusion-host table")).to_be_visible()
    # the card's plots have their colours, though no markup may bring any
    strokes = page.evaluate(
        "[...document.querySelectorAll('.fastclf-about svg line')].map((line) => getComputedStyle(line).stroke)"
    )
    assert len(strokes) > 10
    assert "none" not in strokes
    assert find_barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
def test_a_wrong_answer_becomes_the_file_that_the_dashboard_hands_out(
    made: dict[str, Path], visit: Visit, photos: list[Path]
) -> None:
    page = open_file(visit, made["folder"])
    choose(page, photos[0])
    card = page.locator(".fastclf-card")
    card.get_by_role("button", name="That's wrong").click()
    card.locator("select").select_option(label="green")
    with page.expect_download() as download:
        card.get_by_role("button", name="Save as a file").click()
    expect(card.locator(".fastclf-marked")).to_contain_text("green")
    answer = Predictor(made["model"]).predict(photos[0])
    claim = Claim(
        name=photos[0].name,
        answer=answer.label,
        probability=answer.probability,
        label="green",
        model="0" * 64,
    )
    wanted = build_report_zip(Image.open(photos[0]), claim)
    found, ours = (read_report(data) for data in (Path(download.value.path()).read_bytes(), wanted))
    assert found[0].size == ours[0].size
    assert abs(found[1].pop("probability") - ours[1].pop("probability")) < 1e-5
    own = ("time", "sha256")
    assert {k: v for k, v in found[1].items() if k not in own} == {
        k: v for k, v in ours[1].items() if k not in own
    }
    assert [*found[1]] == [*ours[1]]


def read_report(data: bytes) -> tuple[Image.Image, dict]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        jpeg, report = archive.read("photo.jpg"), json.loads(archive.read("report.json"))
    assert report["sha256"] == hash_bytes(jpeg)
    return Image.open(io.BytesIO(jpeg)), report


@pytest.mark.slow
def test_the_table_is_that_of_the_dashboard(made: dict[str, Path], visit: Visit, photos: list[Path]) -> None:
    page = open_file(visit, made["folder"])
    choose(page, *photos)
    count_cards(page, len(photos))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a table").click()
    found = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    answers = [Answer(0, Path(p.file).name, None, p) for p in Predictor(made["model"]).predict_many(photos)]
    wanted = build_table(answers).decode("utf-8-sig").splitlines()
    assert [line.split(",")[:2] for line in found] == [line.split(",")[:2] for line in wanted]
    for one, other in zip(found[1:], wanted[1:], strict=True):
        assert one.split(",")[3] == other.split(",")[3]
        shares = [
            [float(cell) for cell in line.split(",") if "." in cell and "png" not in cell]
            for line in (one, other)
        ]
        assert shares[0] == pytest.approx(shares[1], abs=2e-6)


@pytest.mark.slow
def test_what_is_removed_comes_back_and_a_reload_finds_all_again(
    made: dict[str, Path], visit: Visit, photos: list[Path]
) -> None:
    page = open_file(visit, made["folder"])
    choose(page, *photos[:2])
    count_cards(page, 2)
    page.locator(".fastclf-remove").first.click()
    count_cards(page, 1)
    page.get_by_role("button", name="Undo").click()
    count_cards(page, 2)
    page.locator(".fastclf-example").first.click()
    count_cards(page, 3)
    page.reload()
    count_cards(page, 3)
    expect(page.get_by_role("button", name="Why?")).to_have_count(3)
    page.get_by_role("button", name="Clear all").click()
    count_cards(page, 0)


@pytest.mark.slow
def test_a_photo_is_looked_at_closely_and_one_that_is_none_is_told(
    made: dict[str, Path], visit: Visit, photos: list[Path]
) -> None:
    page = open_file(visit, made["folder"])
    notes = photos[0].with_name("notes.jpg")
    notes.write_bytes(b"no photo at all")
    choose(page, photos[0], notes)
    count_cards(page, 2)
    bad = page.locator('.fastclf-card[data-level="failed"]')
    expect(bad).to_contain_text("notes.jpg is no photo that this browser reads")
    page.locator(".fastclf-look").first.click()
    expect(page.locator(".fastclf-viewer-image")).to_be_visible()
    page.wait_for_timeout(500)
    assert page.locator(".fastclf-viewer-image").evaluate("image => image.naturalWidth") == 90
    page.keyboard.press("Escape")
    # dragged from another page a picture comes as an address, and nothing is fetched
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/uri-list", "http://127.0.0.1:9/a.jpg");
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator(".fastclf-drop [role=alert]")).to_contain_text("fetches nothing from the web")
    expect(page.locator(".fastclf-address")).to_be_hidden()


@pytest.fixture
def damaged(made: dict[str, Path], tmp_path: Path) -> Path:
    shutil.copytree(made["folder"].parent, tmp_path / "site")
    return tmp_path / "site"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("graph.js", "did not come (graph.js"),
        ("shell.js", "too old for this page"),
        ("head.js", "did not come (head.js"),
    ],
)
def test_a_part_that_is_missing_is_named(damaged: Path, visit: Visit, part: str, words: str) -> None:
    (damaged / "parts" / part).unlink()
    page = open_file(visit, damaged / "index.html")
    expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()


@pytest.mark.slow
def test_a_part_that_is_damaged_is_named(damaged: Path, visit: Visit) -> None:
    file = damaged / "parts" / "graph.js"
    text = file.read_text()
    middle = len(text) // 2
    file.write_text(text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :])
    page = open_file(visit, damaged / "index.html", language="es")
    alert = page.get_by_role("alert").filter(has_text="está dañada (graph)")
    expect(alert).to_be_visible()
    assert find_barriers(page) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["OffscreenCanvas", pytest.param("WebAssembly", marks=THOROUGH), pytest.param("Worker", marks=THOROUGH)],
)
def test_a_browser_that_lacks_something_gets_a_sentence(
    made: dict[str, Path], browser: Browser, name: str
) -> None:
    context = browser.new_context(offline=True, locale="ar")
    page = context.new_page()
    page.add_init_script(f"delete window.{name};")
    page.goto(made["folder"].as_uri())
    expect(page.get_by_role("alert").filter(has_text=name)).to_be_visible()
    # what the model is for can be read all the same
    page.get_by_role("tab").nth(1).click()
    expect(page.locator(".fastclf-about-part").first).to_be_visible()
    context.close()


@pytest.mark.slow
def test_the_keyboard_alone_is_enough(made: dict[str, Path], visit: Visit) -> None:
    page = open_file(visit, made["folder"])
    page.locator(".fastclf-example").first.wait_for()
    page.get_by_role("tab", name="Classify").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".fastclf-panel-about")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.locator(".fastclf-example").first.focus()
    page.keyboard.press("Enter")
    count_cards(page, 1)
    page.locator(".fastclf-actions button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".fastclf-heat")).to_be_visible()


@pytest.mark.slow
def test_a_camera_is_answered_all_the_time_until_it_is_held(made: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    # a camera that sees another colour every half second
    page.add_init_script(
        """navigator.mediaDevices.getUserMedia = async () => {
            const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
            const context = canvas.getContext("2d");
            window.colours = ["rgb(220 30 30)", "rgb(30 30 220)"];
            setInterval(() => {
                context.fillStyle = window.colours[Math.floor(performance.now() / 500) % window.colours.length];
                context.fillRect(0, 0, 320, 240);
            }, 40);
            return canvas.captureStream(20);
        };"""
    )
    page.goto(made["folder"].as_uri())
    page.get_by_role("button", name="Live answers").click()
    sheet = page.get_by_role("dialog", name="Live answers")
    said = sheet.locator(".fastclf-camera-said")
    for label in ("red", "blue", "red"):
        expect(said).to_contain_text(label)
    page.evaluate(
        "window.heard = 0; new MutationObserver(() => window.heard++).observe(document.querySelector('.fastclf-camera-said'), { childList: true });"
    )
    page.wait_for_timeout(1500)
    assert page.evaluate("window.heard") >= 3
    sheet.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(1000)
    held, count = said.text_content(), page.evaluate("window.heard")
    page.wait_for_timeout(800)
    assert (said.text_content(), page.evaluate("window.heard")) == (held, count)
    assert find_barriers(page) == []
    sheet.get_by_role("button", name="Take", exact=True).click()
    count_cards(page, 1)
    # the photo is the picture that was held
    expect(page.locator(".fastclf-card h3")).to_contain_text((held or "").split(",")[0])
    expect(sheet).to_have_count(0)
    context.close()
