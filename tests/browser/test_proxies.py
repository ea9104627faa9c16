"""The walk of a visitor through a proxy with TLS, under a path: nginx and Caddy, with the lines that we write."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fastclf.inbox import Inbox
from fastclf.sharing import write_container

from ..conftest import ROOT
from .conftest import CHROMIUM_FLAGS, choose, find_chromium, hold_line, wait_true
from .proxies import DOMAIN, PROXIES, run_proxy
from .servers import Server, build_checkout, start, stop

pytestmark = pytest.mark.thorough

SAMPLE = ROOT / ".binder" / "model"


@pytest.fixture(scope="module")
def mapped(browser: Browser) -> Iterator[Browser]:
    """A browser that finds the proxy's name on this machine."""
    flags = [*CHROMIUM_FLAGS, f"--host-resolver-rules=MAP {DOMAIN} 127.0.0.1"]
    found = browser.browser_type.launch(executable_path=find_chromium(), args=flags)
    yield found
    found.close()


@pytest.fixture(scope="module", params=["/", "/bears/"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path, str]]:
    """(server, folder of the written files, path): what the files' own command would start."""
    folder = tmp_path_factory.mktemp("served")
    write_container(folder / "files", SAMPLE, domain=DOMAIN, base_url=request.param)
    build_checkout(folder / "checkout", model=SAMPLE)
    options = [f"--base-url={request.param}", "--inbox=inbox.sqlite"]
    server = start("serve", folder / "checkout", options, {"FASTCLF_HOSTS": DOMAIN})
    yield server, folder / "files", request.param
    assert stop(server.process) == []


@pytest.mark.parametrize("name", PROXIES)
def test_a_visitor_walks_through_a_proxy_with_tls(
    name: str, served: tuple[Server, Path, str], mapped: Browser, tmp_path: Path
) -> None:
    server, files, path = served
    upstream = server.root.removeprefix("http://").strip("/")
    with run_proxy(name, tmp_path / "proxy", files, upstream) as address:
        context = mapped.new_context(ignore_https_errors=True, locale="en-US")
        page = context.new_page()
        page.set_default_timeout(60_000)
        faults: list[str] = []
        page.on("console", lambda m: m.type == "error" and faults.append(m.text))
        page.on("pageerror", lambda e: faults.append(str(e)))
        # without its last slash, as people type it
        hold_line(page)
        page.goto(f"{address}{path.rstrip('/')}")
        assert page.url == f"{address}{path}"
        walk(page, server)
        assert faults == []
        context.close()


def walk(page: Page, server: Server) -> None:
    """Let photos be answered, ask why, report, read About, lose the line, come back."""
    cards = page.locator(".fastclf-card")
    choose(page, *sorted((SAMPLE / "examples").iterdir())[:3])
    expect(cards).to_have_count(3)
    for card, digit in zip(cards.all(), "012", strict=True):
        expect(card.get_by_role("heading")).to_contain_text(f"{digit}, ")
    cards.first.get_by_role("button", name="Why?").click()
    expect(page.locator(".fastclf-heat").first).to_be_visible()
    cards.first.get_by_role("button", name="That's wrong").click()
    page.get_by_label("What is it really?").select_option("8")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").filter(has_text="Thank you")).to_be_visible()
    report = Inbox(server.folder / "inbox.sqlite").reports()[-1]
    assert (report.answer, report.label) == ("0", "8")
    page.get_by_role("tab", name="About").click()
    expect(page.get_by_role("tabpanel").filter(has_text="Handwritten digits")).to_be_visible()
    page.get_by_role("tab", name="Classify").click()
    # the line breaks and is mended through the proxy
    page.evaluate("line.close()")
    wait_true(page, "line.readyState === 1")
    page.reload()
    expect(cards).to_have_count(3)


def test_the_written_lines_are_what_the_proxies_accept(tmp_path: Path) -> None:
    if not shutil.which("caddy"):
        pytest.skip("caddy is not installed (Debian: apt install caddy)")
    import subprocess

    for base in ("/", "/bears/"):
        write_container(tmp_path / base.strip("/") / "files", domain=DOMAIN, base_url=base)
        file = tmp_path / base.strip("/") / "files" / "Caddyfile"
        done = subprocess.run(
            ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(file)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert '"127.0.0.1:8866"' in done.stdout
