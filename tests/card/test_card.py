"""The model card: every figure is the manifest's, and nothing from outside is markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from fastclf.card import build_card_html, build_card_markdown, escape_markdown, is_useful
from fastclf.metrics import compute_metrics

VOCAB = ["ant", "bee", "cat"]


def judge(rng: np.random.Generator, n: int, **options: Any) -> dict[str, Any]:
    probs = rng.dirichlet(np.ones(3) * 0.2, n)
    targets = np.array([rng.choice(3, p=p) for p in probs])
    raw = probs**2 / (probs**2).sum(1, keepdims=True)
    return compute_metrics(probs, targets, VOCAB, raw, **options)


def render(manifest: dict[str, Any]) -> tuple[str, str]:
    return build_card_markdown(manifest), build_card_html(manifest)


@pytest.fixture
def manifest(rng: np.random.Generator) -> dict[str, Any]:
    """All that a manifest may hold."""
    valid, test = judge(rng, 211, set_threshold=0.2), judge(rng, 103, set_threshold=0.2)
    return {
        "title": "Small animals", "created": "2026-01-02T03:04:05+00:00", "fastclf": "0.1.0",
        "arch": "resnet18", "vocab": VOCAB, "recipe": "animals", "temperature": 1.234,
        "metrics": {"train": judge(rng, 701), "valid": valid, "test": test},
        "sealed_test": {
            "n": 103,
            "openings": [
                {"time": "2026-01-03T00:00:00+00:00", "model": "older", "n": 90, "accuracy": 0.8123, "inherited": True},
                {"time": "2026-01-04T00:00:00+00:00", "folder": "x", "metrics": {"n": 103, "accuracy": test["accuracy"]}},
            ],
        },
        "ood": {
            "kind": "mahalanobis", "threshold": 0.1, "false_alarm_rate": 0.0237, "n": 211,
            "test_false_alarms": {"n": 103, "rate": 0.0388, "interval": [0.0152, 0.0957]},
            "against": [
                {"name": "cars", "n": 77, "auroc": 0.9123, "flagged": 0.6753, "flagged_interval": [0.5651, 0.7686],
                 "inside": "valid", "n_inside": 211, "time": "2026-01-05T00:00:00+00:00"},
            ],
            "left_out": {"n": 911, "auroc": 0.8125, "flagged": 0.3937, "flagged_interval": [0.3625, 0.4258]},
        },
        "split": {
            "how": "drawn", "seed": 42, "train": 701, "valid": 211, "test": 103,
            "near_duplicates_across": 13, "left_out_leaks": 17, "left_out_conflicts": 19,
        },
        "training": {
            "arch": "resnet18", "mode": "head", "pretrained": True, "size": 224, "best_epoch": 2, "seconds": 61.7,
            "device": "cpu", "head": {"C": 0.02}, "balance": "auto", "learning_curve": {
                "points": [[175, 0.7171], [350, 0.7575], [701, 0.7979]], "draws": 4,
                "doubled": [0.8383, 0.7787, 0.8989], "gains": "bee",
            }, "versions": {"torch": "2.15.0"},
            "epochs": [
                {"epoch": 1, "phase": "head", "train_loss": 1.2345, "valid_loss": 0.9876, "accuracy": 0.6543, "seconds": 3.1},
                {"epoch": 2, "phase": "all", "train_loss": 0.5432, "valid_loss": 0.4567, "accuracy": 0.8765, "seconds": 4.2},
            ],
        },
        "refits": [{"time": "2026-01-06T00:00:00+00:00", "of": "x", "n_train": 702, "edits": 23}],
        "licences": {"weights": "BSD-3-Clause", "photos": "CC0 (1015)"},
        "files": {},
    }  # fmt: skip


@pytest.fixture
def imported() -> dict[str, Any]:
    """What an imported model says of itself: nearly nothing."""
    return {
        "title": "", "created": "2026-01-02T03:04:05+00:00", "fastclf": "0.1.0", "arch": "resnet34", "vocab": VOCAB,
        "temperature": 1.0, "metrics": {"train": None, "valid": None, "test": None}, "ood": None,
        "sealed_test": {"n": 0, "openings": []}, "training": {}, "files": {},
    }  # fmt: skip


class _Page(HTMLParser):
    """The tags, attributes and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\xa0", " ").split())


