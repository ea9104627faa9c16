"""Settings that must agree, lists of dependencies, thin notebooks, no foreign host."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import yaml

from ..conftest import ROOT

pytest_plugins = ["pytester"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_voila_has_the_same_settings_alone_and_as_an_extension() -> None:
    """Binder runs it as an extension, which calls some things otherwise and cannot preheat."""
    alone = json.loads((ROOT / "voila.json").read_text())
    extension = json.loads((ROOT / "fastclf" / "server" / "jupyter_server_config.json").read_text())
    voila = alone["VoilaConfiguration"]
    manager = voila.pop("multi_kernel_manager_class")
    assert extension["VoilaConfiguration"] == {**voila, "preheat_kernel": False}
    assert extension["MappingKernelManager"] == alone["MappingKernelManager"]
    assert extension["VoilaExecutor"] == alone["VoilaExecutor"]
    assert extension["ServerApp"] == {
        "tornado_settings": alone["Voila"]["tornado_settings"],
        # a setting of its own there, which would win over tornado's
        "websocket_compression_options": {},
        "kernel_manager_class": manager,
    }


def _bounds(requirements: list[str]) -> dict[str, str]:
    pairs = (re.match(r"([a-zA-Z0-9_-]+)(?:>=([\d.]+))?", r) for r in requirements)
    return {m[1].lower().replace("_", "-"): m[2] for m in pairs if m}


def test_environment_yml_asks_for_what_pyproject_asks_for() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = _bounds([d for d in environment["dependencies"] if isinstance(d, str)])
    [pip] = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    train = _bounds(PYPROJECT["project"]["optional-dependencies"]["train"])
    assert environment["channels"][0] == "conda-forge"
    assert conda["pytorch-cpu"] == train["torch"]
    assert conda["torchvision"] == train["torchvision"]
    assert pip == [".[all]"]
    version = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    assert tuple(map(int, version.removeprefix("python=").split("."))) >= (3, 11)


def test_the_core_is_light_and_the_extras_hold_the_rest() -> None:
    core = set(_bounds(PYPROJECT["project"]["dependencies"]))
    heavy = {"torch", "torchvision", "fastai", "timm", "scikit-learn", "pandas", "matplotlib", "onnx"}
    assert not core & heavy
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(extras) == {"train", "head", "search", "heic", "scale", "track", "all", "docs", "dev", "fuzz"}
    assert extras["all"] == ["fastclf[train,head,search,heic]"]
    assert core >= {"voila", "ipywidgets", "httpcore2"}
    assert {"fastai", "torch", "timm"} <= set(_bounds(extras["train"]))
    # a head is trained without torch
    assert set(_bounds(extras["head"])) & heavy == {"onnx"}
    assert {"ddgs", "fastdownload", "fsspec", "filelock", "tqdm"} <= set(_bounds(extras["search"]))


@pytest.mark.parametrize(("name", "most"), [("dashboard.ipynb", 12), ("train.ipynb", 80)])
def test_a_notebook_is_thin_and_holds_no_outputs(name: str, most: int) -> None:
    cells = [c for c in json.loads((ROOT / name).read_text())["cells"] if c["cell_type"] == "code"]
    lines = [line for c in cells for line in "".join(c["source"]).splitlines() if line.strip()]
    assert len(lines) <= most
    assert not any(c["outputs"] or c["execution_count"] for c in cells)
    assert not any(line.startswith(("def ", "class ")) for line in lines)


def test_no_page_of_ours_names_a_foreign_host() -> None:
    # libraries' words; a browser test counts the hosts
    built = {
        ROOT / "fastclf" / "server" / "voila" / "fastclf" / "static",
        ROOT / "fastclf" / "dashboard" / "site" / "static",
    }
    folders = (ROOT / "fastclf" / "dashboard", ROOT / "fastclf" / "server", ROOT / "page" / "src")
    served = [
        p for folder in folders for p in folder.rglob("*") if p.is_file() and not built & set(p.parents)
    ]
    kinds = (".py", ".css", ".js", ".j2", ".json", ".html")
    # the namespace of a drawing is a name and is never fetched
    texts = {
        p: p.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for p in served
        if p.suffix in kinds
    }
    assert len(texts) > 5
    assert not [p for p, text in texts.items() if re.search(r"https?://\w|//cdn", text)]


def test_the_parts_of_a_run_are_disjoint_stable_and_together_the_whole(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.conftest import pytest_addoption, pytest_collection_modifyitems")
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(11))\ndef test_quick(n): pass\n"
        "@pytest.mark.slow\n@pytest.mark.parametrize('n', range(6))\ndef test_slow(n): pass\n"
    )

    def collect(*options: str) -> list[str]:
        [finished] = pytester.inline_run("--collect-only", *options).getcalls("pytest_collection_finish")
        return [item.name for item in finished.session.items]

    whole = collect()
    assert len(whole) == 17
    parts = [collect("--part", f"{k}/3") for k in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(whole)
    assert [len(part) for part in parts] == [6, 6, 5]
    # what takes long is shared out, too, and comes first
    assert [sum("slow" in name for name in part[:2]) for part in parts] == [2, 2, 2]
    assert collect("--part", "2/3") == parts[1]
