"""The rooms of fastclf: what each offers by name, which imports which, and what stays unloaded."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fastclf
from fastclf import errors

from ..conftest import ROOT

PACKAGE = ROOT / "fastclf"
HEAVY = {"torch", "fastai", "timm", "sklearn", "scipy", "onnx", "matplotlib", "pandas", "cleanlab"}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
[LAYERS] = [c for c in CONTRACTS if c.get("containers") == ["fastclf"]]
NO_TORCH, NO_SKLEARN = [c for c in CONTRACTS if c["type"] == "forbidden"]
# what `import fastclf` offers; `train` alone needs torch
PUBLIC = [
    "Catalog", "Explanation", "FastclfError", "ImageClassifierCleaner", "ModelBundle", "Prediction", "Predictor",
    "__version__", "check_folder", "collect_photos", "evaluate", "explain_answer", "refit_head", "serve", "train",
]  # fmt: skip


@cache
def read_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {name_module(path): path for path in PACKAGE.rglob("*.py")}
PACKAGES = {name for name, path in SOURCES.items() if path.name == "__init__.py"}
STUBS = {name_module(path.with_suffix(".py")): path for path in PACKAGE.rglob("__init__.pyi")}
ROOMS = {name.split(".")[1] for name in PACKAGES if name.count(".") == 1} | {"errors"}


def find_statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement below a node; expressions, which are most of a tree, are passed over."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, name, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from find_statements(inner)


def find_package(module: str) -> str:
    return module if module in PACKAGES else module.rpartition(".")[0]


def find_imports(module: str) -> Iterator[str]:
    """Which modules of fastclf a module names in its imports, wherever in the file."""
    for node in find_statements(read_tree(SOURCES[module])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "fastclf")
        elif isinstance(node, ast.ImportFrom):
            above = find_package(module).split(".")
            base = above[: len(above) - node.level + 1] if node.level else []
            target = ".".join([*base, *filter(None, [node.module])])
            if target.split(".")[0] == "fastclf":
                for alias in node.names:
                    yield f"{target}.{alias.name}" if f"{target}.{alias.name}" in SOURCES else target


@pytest.fixture(scope="module")
def imports() -> set[tuple[str, str]]:
    """(module, module that it imports) over the whole package."""
    found = {(module, target) for module in SOURCES for target in find_imports(module)}
    return found - {tuple(line.split(" -> ")) for line in LAYERS.get("ignore_imports", [])}


def find_definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """What stands at the top of a file: classes, functions, and what is assigned."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                name.id: node for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
            }
    return found


def test_the_public_names_of_fastclf_are_these() -> None:
    assert sorted(fastclf.__all__) == PUBLIC
    assert not set(fastclf.__all__) & ROOMS
    for name in set(PUBLIC) - {"train"}:
        assert getattr(fastclf, name)
    with pytest.raises(AttributeError, match="Learner"):
        _ = fastclf.Learner


@cache
def read_stub(room: str) -> dict[str, str]:
    """{exported name: the module that it comes from}."""
    nodes = [
        n for n in ast.parse(STUBS[room].read_text(encoding="utf-8")).body if isinstance(n, ast.ImportFrom)
    ]
    assert all(len(n.names) == 1 and n.names[0].name == n.names[0].asname and n.level == 1 for n in nodes)
    return {n.names[0].name: f"{room}.{n.module}" for n in nodes}


def find_definition(room: str, name: str) -> ast.stmt:
    source = read_stub(room)[name]
    if source in STUBS:
        return find_definition(source, name)
    return find_definitions(read_tree(SOURCES[source]))[name]


@pytest.mark.parametrize("room", sorted(STUBS))
def test_a_rooms_names_are_defined_in_it_documented_and_no_file_of_it(room: str) -> None:
    names = read_stub(room)
    assert names
    for name in names:
        definition = find_definition(room, name)
        if isinstance(definition, ast.ClassDef | ast.FunctionDef):
            assert ast.get_docstring(definition), name
        assert f"{room}.{name}" not in SOURCES


