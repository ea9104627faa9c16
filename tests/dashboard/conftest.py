"""Every test of the dashboard begins and ends in English."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastclf.dashboard.texts import language


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    # what this test has built would say all its words again, in every test after it
    language.unobserve_all("code")
    language.code, language.maker = "en", {}


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no pretrained weights are installed: the tests of the check look through these."""
    monkeypatch.setattr("fastclf.check.inputs.find_packaged", lambda: None)
