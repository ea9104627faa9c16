"""The page's modules, run by node."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import hatch_build

from .conftest import ROOT


def run_node(script: str, given: Any = None) -> Any:
    """Return what a module writes as JSON; `given` is its global of that name, and it lies in `page/src/site/`."""
    [node], _ = hatch_build.find_node()
    source = f"const given = JSON.parse(await new Response(process.stdin).text());\n{script}"
    done = subprocess.run(
        [node, "--input-type=module", "--eval", source],
        cwd=ROOT / "page" / "src" / "site",
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
