"""Places for visitors, and the title on the starting page."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tornado.web import HTTPError

from fastclf.server.kernels import GraceKernelManager, find_title, read_max_visitors


@pytest.mark.parametrize(
    ("value", "expected"), [("3", 3), (" 7 ", 7), ("", 20), ("0", 20), ("-1", 20), ("many", 20)]
)
def test_the_number_of_places_is_the_settings_or_twenty(
    value: str, expected: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FASTCLF_MAX_VISITORS", value)
    assert read_max_visitors() == expected
    assert ("FASTCLF_MAX_VISITORS" in caplog.text) == (value in ("0", "-1", "many"))


def test_the_title_is_the_makers_then_the_models_then_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FASTCLF_TITLE", "FASTCLF_MODEL"):
        monkeypatch.delenv(name, raising=False)
    assert find_title(tmp_path) == ""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "bundle.json").write_text(json.dumps({"title": "Bears"}))
    assert find_title(tmp_path) == "Bears"
    (tmp_path / "model" / "bundle.json").write_text("[1")
    assert find_title(tmp_path) == ""
    (tmp_path / "model" / "bundle.json").write_text("[1]")
    assert find_title(tmp_path) == ""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "bundle.json").write_text(json.dumps({"title": "Birds"}))
    monkeypatch.setenv("FASTCLF_MODEL", str(tmp_path / "other"))
    assert find_title(Path("elsewhere")) == "Birds"
    monkeypatch.setenv("FASTCLF_TITLE", "My own")
    assert find_title(tmp_path) == "My own"


def test_visitors_on_the_way_take_places_and_waiting_kernels_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

    monkeypatch.setenv("FASTCLF_MAX_VISITORS", "2")

    async def start_slowly(self: GraceKernelManager, **kwargs: object) -> str:
        await asyncio.sleep(0.05)
        name = f"kernel-{len(self._kernels)}"
        self._kernels[name] = object()
        return name

    monkeypatch.setattr(AsyncMappingKernelManager, "start_kernel", start_slowly)

    async def come() -> list[object]:
        manager = GraceKernelManager()
        await manager.start_kernel(env={"VOILA_PREHEAT": "True"})
        assert manager.visitors == 0
        visits = [manager.start_kernel(env={"VOILA_PREHEAT": "False"}) for _ in range(3)]
        found = await asyncio.gather(*visits, return_exceptions=True)
        assert manager.visitors == 2
        # a waiting kernel is started whoever is there
        await manager.start_kernel(env={"VOILA_PREHEAT": "True"})
        assert manager.visitors == 2
        manager._kernels.pop(str(found[0]))
        await manager.start_kernel()
        return list(found)

    # a browser test before this one leaves its loop running in the main thread
    with ThreadPoolExecutor(1) as pool:
        *let_in, refused = pool.submit(asyncio.run, come()).result()
    assert all(isinstance(name, str) for name in let_in)
    assert isinstance(refused, HTTPError)
    assert refused.status_code == 503
