"""Measure the architectures that `fastclf archs` lists: answers a second, and accuracy from new weights."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from verdicts import print_table, tell

BASELINE = "resnet18"


def main() -> None:
    options = _parse()
    names = options.archs or [facts.name for facts in list_archs()]
    results: list[dict[str, Any]] = []
    if options.photos is None:
        results = measure_speed(names, options.size, options.rounds)
        print_table(SPEED_HEADS, [_speed_row(r, results) for r in results])
    else:
        results = measure_from_scratch(options, names)
        print_table(SCRATCH_HEADS, [_scratch_row(r, results) for r in results])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