def per_cent(share: float) -> str:
    return f"{100 * share:.1f} %"


def test_every_figure_of_the_manifest_stands_in_both_cards(manifest: dict[str, Any]) -> None:
    expected = []
    for part in ("valid", "test"):
        m = manifest["metrics"][part]
        low, high = m["error_interval"]
        sure = m["sure"]
        expected += [
            per_cent(m["error_rate"]), f"{per_cent(low)} to {per_cent(high)}", f"{m['loss']:.4f}", f"{m['ece']:.4f}",
            f"{per_cent(m['ece'])} on average ({per_cent(m['ece_raw'])} before",
            f"Sure ({100 * sure['threshold']:.0f} % and more) on {per_cent(sure['coverage'])}",
            f"{per_cent(m['balanced_accuracy'])}",
            f"{per_cent(m['sets']['covered'])} ({per_cent(m['sets']['interval'][0])} to "
            f"{per_cent(m['sets']['interval'][1])}, n = {m['n']}) had their class among those named (meant: 95 %)",
            f"{per_cent(m['sets']['single'])} had one class alone, {m['sets']['size']:.2f} on average",
            f"right on {per_cent(sure['accuracy'])} ({per_cent(sure['interval'][0])} to {per_cent(sure['interval'][1])}, n = {sure['n']})",
        ]  # fmt: skip
        for c in m["per_class"].values():
            low, high = c["recall_interval"]
            expected += [
                f"{per_cent(c['recall'])} ({per_cent(low)} to {per_cent(high)}, n = {c['n']})",
                per_cent(c["precision"]),
            ]
        expected += [f"{p['n']} of {p['of']}" for p in m["confused_pairs"]]
    expected += [
        per_cent(0.8123), "1.234", "2.4 %", "(n = 211)", "3.9 % (1.5 % to 9.6 %, n = 103)",
        "67.5 % (56.5 % to 76.9 %, n = 77)", "0.912", "211 validation photos", "seed 42", "701 training photos",
        "13 nearly equal pairs", "17 photos left out", "19 photos left out", "1.2345", "0.9876", "65.4 %", "0.4567",
        per_cent(0.8765), "4.2", "61.7", "head", "C 0.02", "torch 2.15.0", "702", "23", "BSD-3-Clause", "CC0 (1015)", "opened twice",
        "2026-01-04 00:00 UTC", "animals", "resnet18",
        "39.4 % (36.2 % to 42.6 %, n = 911) of their photos were called unfamiliar (AUROC 0.81)",
        "79.8 % right → about 83.8 % (77.9 % to 89.9 %); photos of bee help most", "means of 4 draws",
    ]  # fmt: skip
    page, text = _Page(build_card_html(manifest)).text, build_card_markdown(manifest)
    assert not [words for words in expected if words not in page]
    assert not [words for words in expected if words not in text]


def test_the_sections_come_in_their_order(manifest: dict[str, Any]) -> None:
    headings = re.findall(r"^## (.*)", build_card_markdown(manifest), re.M)
    assert headings == [
        "What it is for", "How good it is", "Where it fails", "How sure it is", "Would more photos help?",
        "Data and split", "Training", "Refits", "Licences",
    ]  # fmt: skip
    assert headings == re.findall(r"<h2>(.*?)</h2>", build_card_html(manifest))


def test_the_page_asks_nobody_for_anything_and_runs_nothing(manifest: dict[str, Any]) -> None:
    page = _Page(build_card_html(manifest))
    assert not {"script", "link", "img", "iframe", "object", "a", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert not re.search(r"https?:|url\(|@import", build_card_html(manifest))
    assert page.tags.count("svg") == 9
    assert all(value for name, value in page.attributes if name == "aria-label")
    html = build_card_html(manifest)
    assert html.count('<svg role="img" aria-label="') == 9
    # the dashboard's policy lets no markup bring styles of its own
    assert not re.search(r"<svg(?:(?!</svg>).)* style=", html, re.DOTALL)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "a | b\n# heading",
    "`code` *bold* _under_ ~~gone~~ &lt;",
    "http://evil.example www.evil.example",
    "turned \u202e around\x00\x1b[31m",
]


