"""The path before all addresses: how it may be written, and a server that stands below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf.errors import ServingError
from fastclf.server import check_serving, read_base_url

from ..browser.servers import build_checkout, fetch, start, stop
from ..conftest import call_fastclf


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"), ("", "/"), (" /bears/ ", "/bears/"), ("bears", "/bears/"), ("/my/own_bears-2/", "/my/own_bears-2/"),
        ("/v1.2/~ann", "/v1.2/~ann/"), ("//bears//", "/bears/"),
    ],
)  # fmt: skip
def test_a_path_gets_a_slash_at_both_ends(text: str, path: str) -> None:
    assert read_base_url(text) == path


@pytest.mark.parametrize(
    "text",
    ["https://example.org/bears", "/a//b", "/../etc", "/a b/", "/bären/", "/a%2fb", "/a?b", "/.hidden"],
)
def test_what_is_no_path_is_refused_before_anything_starts(text: str, toy_model: Path) -> None:
    with pytest.raises(ServingError, match="write the path alone, as in /bears/"):
        check_serving(toy_model, host="127.0.0.1", port=8866, base_url=text)
    done = call_fastclf("serve", toy_model, "--base-url", text, cwd=toy_model.parent)
    assert done.returncode == 1
    assert "--base-url is" in done.stderr


@pytest.mark.slow
def test_a_server_below_a_path_answers_there_and_nowhere_else(toy_model: Path, tmp_path: Path) -> None:
    server = start("serve", build_checkout(tmp_path / "checkout", model=toy_model), ["--base-url=/bears"])
    try:
        status, page = fetch(f"{server.url}bears/")
        assert status == 200
        assert b'"/bears/voila/templates/fastclf/static/client.js' in page
        assert b'"baseUrl": "/bears/"' in page
        assert fetch(f"{server.url}bears/voila/templates/fastclf/static/licences.txt")[0] == 200
        assert {
            fetch(f"{server.url}{path}")[0] for path in ("", "voila/templates/fastclf/static/client.js")
        } == {404}
        log = (server.folder / "server.log").read_text()
        assert f"The dashboard is at {server.url.replace('127.0.0.1', 'localhost')}bears/ (" in log
    finally:
        stop(server.process)