def test_the_contracts_name_every_room_and_nothing_else() -> None:
    assert LAYERS["exhaustive"]
    listed = [room.strip() for layer in LAYERS["layers"] for room in layer.split("|")]
    assert sorted(listed) == sorted([*ROOMS, "__main__"])
    for ban in (NO_TORCH, NO_SKLEARN):
        assert {name.removeprefix("fastclf.") for name in ban["source_modules"]} == ROOMS - {"training"}


def test_a_room_is_imported_by_its_name_and_none_of_its_files_is(imports: set[tuple[str, str]]) -> None:
    assert len(imports) > 500
    past = [
        (module, target)
        for module, target in imports
        if target not in PACKAGES and not f"{module}.".startswith(f"{find_package(target)}.")
    ]
    assert past == []


def test_no_packages_import_each_other_in_a_circle(imports: set[tuple[str, str]]) -> None:
    # a file beside packages stands for itself
    parents = {package.rpartition(".")[0] for package in PACKAGES}

    def place(module: str) -> str:
        return module if find_package(module) in parents else find_package(module)

    graph: dict[str, set[str]] = {}
    for module, target in imports:
        if find_package(module) != find_package(target):
            graph.setdefault(place(module), set()).add(place(target))
    assert len(graph) > 30
    TopologicalSorter(graph).prepare()


@pytest.mark.slow
def test_only_training_loads_anything_heavy() -> None:
    # what fits a head needs SciPy: `train`, or a child process of the dashboard
    fitting = (
        "graph",
        "linear",
        "model",
        "refit_worker",
        "training",
        "learning_curve",
        "left_out",
        "outlook",
    )
    apart = {
        "fastclf.backbone.lite0",
        "fastclf.received.taught_model",
        *(f"fastclf.head.{name}" for name in fitting),
    }
    light = [
        m for m in SOURCES if not m.startswith("fastclf.training") and "__main__" not in m and m not in apart
    ]
    assert len(light) > 100
    code = (
        "import importlib, sys\n"
        f"for module in {sorted(light)}:\n"
        "    importlib.import_module(module)\n"
        f"    heavy = {HEAVY} & {{name.split('.')[0] for name in sys.modules}}\n"
        "    assert not heavy, (module, heavy)\n"
        "    assert module != 'fastclf' or 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_server_makes_no_grammars_when_it_starts() -> None:
    code = (
        "import sys; from fastclf.server.child import main\n"
        "sys.argv = ['voila', '--version']\n"
        "try: main()\n"
        "except SystemExit: print('jsonschema' in sys.modules, 'lark' in sys.modules)"
    )
    held, holding = os.pipe()  # a server ends with its parent
    with os.fdopen(held), os.fdopen(holding, "w"):
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=held, capture_output=True, text=True, check=True
        )
    assert done.stdout.splitlines()[-1] == "True False"


def test_building_the_dashboard_loads_nothing_heavy(toy_model: Path) -> None:
    code = (
        "import sys; from fastclf.dashboard import build_app; app = build_app(sys.argv[1])\n"
        "app.model.classify([(path.name, path) for path in app.bundle.example_files])\n"
        "assert [a.prediction.label for a in app.model.answers] == ['blue', 'green', 'red']\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code, toy_model], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
    assert "onnxruntime" in done.stdout.split()


def test_every_error_is_also_a_builtin_one() -> None:
    tree = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]
    classes = [c for c in tree if c is not errors.FastclfError]
    assert len(classes) >= 8
    for c in classes:
        assert issubclass(c, errors.FastclfError)
        assert issubclass(c, ValueError | RuntimeError | ImportError | MemoryError)
        assert c.__name__ in (errors.__doc__ or "")


def test_no_user_input_is_checked_by_assert() -> None:
    for path in SOURCES.values():
        if "assert" in path.read_text(encoding="utf-8"):
            assert not [n.lineno for n in ast.walk(read_tree(path)) if isinstance(n, ast.Assert)], path
