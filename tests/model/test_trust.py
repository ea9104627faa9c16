"""An exported Learner is code: without a word for it the file is not even opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf.errors import UsageError
from fastclf.model import check_trusted


def test_a_pickle_is_not_opened_unless_somebody_says_so(tmp_path: Path) -> None:
    file = tmp_path / "export.pkl"
    file.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(UsageError, match="--trust-pickle"):
        check_trusted(file, trust_pickle=False)
    check_trusted(file, trust_pickle=True)
    with pytest.raises(UsageError, match="no file"):
        check_trusted(tmp_path / "other.pkl", trust_pickle=True)
