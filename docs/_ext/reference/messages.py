"""Every sentence in which fastclf refuses something: the templates of all errors, read from the code."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import fastclf
from fastclf import errors

from .markdown import escape

PACKAGE = Path(fastclf.__file__).parent
# where the text of each error stands among its arguments
TEXT_AT = {
    **{c.__name__: 0 for c in [errors.FastclfError, *errors.FastclfError.__subclasses__()]},
    "UnreadablePhotoError": 1,
    "ProblemError": 1,
    "RefusedError": 0,
    "FetchError": 0,
    "_RefusedError": 0,
}
# what is raised in a room and caught there, to become another
MEANS = {
    "RefusedError": "UnreadablePhotoError",
    "FetchError": "AddressError",
    "_RefusedError": "AddressError",
}
_SAYING = {"Message": 1, "count_message": 3, "join_messages": 1}
# how a field is written: no matter for a reader
_SPEC = re.compile(r"\{(\w+)[:!][^{}]*\}")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Assignment = tuple[ast.expr, ast.expr]


@dataclass(frozen=True)
class Raised:
    """A sentence: where it stands, which error says it, and its template."""

    room: str
    error: str
    template: str


class _Module:
    """A file with what it assigns, and which function each call stands in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        # a file is gone through once, not once a question
        self.nodes = list(ast.walk(self.tree))

    @cached_property
    def all_functions(self) -> list[_Function]:
        """All functions and methods."""
        return [n for n in self.nodes if isinstance(n, _Function)]

    @cached_property
    def functions(self) -> dict[str, _Function]:
        """All functions and methods, by name."""
        return {f.name: f for f in self.all_functions}

    @cached_property
    def assignments(self) -> list[_Assignment]:
        """All that is assigned in the file, in functions too."""
        return _list_assignments(self.nodes)

    def find_function(self, node: ast.AST) -> _Function | None:
        """Return the innermost function around a node."""
        line = getattr(node, "lineno", 0)
        around = [f for f in self.all_functions if _holds(f, line)]
        return max(around, key=lambda f: f.lineno, default=None)


def _holds(function: _Function, line: int) -> bool:
    return function.lineno <= line <= (function.end_lineno or 0)


@cache
def load_modules() -> dict[str, _Module]:
    """Return {path in the package: module}."""
    return {p.relative_to(PACKAGE).as_posix(): _Module(p) for p in sorted(PACKAGE.rglob("*.py"))}


@cache
def find_raised() -> tuple[set[Raised], set[str]]:
    """Return all sentences, and the places ("file: code") of those whose text comes from elsewhere."""
    found, passed_on = set(), set()
    for name, module in load_modules().items():
        room = name.partition("/")[0].removesuffix(".py")
        for call in _find_calls(module):
            at = TEXT_AT[_name(call)]
            texts = _resolve(call.args[at], module, set()) if len(call.args) > at else set()
            if not texts:
                passed_on.add(f"{name}: {ast.unparse(call)}")
            error = MEANS.get(_name(call), _name(call))
            found |= {Raised(room, error, text) for text in texts if text.strip()}
    return found, passed_on


def _find_calls(module: _Module) -> Iterator[ast.Call]:
    for node in module.nodes:
        if isinstance(node, ast.Call) and _name(node) in TEXT_AT:
            yield node


def _name(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _resolve(node: ast.expr | None, module: _Module, seen: set[int]) -> set[str]:
    """Return the templates that an expression may be; none where they are read at run time."""
    if node is None or id(node) in seen:
        return set()
    seen.add(id(node))
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.Name):
        return _union(_find_values(node, module), seen)
    if isinstance(node, ast.Call):
        return _resolve_call(node, module, seen)
    parts = {
        ast.IfExp: lambda n: [n.body, n.orelse],
        ast.BoolOp: lambda n: n.values,
        ast.Dict: lambda n: n.values,
        ast.List: lambda n: n.elts,
        ast.Tuple: lambda n: n.elts,
        ast.Subscript: lambda n: [n.value],
    }
    inner = next((take(node) for kind, take in parts.items() if isinstance(node, kind)), [])
    return _union([(part, module) for part in inner], seen)


def _union(parts: list[tuple[ast.expr, _Module]], seen: set[int]) -> set[str]:
    return {text for part, module in parts for text in _resolve(part, module, seen)}


def _resolve_call(call: ast.Call, module: _Module, seen: set[int]) -> set[str]:
    name = _name(call)
    if name in _SAYING:
        return _union([(argument, module) for argument in call.args[: _SAYING[name]]], seen)
    if name == "get" and isinstance(call.func, ast.Attribute):
        return _union([(call.func.value, module), *((a, module) for a in call.args[1:])], seen)
    homes = [module] if name in module.functions else list(load_modules().values())
    returned = [
        (inner.value, home)
        for home in homes
        if name in home.functions and not isinstance(call.func, ast.Attribute)
        for inner in ast.walk(home.functions[name])
        if isinstance(inner, ast.Return | ast.Yield) and inner.value is not None
    ]
    return _union(returned, seen)


def _find_values(name: ast.Name, module: _Module) -> list[tuple[ast.expr, _Module]]:
    """Return what is assigned to a name: in the function around it, else in its module, else anywhere."""
    function = module.find_function(name)
    inside = _list_assignments(ast.walk(function)) if function else []
    for assignments in (inside, module.assignments):
        values = [v for target, value in assignments for v in _match(target, value, name.id)]
        if values:
            return [(value, module) for value in values]
    if not name.id.lstrip("_").isupper():
        return []
    everywhere = ((t, v, m) for m in load_modules().values() for t, v in m.assignments)
    return [(found, m) for target, value, m in everywhere for found in _match(target, value, name.id)]


def _list_assignments(nodes: Iterable[ast.AST]) -> list[_Assignment]:
    """Return (target, value) of all that is assigned."""
    found: list[_Assignment] = []
    for node in nodes:
        if isinstance(node, ast.Assign):
            found += [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            found.append((node.target, node.value))
    return found


def _match(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each, part in zip(target.elts, value.elts, strict=False):
            yield from _match(each, part, name)


def show(template: str) -> str:
    """Return a template as a reader may search for it; a clause follows the name of a photo or an address."""
    plain = escape(_SPEC.sub(r"{\1}", template))
    return plain if template[:1].isupper() or template[:1] in "{-" else f"... {plain}"


def write_messages(rooms: list[str]) -> str:
    """Return the sentences of rooms, by the error that says them."""
    by_error: dict[str, set[str]] = defaultdict(set)
    for raised in find_raised()[0]:
        if raised.room in rooms:
            by_error[raised.error].add(raised.template)
    parts = []
    for error in sorted(by_error):
        lines = "\n".join(f"- {show(text)}" for text in sorted(by_error[error]))
        parts.append(f"## {error}\n\n{lines}\n")
    return "\n".join(parts)