def fill(manifest: dict[str, Any], evil: str) -> dict[str, Any]:
    """Put a text wherever one comes from outside."""
    text = json.dumps(manifest)
    made = json.loads(text.replace('"ant"', json.dumps(evil)))
    made["title"] = made["recipe"] = made["arch"] = made["created"] = made["fastclf"] = evil
    made["licences"] = {"weights": evil, "photos": evil}
    made["training"] |= {"mode": evil, "device": evil, "versions": {evil: evil}, "head": {evil: evil}}
    made["training"]["epochs"][0]["phase"] = evil
    made["ood"]["against"][0]["name"] = made["split"]["how"] = evil
    made["refits"][0]["time"] = made["sealed_test"]["openings"][0]["model"] = evil
    made["sealed_test"]["openings"][1]["time"] = evil
    return made


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_from_outside_is_markup(manifest: dict[str, Any], evil: str) -> None:
    calm, filled = (_Page(build_card_html(fill(manifest, text))) for text in ("calm", evil))
    assert filled.tags == calm.tags
    assert [name for name, _ in filled.attributes] == [name for name, _ in calm.attributes]
    assert " ".join(re.sub("[\u202e\x00\x1b]", " ", evil).split()) in filled.text
    calm_md, evil_md = build_card_markdown(fill(manifest, "calm")), build_card_markdown(fill(manifest, evil))
    # how each line begins, and how many columns it has
    for shape in (r"^(?:#*|\||-|\*\*)", r"(?<!\\)\|"):
        calm_lines, evil_lines = (
            [re.findall(shape, line) for line in md.splitlines()] for md in (calm_md, evil_md)
        )
        assert calm_lines == evil_lines
    for active in ("<", "](", "![", "*bold", "_under", "`code", "~~", "http://", "\u202e", "\x00"):
        assert not re.search(rf"(?<!\\){re.escape(active)}", evil_md), active


@pytest.mark.parametrize(
    ("text", "expected"), [("# a", "\\# a"), ("- a", "\\- a"), ("1. a", "1\\. a"), ("0.5", "0.5")]
)
def test_a_text_that_begins_like_a_block_is_none(text: str, expected: str) -> None:
    assert escape_markdown(text) == expected


def test_an_imported_model_says_what_is_not_known(imported: dict[str, Any]) -> None:
    for text in (build_card_markdown(imported), _Page(build_card_html(imported)).text):
        assert "Photo classifier" in text
        assert "ant, bee, cat" in text
        assert "no figure on labelled photos is on record" in text
        assert "How it was trained is not recorded" in text
        assert "Which photos it was trained on is not recorded" in text
        assert "It does not tell photos that are unlike its training photos" in text
        assert "not recorded" in text.split("Licences")[1]
        assert "None" not in text
        assert "nan" not in text


def test_a_sealed_test_set_that_was_not_opened_is_called_that(manifest: dict[str, Any]) -> None:
    manifest["metrics"]["test"], manifest["sealed_test"]["openings"] = None, []
    text = build_card_markdown(manifest)
    assert "The sealed test set (103 photos) has not been opened" in text
    assert "the sealed test set of 103 photos, which has not been opened" in text
    assert "sealed test photos |" not in text


@pytest.mark.parametrize(
    "key", ["metrics", "ood", "split", "training", "licences", "sealed_test", "refits", "created"]
)
def test_what_is_missing_is_no_fault(manifest: dict[str, Any], key: str) -> None:
    assert render({**manifest, key: None})
    assert render({name: value for name, value in manifest.items() if name != key})


def test_metrics_of_an_earlier_version_are_enough(manifest: dict[str, Any]) -> None:
    old = ("n", "accuracy", "accuracy_interval", "error_rate", "loss", "ece")
    for part in ("valid", "test"):
        m = manifest["metrics"][part]
        per_class = {
            name: {k: c[k] for k in ("n", "precision", "recall")} for name, c in m["per_class"].items()
        }
        manifest["metrics"][part] = {key: m[key] for key in old} | {"per_class": per_class}
        low, high = m["error_interval"]
        assert f"{per_cent(low)} to {per_cent(high)}" in build_card_markdown(manifest)
        assert build_card_html(manifest)


