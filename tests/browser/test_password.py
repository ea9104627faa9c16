"""A dashboard behind passwords, in a browser: asked for in the visitor's language, and only owners clean."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from fastclf.server import make_password_line

from .pictures import find_barriers
from .servers import build_checkout, start, stop

pytestmark = pytest.mark.slow


def test_visitors_and_owners_sign_in_and_only_owners_clean(
    browser: Browser, toy_model: Path, tmp_path: Path
) -> None:
    folder = build_checkout(tmp_path / "site", model=toy_model)
    (folder / "visitors.txt").write_text("visitors please\n")
    (folder / "owners.txt").write_text(make_password_line("owner of it all"))
    (folder / "fastclf.toml").write_text('title = "Mugs"\npassword-file = "visitors.txt"\n')
    server = start("serve", folder, ["--owner-password-file", "owners.txt"])
    try:
        for locale, password, tabs in (("es", "visitors please", 2), ("en", "owner of it all", 3)):
            context = browser.new_context(locale=locale)
            page = context.new_page()
            # in a frame it is not asked for
            page.goto(f"{server.url}?embed")
            words = "Abrir en su propia página" if locale == "es" else "Open in a page of its own"
            with context.expect_page() as opened:
                page.get_by_role("button", name=words).click()
            assert find_barriers(page) == []
            page.close()
            page = opened.value
            expect(page.get_by_role("heading", name="Mugs")).to_be_visible()
            field = page.get_by_label("Contraseña" if locale == "es" else "Password")
            expect(field).to_be_focused()
            assert find_barriers(page) == []
            field.fill("no such one")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_have_text(
                "Esa no es la contraseña." if locale == "es" else "That is not the password."
            )
            field.fill(password)
            page.keyboard.press("Enter")
            expect(page.get_by_role("tab")).to_have_count(tabs, timeout=60_000)
            context.close()
    finally:
        assert stop(server.process) == []
