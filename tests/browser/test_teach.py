"""The page on which classifiers are taught: from a disk without a network, and from a host of files under a sub-path."""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from fastclf import ModelBundle, Predictor
from fastclf.backbone import Backbone
from fastclf.dashboard.site.graph import cut_graph, open_graph
from fastclf.dashboard.texts import LANGUAGES, find_text
from fastclf.metrics import compute_softmax
from fastclf.photos import decode_photo

from ..conftest import Once, call_fastclf
from ..drawing import COLOURS, draw_photo
from .conftest import Visit, choose, wait_true
from .pictures import find_barriers
from .sites import change_head, hosting, make_teach_site
from .test_site_page import ESCAPES

MADE = ("model", "folder", "file")
THOROUGH = pytest.mark.thorough
pytestmark = pytest.mark.slow

SCHOOL = "fastclfSite.school"
# all photos are looked at, and what they teach is learned
LEARNED = f"""(({{ project, lesson }}) => !lesson.progress && !lesson.learning && Boolean(lesson.taught)
    && lesson.taught.photos.length === project.photos.length)({SCHOOL})"""


@pytest.fixture(scope="session")
def made(once: Once) -> dict[str, Path]:
    return dict(zip(MADE, map(Path, once("teach-site", make_teach_site)), strict=True))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a class, six photos each."""
    top = tmp_path_factory.mktemp("taught")
    for label in COLOURS:
        (top / label).mkdir()
        for n in range(6):
            draw_photo(label, n, (90 + n, 60)).save(top / label / f"{label} {n}.png")
    return top


def open_page(visit: Visit, file: Path, **options: Any) -> Page:
    return visit(file.as_uri(), offline=True, **options)


def say(text: str, code: str = "en") -> str:
    return text if code == "en" else find_text(text, code)


def add_class(page: Page, name: str, files: Sequence[Path] = (), code: str = "en") -> None:
    """Add a class by the keyboard, and choose its photos."""
    page.get_by_role("button", name=say("Add a class", code), exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    if files:
        with page.expect_file_chooser() as chooser:
            find_class(page, name).get_by_role("button", name=say("Choose photos", code)).click()
        chooser.value.set_files(list(files))


def find_class(page: Page, name: str) -> Any:
    return page.locator(f'.fastclf-class[aria-label="{name}"]')


def list_files(photos: Path, label: str) -> list[Path]:
    return sorted((photos / label).iterdir())


def teach(
    page: Page, photos: Path, labels: Sequence[str] = ("red", "green", "blue"), code: str = "en"
) -> None:
    for label in labels:
        add_class(page, label, list_files(photos, label), code)
    wait_true(page, LEARNED)


def save_project(page: Page) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the project").click()
    assert download.value.suggested_filename == "project.zip"
    return Path(download.value.path()).read_bytes()


def open_project(page: Page, name: str, data: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a project").click()
    chooser.value.set_files([{"name": name, "mimeType": "application/zip", "buffer": data}])


@pytest.mark.parametrize("kind", ["folder", pytest.param("file", marks=THOROUGH)])
def test_classes_are_taught_from_a_disk_without_a_network_and_answered(
    made: dict[str, Path], visit: Visit, photos: Path, kind: str
) -> None:
    page = open_page(visit, made[kind])
    expect(page.locator(".fastclf-learned")).to_contain_text("Add a class for each thing")
    teach(page, photos)
    expect(page.locator(".fastclf-learned")).to_contain_text("Learned from 15 of 18 photos")
    expect(page.locator(".fastclf-learned")).to_contain_text(
        "right about 18 of 18 photos that it had not seen: 100 %"
    )
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("tabpanel", name="Classify")).to_contain_text("It tells apart: red, green, blue.")
    choose(page, *(list_files(photos, label)[3] for label in COLOURS))
    expect(page.locator(".fastclf-card")).to_have_count(3)
    cards = page.locator(".fastclf-card").evaluate_all(
        "items => items.map(({ fastclfCard: { card } }) => [card.name, card.label])"
    )
    assert all(name.startswith(label) for name, label in cards)
    page.locator(".fastclf-card").first.get_by_role("button", name="Why?").click()
    expect(page.locator(".fastclf-heat")).to_be_visible()
    assert page.evaluate("document.querySelector('.fastclf-note[hidden]') !== null"), (
        "the browser computes otherwise"
    )
    assert find_barriers(page) == []


def test_what_was_taught_is_there_after_a_reload_and_gone_when_started_over(
    made: dict[str, Path], visit: Visit, photos: Path
) -> None:
    page = open_page(visit, made["folder"])
    teach(page, photos, ["red", "blue"])
    page.get_by_label("Name of the project").fill("Two colours")
    page.get_by_label("Name of the project").press("Enter")
    page.reload()
    wait_true(page, LEARNED)
    expect(page.get_by_role("heading", name="Two colours")).to_be_visible()
    expect(page.locator(".fastclf-thumb img")).to_have_count(12)
    wait_true(
        page, "[...document.querySelectorAll('.fastclf-thumb img')].every((image) => image.naturalWidth)"
    )
    page.get_by_role("button", name="Start over").click()
    page.get_by_role("dialog").get_by_role("button", name="Start over").click()
    expect(page.locator(".fastclf-class")).to_have_count(0)
    page.reload()
    expect(page.locator(".fastclf-learned")).to_contain_text("Add a class for each thing")
    assert page.evaluate(f"{SCHOOL}.project.photos.length") == 0


@THOROUGH
def test_a_page_on_a_host_is_kept_and_so_is_what_was_taught(
    made: dict[str, Path], visit: Visit, photos: Path
) -> None:
    top = made["folder"].parents[3]
    with hosting(top) as host:
        url = f"{host.url}/{quote(made['folder'].parent.relative_to(top).as_posix())}/"
        page = visit(url)
        teach(page, photos, ["red", "blue"])
        assert page.evaluate("navigator.serviceWorker.ready.then(({ active }) => active.state)") in (
            "activating",
            "activated",
        )
        asked = {line.split()[1].split("?")[0] for line in host.asked}
        assert all(path.startswith(url.removeprefix(host.url)) for path in asked), asked
        page.wait_for_timeout(500)
    # the host is gone
    page.goto(f"{url}index.html")
    wait_true(page, LEARNED)
    expect(page.locator(".fastclf-class")).to_have_count(2)


@THOROUGH
def test_each_step_can_be_undone(made: dict[str, Path], visit: Visit, photos: Path) -> None:
    page = open_page(visit, made["folder"])
    teach(page, photos, ["red", "blue"])
    count = f"{SCHOOL}.project.photos.length"
    find_class(page, "blue").get_by_role("button", name="Remove blue").click()
    assert page.evaluate(count) == 6
    page.locator(".fastclf-toast").get_by_role("button", name="Undo").click()
    wait_true(page, f"{count} === 12")
    find_class(page, "red").locator(".fastclf-thumb").first.click()
    viewer = page.get_by_role("dialog", name="The photo, large")
    viewer.get_by_role("button", name="Move to blue").click()
    expect(find_class(page, "blue")).to_contain_text("7 photos")
    viewer.get_by_role("button", name="Remove", exact=True).click()
    page.keyboard.press("Escape")
    wait_true(page, f"{count} === 11")
    undo = page.locator(".fastclf-teach-bar").get_by_role("button", name="Undo")
    undo.click()
    undo.click()
    expect(page.locator(".fastclf-teach")).to_contain_text("Undone: moving a photo to blue")
    expect(find_class(page, "red")).to_contain_text("6 photos")
    field = find_class(page, "red").get_by_label("Name of the class")
    field.fill("blue")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="There is a class called blue already.")).to_be_visible()
    page.reload()
    wait_true(page, LEARNED)
    assert page.evaluate(count) == 12


@THOROUGH
def test_a_wrong_label_is_doubted_and_moved(made: dict[str, Path], visit: Visit, photos: Path) -> None:
    page = open_page(visit, made["folder"])
    add_class(page, "red", [*list_files(photos, "red"), list_files(photos, "blue")[0]])
    add_class(page, "blue", list_files(photos, "blue")[1:])
    wait_true(page, LEARNED)
    page.get_by_role("tab", name="Check").click()
    doubt = page.locator(".fastclf-doubt")
    expect(doubt).to_have_count(1)
    expect(doubt).to_contain_text("In red, looks like blue")
    expect(page.locator(".fastclf-confusion-host table")).to_be_visible()
    assert find_barriers(page) == []
    doubt.get_by_role("button", name="Move to blue").click()
    expect(page.locator(".fastclf-doubts")).to_have_count(0)
    wait_true(page, f"String({SCHOOL}.lesson.countMixUps()) === '6,0,0,6'")
    page.locator(".fastclf-toast").get_by_role("button", name="Undo").click()
    expect(doubt).to_have_count(1)
    doubt.get_by_role("button", name="Keep").click()
    expect(doubt).to_have_count(0)
    assert page.evaluate(f"{SCHOOL}.project.list({SCHOOL}.project.classes[0].id).length") == 7


@THOROUGH
def test_a_wrong_answer_becomes_a_photo_to_learn_from(
    made: dict[str, Path], visit: Visit, photos: Path
) -> None:
    page = open_page(visit, made["folder"])
    teach(page, photos, ["red", "blue"])
    page.get_by_role("tab", name="Classify").click()
    choose(page, list_files(photos, "green")[0])
    card = page.locator(".fastclf-card")
    before = card.evaluate("item => item.fastclfCard.card.probability")
    card.get_by_role("button", name="That's wrong").click()
    other = card.locator("select option").nth(1).text_content()
    card.locator("select").select_option(label=other)
    card.get_by_role("button", name="Teach it").click()
    wait_true(page, f"{SCHOOL}.project.photos.length === 13")
    wait_true(page, LEARNED)
    # the card is answered again by what was learned
    wait_true(page, f"document.querySelector('.fastclf-card').fastclfCard.card.probability !== {before}")


CAMERA = """navigator.mediaDevices.getUserMedia = async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const context = canvas.getContext("2d");
    let n = 0;
    window.colour = [220, 30, 30];
    setInterval(() => {
        n += 1;
        context.fillStyle = `rgb(${window.colour.map((c) => c + (n % 20)).join(" ")})`;
        context.fillRect(0, 0, 320, 240);
    }, 40);
    return canvas.captureStream(20);
};"""


@THOROUGH
def test_frames_of_one_press_are_one_group(made: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script(CAMERA)
    page.goto(made["folder"].as_uri())
    for name, colour in (("red", "[220, 30, 30]"), ("blue", "[30, 30, 220]")):
        add_class(page, name)
        page.evaluate(f"window.colour = {colour}")
        find_class(page, name).get_by_role("button", name="Camera").click()
        sheet = page.get_by_role("dialog", name=f"Photos of {name}")
        hold = sheet.get_by_role("button", name="Hold to take photos")
        expect(hold).to_be_enabled()
        page.wait_for_timeout(300)
        for press in range(2):
            if press:
                hold.focus()
                page.keyboard.down("Enter")
            else:
                hold.hover()
                page.mouse.down()
            taken = f"{SCHOOL}.project.photos.length"
            wait_true(page, f"{taken} >= {page.evaluate(taken) + 3}")
            page.keyboard.up("Enter") if press else page.mouse.up()
            wait_true(page, f"!{SCHOOL}.lesson.progress")
        assert find_barriers(page) == []
        sheet.get_by_role("button", name="Close").click()
        expect(sheet).to_have_count(0)
        expect(find_class(page, name).get_by_role("button", name="Camera")).to_be_focused()
    wait_true(page, LEARNED)
    groups = page.evaluate(f"{SCHOOL}.project.photos.map(({{ group }}) => group)")
    assert len(set(groups)) == 4
    assert min(groups.count(name) for name in set(groups)) >= 3
    judged = page.evaluate(f"{SCHOOL}.lesson.taught.judged")
    assert (judged["photos"], judged["groups"]) == (len(groups), 4)
    # a frame of a burst is no file of a stranger's: all lie on one side
    sides = page.evaluate(
        f"(({{ groups, valid }}) => groups.map((g, i) => g + valid[i]))({SCHOOL}.lesson.taught)"
    )
    assert len(set(sides)) == 4
    context.close()


def test_a_saved_project_holds_what_python_computes_and_is_opened_again(
    made: dict[str, Path], visit: Visit, photos: Path
) -> None:
    page = open_page(visit, made["folder"])
    teach(page, photos)
    data = save_project(page)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        table = json.loads(archive.read("project.json"))
        found = {p["file"]: decode_photo(archive.read(p["file"])).image for p in table["photos"]}
    body = Backbone.of_model(ModelBundle.load(made["model"]))
    assert table["backbone"] == {"name": "toy", "features_id": body.features_id, "precision": "float32"}
    weight, bias = (
        np.frombuffer(base64.b64decode(table["head"][name]), "<f4") for name in ("weight", "bias")
    )
    session = open_graph(cut_graph(body.graph, with_maps=False, int8=False))
    for known in table["parity"]:
        [features] = session.run(["features"], {"image": body.preprocess.batch([found[known["file"]]])})
        probs = compute_softmax(features @ weight.reshape(table["head"]["shape"]).T + bias)[0]
        # another decoder of JPEGs may differ by a level
        assert known["probabilities"] == pytest.approx(probs, abs=5e-3)
    other = open_page(visit, made["file"])
    open_project(other, "project.zip", data)
    wait_true(other, LEARNED)
    again = json.loads(zipfile.ZipFile(io.BytesIO(save_project(other))).read("project.json"))
    facts = ("vocab", "photos", "judged", "title")
    assert {k: again[k] for k in facts} == {k: table[k] for k in facts}
    assert again["head"]["weight"] == table["head"]["weight"]


def test_a_model_that_is_imported_answers_as_the_page_did(
    made: dict[str, Path], visit: Visit, photos: Path, tmp_path: Path
) -> None:
    page = open_page(visit, made["folder"])
    teach(page, photos)
    (tmp_path / "project.zip").write_bytes(save_project(page))
    page.get_by_role("tab", name="Classify").click()
    asked = [tmp_path / f"{label} new.png" for label in COLOURS]
    for label, file in zip(COLOURS, asked, strict=True):
        draw_photo(label, 77, (80, 70)).save(file)
    choose(page, *asked)
    expect(page.locator(".fastclf-card")).to_have_count(len(asked))
    there = page.locator(".fastclf-card").evaluate_all(
        "items => Object.fromEntries(items.map(({ fastclfCard: { card } }) => [card.name, [card.label, card.probability]]))"
    )
    places = ["--out", tmp_path / "taught", "--photos", tmp_path / "photos", "--model", made["model"]]
    done = call_fastclf("import", tmp_path / "project.zip", *places, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bundle = ModelBundle.load(tmp_path / "taught")
    with Predictor(bundle) as predictor:
        for file in asked:
            logits, _ = predictor.run(bundle.preprocess.batch([bundle.preprocess.decode(file).image]))
            # the page knows no temperature
            probs = dict(zip(bundle.vocab, compute_softmax(logits)[0], strict=True))
            label, probability = there[file.name]
            assert max(probs, key=probs.__getitem__) == label
            assert probs[label] == pytest.approx(probability, abs=1e-3)


def test_what_was_taught_becomes_a_page_of_its_own(
    made: dict[str, Path], visit: Visit, photos: Path, tmp_path: Path
) -> None:
    page = open_page(visit, made["folder"])
    teach(page, photos)
    page.get_by_label("Name of the project").fill("Three </script><b> colours & more")
    page.get_by_label("Name of the project").press("Enter")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a page").click()
    assert download.value.suggested_filename.endswith(".html")
    download.value.save_as(tmp_path / "shared.html")
    choose_after = list_files(photos, "blue")[2]
    page.get_by_role("tab", name="Classify").click()
    choose(page, choose_after)
    expect(page.locator(".fastclf-card")).to_have_count(1)
    probability = "item => item.fastclfCard.card.probability"
    known = page.locator(".fastclf-card").evaluate(probability)
    shared = open_page(visit, tmp_path / "shared.html")
    expect(shared.get_by_role("heading", level=1)).to_have_text("Three </script><b> colours & more")
    expect(shared.locator(".fastclf-loading")).to_have_count(0)
    choose(shared, choose_after)
    expect(shared.locator(".fastclf-card")).to_contain_text("blue")
    assert shared.locator(".fastclf-card").evaluate(probability) == pytest.approx(known, abs=1e-6)
    shared.get_by_role("tab", name="About").click()
    expect(shared.locator(".fastclf-about")).to_contain_text("Taught in a browser with 18 photos")
    expect(shared.locator(".fastclf-confusion-host table")).to_be_visible()
    assert find_barriers(shared) == []
    rules = shared.locator("meta[http-equiv]").get_attribute("content")
    assert "default-src 'none'" in rules
    assert "%" not in rules
    assert "connect-src" not in rules


@pytest.mark.parametrize(
    "name", ["page", *(pytest.param(n, marks=THOROUGH) for n in ("head", "worker", "graph"))]
)
def test_a_part_that_is_not_the_pages_own_is_told(
    made: dict[str, Path], visit: Visit, photos: Path, tmp_path: Path, name: str
) -> None:
    site = Path(shutil.copytree(made["folder"].parent, tmp_path / "site"))
    other = base64.b64encode(gzip.compress(b'{"scripts": ["window.pwned = 1"]}')).decode()
    (site / "parts" / f"{name}.js").write_text(f'fastclfTake("{name}",0,1,"{other}");')
    page = open_page(visit, site / "index.html")
    if name == "page":  # which is read when one is written
        teach(page, photos, ["red", "blue"])
        page.get_by_role("button", name="Save as a page").click()
    expect(
        page.get_by_role("alert").filter(has_text=f"A part of this page is damaged ({name}).")
    ).to_be_visible()


@THOROUGH
def test_a_head_that_does_not_fit_the_network_is_not_taught_on(
    made: dict[str, Path], visit: Visit, tmp_path: Path
) -> None:
    site = Path(shutil.copytree(made["folder"].parent, tmp_path / "site"))
    change_head(site / "parts", lambda values: values["arrays"]["known"].update(length=2))
    page = open_page(visit, site / "index.html")
    expect(
        page.get_by_role("alert").filter(has_text="A part of this page is damaged (head).")
    ).to_be_visible()


def test_projects_of_teachable_machine_and_bad_files(
    made: dict[str, Path], visit: Visit, photos: Path
) -> None:
    page = open_page(visit, made["folder"])
    samples = io.BytesIO()
    with zipfile.ZipFile(samples, "w") as archive:
        archive.writestr("manifest.json", "{}")
        for label in ("red", "blue"):
            for n, file in enumerate(list_files(photos, label)):
                archive.writestr(f"{label}-!-{n}.png", file.read_bytes())
    open_project(page, "mine.tm", samples.getvalue())
    wait_true(page, LEARNED)
    assert page.evaluate(f"{SCHOOL}.lesson.vocab") == ["red", "blue"]
    open_project(page, "bad.zip", b"no zip")
    expect(page.get_by_role("alert").filter(has_text="bad.zip is no zip file.")).to_be_visible()
    open_project(page, "cut.tm", samples.getvalue()[:3000])
    expect(page.get_by_role("alert").filter(has_text="cut.tm is no zip file.")).to_be_visible()
    assert page.evaluate(f"{SCHOOL}.project.photos.length") == 12
    assert find_barriers(page) == []


@THOROUGH
def test_folders_become_classes_and_dropped_files_go_to_the_class_below(
    made: dict[str, Path], visit: Visit, photos: Path
) -> None:
    page = open_page(visit, made["folder"])
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add a folder of classes").click()
    chooser.value.set_files(str(photos))
    wait_true(page, LEARNED)
    assert sorted(page.evaluate(f"{SCHOOL}.lesson.vocab")) == sorted(COLOURS)
    drop = """([selector, text, name]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
        const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.querySelector(selector).dispatchEvent(event);
    }"""
    photo = io.BytesIO()
    draw_photo("red", 77, (50, 50)).save(photo, "PNG")
    given = base64.b64encode(photo.getvalue()).decode()
    page.evaluate(drop, ['.fastclf-class[aria-label="red"] ul', given, "one.png"])
    expect(find_class(page, "red")).to_contain_text("7 photos")
    page.evaluate(drop, [".fastclf-learned", given, "one.png"])
    expect(page.get_by_role("alert").filter(has_text="Drop photos onto the class")).to_be_visible()
    # the same photo is in its class already
    page.evaluate(drop, ['.fastclf-class[aria-label="red"]', given, "one.png"])
    wait_true(page, LEARNED)
    expect(find_class(page, "red")).to_contain_text("7 photos")


@THOROUGH
def test_photos_that_cannot_be_read_are_named(
    made: dict[str, Path], visit: Visit, photos: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.jpg"
    notes.write_bytes(b"no photo at all")
    page = open_page(visit, made["folder"])
    add_class(page, "red", [*list_files(photos, "red")[:2], notes])
    expect(
        page.get_by_role("alert").filter(has_text="notes.jpg is no photo that this browser reads")
    ).to_be_visible()
    assert page.evaluate(f"{SCHOOL}.project.photos.length") == 2
    expect(page.locator(".fastclf-learned")).to_contain_text("It needs photos of two classes at least.")


DENIED = "Object.defineProperty(window, 'indexedDB', { value: { open() { throw new DOMException('no', 'SecurityError'); } } });"
FULL = """const put = IDBObjectStore.prototype.put;
let n = 0;
IDBObjectStore.prototype.put = function (...given) {
    if (this.name === "pictures" && ++n > 3) throw new DOMException("full", "QuotaExceededError");
    return put.apply(this, given);
};"""


@THOROUGH
@pytest.mark.parametrize(
    ("script", "words"),
    [
        (DENIED, "This browser keeps nothing for this page"),
        (FULL, "The browser has no more room for this page"),
    ],
    ids=["denied", "full"],
)
def test_a_browser_that_keeps_nothing_is_told_and_teaching_goes_on(
    made: dict[str, Path], browser: Browser, photos: Path, script: str, words: str
) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script(script)
    page.goto(made["folder"].as_uri())
    teach(page, photos, ["red", "blue"])
    expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
    with zipfile.ZipFile(io.BytesIO(save_project(page))) as archive:
        assert len(json.loads(archive.read("project.json"))["photos"]) == 12
    context.close()


@THOROUGH
def test_a_second_tab_does_not_write_over_the_first(
    made: dict[str, Path], browser: Browser, photos: Path
) -> None:
    context = browser.new_context()
    first, second = context.new_page(), context.new_page()
    with hosting(made["folder"].parent) as host:
        first.goto(host.url)
        teach(first, photos, ["red", "blue"])
        second.goto(host.url)
        expect(second.get_by_role("alert").filter(has_text="open in another tab")).to_be_visible()
        add_class(second, "green")
        first.reload()
        wait_true(first, LEARNED)
        assert first.evaluate(f"{SCHOOL}.lesson.vocab") == ["red", "blue"]
    context.close()


@pytest.mark.parametrize("kind", ["folder", pytest.param("file", marks=THOROUGH)])
def test_nothing_gets_out_of_the_page(
    made: dict[str, Path], visit: Visit, photos: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "other").mkdir()
    with hosting(tmp_path / "other") as other:
        page = visit(made[kind].as_uri())
        teach(page, photos, ["red", "blue"])
        for name, act in ESCAPES.items():
            page.evaluate(f"(URL) => {{ try {{ {act}; }} catch {{}} }}", f"{other.url}/{quote(name)}-")
        page.wait_for_timeout(800)
        assert other.asked == []


@pytest.mark.parametrize(
    ("code", "width", "scheme"),
    [
        ("ar", 360, "dark"),
        pytest.param("en", 1000, "light", marks=THOROUGH),
        *(
            pytest.param(code, width, scheme, marks=THOROUGH)
            for code in LANGUAGES
            for width in (360, 1440)
            for scheme in ("light", "dark")
        ),
    ],
)
def test_no_barrier_stands_in_the_way_in_any_language(
    made: dict[str, Path], visit: Visit, photos: Path, code: str, width: int, scheme: str
) -> None:
    page = open_page(visit, made["folder"], width=width, scheme=scheme, language=code)
    assert find_barriers(page) == []
    teach(page, photos, ["red", "green", "blue"], code)
    assert page.evaluate("document.documentElement.lang") == code
    for tab in ("Teach", "Check", "Classify"):
        page.get_by_role("tab", name=say(tab, code), exact=True).click()
        page.wait_for_timeout(200)
        assert find_barriers(page) == [], tab
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab


@THOROUGH
def test_a_thousand_photos_are_taught_and_come_back(
    made: dict[str, Path], visit: Visit, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    page = open_page(visit, made["folder"])
    for label in ("red", "green", "blue", "grey"):
        files = []
        for n in range(250):
            colour = np.array(COLOURS.get(label, (130, 130, 130)))
            noise = np.clip(colour + rng.normal(0, 25, (40, 50, 3)), 0, 255).astype(np.uint8)
            files.append(tmp_path / f"{label} {n}.png")
            Image.fromarray(noise).save(files[-1])
        add_class(page, label, files)
    wait_true(page, f"{SCHOOL}.project.photos.length === 1000", 300)
    wait_true(page, LEARNED, 120)
    told = page.evaluate(f"(({{ judged, ms }}) => ({{ judged, ms }}))({SCHOOL}.lesson.taught)")
    assert told["judged"]["right"] > 990
    page.reload()
    wait_true(page, LEARNED, 120)
    assert page.evaluate(f"{SCHOOL}.project.photos.length") == 1000
    data = save_project(page)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.namelist()) == 1002
