"""What `fastclf serve` says once it answers: where a phone opens the page, and which sites may show it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastclf.cli.phone import tell_phone
from fastclf.sharing import draw_qr

URL = "http://localhost:8866/bears/"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A network in which this machine has an address, once a test names one."""
    found: dict[str, str] = {}

    class Probe:
        def __init__(self, *_: Any) -> None: ...

        def connect(self, _: Any) -> None:
            if not found:
                raise OSError("there is no network")

        def getsockname(self) -> tuple[str, int]:
            return found["address"], 1

        def close(self) -> None: ...

    names = SimpleNamespace(AF_INET=0, SOCK_DGRAM=0, socket=Probe)
    monkeypatch.setattr("fastclf.cli.phone.socket", names)
    return found


def test_a_server_for_other_machines_says_its_address_in_the_network(
    network: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network["address"] = "192.168.3.4"
    tell_phone(URL, "0.0.0.0", "")
    link = "http://192.168.3.4:8866/bears/"
    assert capsys.readouterr().err == f"A phone in the same network opens {link}\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    tell_phone(URL, "192.168.3.4", "")
    assert draw_qr(link) in capsys.readouterr().err
    tell_phone(URL, "fd00::2", "")
    assert "http://[fd00::2]:8866/bears/" in capsys.readouterr().err


def test_where_no_phone_gets_in_none_is_led_there(
    network: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_phone(URL, "0.0.0.0", "")
    network["address"] = "192.168.3.4"
    for host, named in (("127.0.0.1", ""), ("localhost", ""), ("::1", ""), ("0.0.0.0", "photos.example")):
        tell_phone(URL, host, named)
    monkeypatch.setenv("FASTCLF_HOSTS", "photos.example")
    tell_phone(URL, "0.0.0.0", "")
    assert capsys.readouterr().err == ""
