"""The widget Output in the served page: what plain notebooks of ipywidgets print and show, and nothing that acts."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ..drawing import draw_photo
from .conftest import Publish
from .pictures import keep
from .servers import Server

pytestmark = pytest.mark.slow

# the app of the fast.ai course: three parts of ipywidgets, and code between them
CODE = """
import io, sys
import ipywidgets as widgets
from IPython.display import HTML, clear_output, display
from PIL import Image

upload, run, out = widgets.FileUpload(description="Upload"), widgets.Button(description="Classify"), widgets.Output()
ask, inner, held = widgets.Button(description="Ask"), widgets.Button(description="Inside"), widgets.Label("nothing held")
with out:
    print("first", end=" ")
    print("words")

def on_classify(_):
    out.clear_output()
    image = Image.open(io.BytesIO(upload.value[0].content))
    with out:
        display(image.resize((128, 96)))
        print(f"{image.width} x {image.height}")
    held.value = f"{len(out.outputs)} held"

@out.capture(clear_output=True, wait=True)
def on_ask(_):
    print("10 %", end=chr(13))
    print("done " + chr(27) + "[31mred" + chr(27) + "[0m")
    print("careful", file=sys.stderr)
    display(HTML('<table><tr><th onclick="document.title=1">a</th></tr><tr><td>42</td></tr></table>'
                 '<script>document.title = "run"</script><img src="x" onerror="document.title = 2">'
                 '<a href="javascript:document.title=3">go</a><style>* { display: none }</style>'
                 '<form action="/away"><b>kept</b></form><svg onload="document.title = 4"></svg>'))
    display(inner)
    other = widgets.Output()
    display(other)
    with other:
        print("in another")
    raise ValueError("no such <b>photo</b>")

inner.on_click(lambda _: setattr(inner, "description", "Pressed inside"))
run.on_click(on_classify)
ask.on_click(on_ask)
widgets.VBox([widgets.HTML("<h1>My classifier</h1>"), upload, run, ask, out, held])
"""


@pytest.fixture
def server(publish: Publish) -> Server:
    return publish("output", CODE)


def test_an_app_of_file_upload_button_and_output_works(server: Server, page: Page, tmp_path: Path) -> None:
    page.goto(server.url)
    out = page.locator(".fastclf-output").first
    # what was printed before anybody came
    expect(out).to_have_text("first words\n")
    photo = tmp_path / "a.png"
    draw_photo("red", 0, (64, 48)).save(photo)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(photo)
    page.get_by_role("button", name="Classify").click()
    expect(out).to_have_text("64 x 48\n")
    picture = out.get_by_role("img")
    expect(picture).to_have_js_property("naturalWidth", 128)
    # the kernel reads what is shown
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_text("2 held")).to_be_visible()
    keep(page, "output-app")


def test_what_is_shown_is_words_pictures_tables_and_widgets_and_acts_never(
    server: Server, page: Page
) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Ask").click()
    out = page.locator(".fastclf-output").first
    expect(out).to_contain_text("done red")
    expect(out).to_contain_text("careful")
    expect(out.get_by_role("cell", name="42")).to_be_visible()
    expect(out.locator("b")).to_have_text("kept")
    expect(out.locator(".fastclf-output")).to_have_text("in another\n")
    # an error is a sentence: no traceback, no markup
    expect(out).to_contain_text("ValueError: no such <b>photo</b>")
    for absent in ("first words", "10 %", "Traceback", "on_ask", "document.title", "display: none"):
        assert absent not in out.inner_text()
    assert page.locator(".fastclf-output :is(script, style, svg, form)").count() == 0
    assert page.locator(".fastclf-output :is([onerror], [onclick], [href], img)").count() == 0
    assert page.title() == "A small page"
    out.get_by_role("button", name="Inside").click()
    expect(out.get_by_role("button", name="Pressed inside")).to_be_visible()
    page.emulate_media(color_scheme="dark")
    keep(page, "output-all-dark")