def test_a_curve_that_cannot_tell_says_so_and_none_says_nothing(manifest: dict[str, Any]) -> None:
    curve = manifest["training"]["learning_curve"]
    curve.update(gains="")
    assert "help most" not in build_card_markdown(manifest)
    curve.update(doubled=None)
    assert "it cannot be told whether more of them would help" in build_card_markdown(manifest)
    assert "→" not in build_card_markdown(manifest)
    del manifest["training"]["learning_curve"]
    assert "Would more photos help?" not in build_card_markdown(manifest)


def test_where_it_fails_follows_from_the_measurements(manifest: dict[str, Any]) -> None:
    m = manifest["metrics"]["valid"]
    worst = min(m["per_class"], key=lambda name: m["per_class"][name]["recall"])
    table = build_card_markdown(manifest).split("**Worst classes (validation photos)**")[1]
    assert table.splitlines()[4].startswith(f"| {worst} |")
    manifest["metrics"]["train"]["per_class"]["bee"]["n"] = 7
    assert "Classes with fewer than 20 training photos: bee (7)." in build_card_markdown(manifest)
    manifest["metrics"] = {"valid": compute_metrics(np.eye(3), np.arange(3), VOCAB)}
    assert "No photo of the validation photos was taken for another class" in build_card_markdown(manifest)


def test_many_classes_have_pairs_and_no_table(manifest: dict[str, Any], rng: np.random.Generator) -> None:
    k = 41
    vocab = [f"class {i}" for i in range(k)]
    metrics = compute_metrics(rng.dirichlet(np.ones(k), 300), rng.integers(0, k, 300), vocab)
    manifest |= {"vocab": vocab, "metrics": {"valid": metrics}}
    page = build_card_html(manifest)
    assert 'class="card-confusion' not in page
    assert "Most confused (validation photos)" in page
    assert "the worst 40" in page


def test_the_table_of_answers_shades_and_names_its_cells(manifest: dict[str, Any]) -> None:
    page = build_card_html(manifest)
    m = manifest["metrics"]["valid"]["confusion"]
    assert f'title="{m[0][1]} of {sum(m[0])} photos of ant were called bee">{m[0][1]}</td>' in page
    assert page.count('class="card-right"') == 6


@pytest.mark.parametrize(
    ("right", "n", "useful", "limit"),
    [
        (0, 30, False, "anything that matters: up to 100.0 % of its answers may be wrong"),
        (44, 100, False, "anything that matters: up to 65.3 % of its answers may be wrong"),
        (0, 1, False, "up to 100.0 % of its answers"),
        (1, 1, False, "up to 79.3 % of its answers"),
        (66, 100, True, "one wrong answer in 2 is too many: the error rate may be up to 43.7 %"),
        (100, 100, True, "one wrong answer in 27 is too many: the error rate may be up to 3.7 %"),
    ],
)
def test_what_it_is_for_is_sane_at_every_accuracy(
    manifest: dict[str, Any], right: int, n: int, useful: bool, limit: str
) -> None:
    manifest["metrics"] = {"valid": {"n": n, "accuracy": right / n}}
    assert is_useful(manifest) is useful
    markdown = build_card_markdown(manifest)
    assert limit in markdown
    assert "answer in 1 is" not in markdown
    assert ("trying it out" in markdown) is not useful


def test_no_python_value_stands_on_a_card_and_scaling_that_made_it_worse_is_said(
    manifest: dict[str, Any],
) -> None:
    head = {"C": 0.02, "folds": 5, "own_features": False, "tried": [{"C": 0.1, "loss": 1.5}, {"C": 0.2}]}
    manifest["training"].update(head=head, lr=[0.1, 0.2], pretrained=True)
    for text in render(manifest):
        assert "C 0.02, folds 5" in text
        assert "0.1, 0.2" in text
        for word in ("{", "[{", "False", "None", "own_features", "{'"):
            assert word not in re.sub(r"(?s)<style>.*?</style>|style=.*?>", "", text), word
    assert "before temperature scaling)" in build_card_markdown(manifest)
    manifest["metrics"]["valid"].update(ece=0.05, ece_raw=0.02)
    assert "temperature scaling made that worse (2.0 % before)" in build_card_markdown(manifest)
