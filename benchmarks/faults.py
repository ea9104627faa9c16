"""Plant faults in copies of labelled folders and count what the check finds of them."""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import planting
from finding import MEASURES, PIXELS, Ground, Row
from verdicts import judge, print_table, tell

from fastclf.catalog import Catalog
from fastclf.model import ModelBundle

LABELS = 0.85
ODD = ("AUROC", "ours recall", "ours precision")


def main() -> int:
    """Plant, check and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="one sub-folder a class")
    parser.add_argument("--kinds", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--foreign", type=Path, help="labelled folder of other photos (default: another DIR)")
    parser.add_argument("--model", type=Path, help="bundle whose body gives features")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3, help="how many drawings, beginning at --seed")
    parser.add_argument("--json", type=Path, help="file for every number")
    args = parser.parse_args()
    rows: list[Row] = []
    for folder in args.folders:
        foreign = args.foreign or next((f for f in args.folders if f != folder), None)
        with tempfile.TemporaryDirectory(prefix="fastclf-faults-") as scratch:
            rows += _measure_folder(folder, Path(scratch, "photos"), foreign, args)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))
    for folder, kind in itertools.product(args.folders, args.kinds):
        some = [r for r in rows if (r["folder"], r["measure"]) == (folder.name, kind)]
        if some:
            print(f"\n{folder.name}, {kind}:\n")
            print_table(*build_table(kind, some))
    return 0


def _measure_folder(source: Path, copy: Path, foreign: Path | None, args: Any) -> list[Row]:
    photos = planting.copy_folder(source, copy)
    rows = []
    with Catalog(copy) as catalog:
        ground = Ground(source.name, copy, photos, catalog)
        ground.bundle = ModelBundle.load(args.model) if args.model else None
        ground.foreign = planting.find_photos(foreign) if foreign else []
        for seed, kind in itertools.product(range(args.seed, args.seed + args.seeds), args.kinds):
            tell(f"{source.name}: {kind}, seed {seed}")
            rng = np.random.default_rng([seed, list(MEASURES).index(kind)])
            if kind == "foreign" and not ground.foreign:
                tell("left out: name a second folder or give --foreign")
                continue
            facts = {"folder": source.name, "measure": kind, "seed": seed}
            rows += [facts | row for row in MEASURES[kind](ground, rng)]
    return rows


def build_table(kind: str, rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows; counts are added up over the seeds, shares are their mean."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["fault"], row.get("features", "")].append(row)
    if kind == "labels":
        return _tabulate_labels(groups)
    if kind == "foreign":
        return _tabulate_foreign(groups)
    if kind == "near":
        return _tabulate_near(groups)
    return _tabulate_counts(kind, groups)


def _tabulate_counts(kind: str, groups: dict[Any, list[Row]]) -> tuple[list[str], list[list[str]]]:
    heads = ["planted", "n", "found", "precision", "verdict"]
    body = []
    for (fault, _), some in groups.items():
        n, found, false = (_add(some, key) for key in ("n", "found", "false"))
        wanted = 0 if "none may" in fault else n
        verdict = judge(found == wanted and not false) if kind != "quality" else "-"
        precision = f"{found / (found + false):.3f}" if kind == "identical" and found else "-"
        body.append([fault, f"{n}", f"{found} ({found / n:.1%})", precision, verdict])
        if kind == "quality":
            body[-1][3:] = [f"{some[0]['natural']} of {some[0]['photos']}"]
    return (heads if kind != "quality" else [*heads[:3], "natural photos flagged"]), body


def _tabulate_near(groups: dict[Any, list[Row]]) -> tuple[list[str], list[list[str]]]:
    heads = ["planted", "seen by", "n", "recall", "precision", "verdict"]
    body = []
    for (fault, source), some in groups.items():
        n = _add(some, "n")
        if fault == "natural pairs":
            body.append([fault, source, f"{some[0]['n']}", "-", "-", "looked at"])
            continue
        *_, wanted, needs_network = planting.COPIES[fault]
        found, false = _add(some, "found"), _add(some, "false")
        recall, precision = found / n, found / max(1, found + false)
        met = recall >= wanted and (precision >= 0.98 or needs_network)
        goal = f"(≥ {wanted:g})" if needs_network else f"(≥ {wanted:g} at ≥ 0.98)"
        verdict = "-" if needs_network and source == PIXELS else f"{judge(met)} {goal}"
        body.append([fault, source, f"{n}", f"{recall:.3f}", f"{precision:.3f}", verdict])
    return heads, body


def _tabulate_labels(groups: dict[Any, list[Row]]) -> tuple[list[str], list[list[str]]]:
    numbers = "average precision, precision / recall of the listed"
    heads = [
        "features", "n", f"fastclf: {numbers}", f"cleanlab's defaults on the same probabilities: {numbers}",
        "cleanlab with its own classifier: average precision", "verdict",
    ]  # fmt: skip
    body = []
    for (_, source), some in groups.items():
        ours, theirs = (_mean(some, key) for key in ("average precision", "cleanlab average precision"))
        cells = [
            f"{ap:.3f}, {_mean(some, f'{who} precision'):.2f} / {_mean(some, f'{who} recall'):.2f}"
            for who, ap in (("ours", ours), ("cleanlab", theirs))
        ]
        verdict = f"{judge(ours >= max(LABELS, theirs))} (≥ {LABELS:g}, ≥ cleanlab's)"
        own = f"{_mean(some, 'own classifier'):.3f}"
        body.append([source, f"{_add(some, 'n')}", *cells, own, verdict])
    return heads, body


def _tabulate_foreign(groups: dict[Any, list[Row]]) -> tuple[list[str], list[list[str]]]:
    heads = ["planted", "features", "n", "AUROC", "recall", "precision"]
    body = []
    for (fault, source), some in groups.items():
        auroc, recall, precision = (f"{_mean(some, key):.3f}" for key in ODD)
        # false alarms belong to all kinds together
        precision = precision if fault == "all" else "-"
        body.append([fault, source, f"{_add(some, 'n')}", auroc, recall, precision])
    return heads, body


def _add(rows: Sequence[Row], key: str) -> int:
    return sum(row[key] for row in rows)


def _mean(rows: Sequence[Row], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


if __name__ == "__main__":
    raise SystemExit(main())
