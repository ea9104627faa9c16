"""Compare ways to tell foreign photos, and count the false alarms of the one that is kept."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from foreign import DRAWN, Ground, read_ground
from scores import KEPT, Score, fit_all
from sklearn.metrics import roc_auc_score
from verdicts import judge, print_table, tell

from fastclf.metrics import wilson_interval
from fastclf.model.ood import find_threshold

RATE = 0.05
AUROC = 0.95
Row = dict[str, Any]

# the ways that the table of drawn pictures shows
SOME = (KEPT, "Mahalanobis, raw", "kNN cosine, k = 5", "kNN Euclidean, k = 5", "energy")


def main() -> int:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", nargs="+", metavar="MODEL=PHOTOS", help="a bundle and what it learned from")
    parser.add_argument("--foreign", nargs="*", type=Path, default=[], help="more folders of foreign photos")
    parser.add_argument("--cache", type=Path, help="folder for the networks' answers (default: temporary)")
    parser.add_argument("--redraws", type=int, default=1000, help="how often valid and test are redrawn")
    parser.add_argument("--json", type=Path, help="file for every number")
    args = parser.parse_args()
    pairs = [tuple(map(Path, pair.split("=", 1))) for pair in args.pairs]
    if any(len(pair) != 2 or not pair[1].is_dir() for pair in pairs):
        parser.error("name each model with its folder of photos: MODEL=PHOTOS")
    rows: list[Row] = []
    alarms: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="fastclf-unfamiliar-") as scratch:
        for model, folder in pairs:
            others = [*(f for _, f in pairs if f != folder), *args.foreign]
            ground = read_ground(model, folder, others, args.cache or Path(scratch))
            tell(f"{ground.name}: {', '.join(f'{k} {len(s.features)}' for k, s in ground.own.items())}")
            scores = fit_all(ground)
            rows += [row for name, score in scores.items() for row in measure_foreign(ground, name, score)]
            alarms.append(measure_alarms(ground, scores[KEPT], args.redraws))
    if args.json:
        args.json.write_text(json.dumps({"foreign": rows, "alarms": alarms}, indent=1))
    print_table(*tabulate_foreign([r for r in rows if r["foreign"] not in DRAWN]))
    print()
    print_table(*tabulate_foreign([r for r in rows if r["foreign"] in DRAWN and r["way"] in SOME]))
    print()
    print_table(*tabulate_alarms(alarms))
    return 0


def measure_foreign(ground: Ground, name: str, score: Score) -> list[Row]:
    """Return AUROC against validation and test photos, and the share above the threshold, by foreign set."""
    own = [score(ground.own[split]) for split in ("valid", "test")]
    threshold, familiar = find_threshold(own[0], RATE), np.concatenate(own)
    rows = []
    for foreign, seen in ground.foreign.items():
        found = score(seen)
        truth = np.repeat([0, 1], [len(familiar), len(found)])
        rows.append(
            {
                "model": ground.name, "foreign": foreign, "way": name, "n": len(found),
                "auroc": float(roc_auc_score(truth, np.concatenate([familiar, found]))),
                "flagged": float((found > threshold).mean()),
            }
        )  # fmt: skip
    return rows


def measure_alarms(ground: Ground, score: Score, redraws: int) -> Row:
    """Count false alarms on the test photos, and on test photos that are drawn anew with their groups."""
    valid, test = (score(ground.own[split]) for split in ("valid", "test"))
    together = np.concatenate([valid, test])
    groups = np.unique([*ground.groups["valid"], *ground.groups["test"]], return_inverse=True)[1]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(redraws):
        first = _draw_groups(groups, len(valid), rng)
        drawn.append(_count(together[first], together[~first]))
    return {"model": ground.name, "n_valid": len(valid), **_count(valid, test), "redraws": drawn}


def _draw_groups(groups: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return which photos belong to a new validation set of about `n`, groups kept together."""
    order = rng.permutation(groups.max() + 1)
    last = int(np.searchsorted(np.cumsum(np.bincount(groups)[order]), n, side="left")) + 1
    return np.isin(groups, order[:last])


def _count(valid: np.ndarray, test: np.ndarray) -> Row:
    alarms = int((test > find_threshold(valid, RATE)).sum())
    low, high = wilson_interval(alarms, len(test))
    return {"alarms": alarms, "n": len(test), "rate": alarms / len(test), "low": low, "high": high}


def tabulate_foreign(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows: AUROC and share called unfamiliar by model and foreign set, and the worst."""
    places = list(dict.fromkeys((r["model"], r["foreign"]) for r in rows))
    body = []
    for way in dict.fromkeys(r["way"] for r in rows):
        mine = {(r["model"], r["foreign"]): r for r in rows if r["way"] == way}
        cells = [f"{mine[p]['auroc']:.3f} / {mine[p]['flagged']:.0%}" for p in places]
        worst = min(r["auroc"] for r in mine.values())
        body.append([way, *cells, f"{worst:.3f}", f"{judge(worst >= AUROC)} (≥ {AUROC:g})"])
    return ["way", *(f"{model}: {foreign}" for model, foreign in places), "worst", "verdict"], body


def tabulate_alarms(alarms: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the false alarms at the stated rate."""
    heads = [
        "model", "threshold from, photos", "false alarms on test photos", "95 % interval", "verdict",
        "mean rate over redraws", "redraws whose interval holds it",
    ]  # fmt: skip
    body = []
    for row in alarms:
        holds = [d["low"] <= RATE <= d["high"] for d in row["redraws"]]
        body.append(
            [
                row["model"], f"{row['n_valid']}", f"{row['alarms']} of {row['n']} ({row['rate']:.1%})",
                f"{row['low']:.1%} to {row['high']:.1%}",
                f"{judge(row['low'] <= RATE <= row['high'])} ({RATE:.0%} inside)",
                f"{np.mean([d['rate'] for d in row['redraws']]):.2%}" if holds else "-",
                f"{sum(holds)} of {len(holds)}",
            ]
        )  # fmt: skip
    return heads, body


if __name__ == "__main__":
    raise SystemExit(main())
