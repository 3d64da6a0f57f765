"""A room imports only from rooms below it, imports inside functions and for types included; no circles inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src" / "foretide"
ORDER = [
    {"errors"}, {"lazy", "seeding", "typing", "text"}, {"pictures"}, {"data"}, {"parallel"}, {"models", "heads"},
    {"training"}, {"forecasters"}, {"evaluation"}, {"tuning", "explain", "interop"}, {"report"}, {"jobs", "serving"},
    {"cli"}, {"__main__"},
]  # fmt: skip
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
NO_TORCH = {"pictures", "data", "parallel", "evaluation", "report", "errors", "typing", "text"}
FILES = sorted(p for p in SRC.rglob("*.py") if p != SRC / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def package_of(path: Path) -> str:
    return ".".join(["foretide", *path.relative_to(SRC).parts[:-1]])


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Every imported module of a file as (line, absolute dotted name), wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def violations(source: str, room: str, package: str) -> list[str]:
    found = []
    for line, module in imports(ast.parse(source), package):
        first, _, rest = module.partition(".")
        if first == "torch" and room in NO_TORCH:
            found.append(f"line {line}: {room} imports torch")
        if first != "foretide":
            continue
        other = rest.split(".")[0]
        if other in ("__version__", room):
            continue
        if other not in RANK:
            found.append(f"line {line}: {room} imports the public page or an unknown room: {module}")
        elif RANK[other] >= RANK[room]:
            found.append(f"line {line}: {room} imports {module}, which is not below it")
    return found


class WithoutTypes(ast.NodeTransformer):
    """Leaves out what stands under ``if TYPE_CHECKING``: it is never imported."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name | ast.Attribute) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return None
        self.generic_visit(node)
        return node


def graph(sources: Mapping[str, tuple[str, str]]) -> dict[str, set[str]]:
    """Module -> the modules it imports, of ``{module: (package, source)}``; imports inside functions included."""
    edges: dict[str, set[str]] = {}
    for module, (package, source) in sources.items():
        targets = set()
        for _, name in imports(WithoutTypes().visit(ast.parse(source)), package):
            for candidate in (name, name.rpartition(".")[0]):
                if candidate in sources and candidate != module:
                    targets.add(candidate)
                    break
        edges[module] = targets
    return edges


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            place = stack.index(node)
            group, stack[place:] = stack[place:], []
            if len(group) > 1:
                groups.append(sorted(group))

    for node in edges:
        if node not in index:
            visit(node)
    return groups


def dotted(path: Path) -> str:
    return ".".join([package_of(path), path.stem] if path.stem != "__init__" else [package_of(path)])


def test_imports_only_from_below() -> None:
    wrong = {
        str(path.relative_to(SRC)): found
        for path in FILES
        if (found := violations(path.read_text(encoding="utf-8"), room_of(path), package_of(path)))
    }
    assert wrong == {}


def test_no_circles_inside_rooms() -> None:
    sources = {dotted(path): (package_of(path), path.read_text(encoding="utf-8")) for path in FILES}
    assert circles(graph(sources)) == []


def test_every_room_has_a_place_in_the_order() -> None:
    assert {room_of(path) for path in FILES} <= set(RANK)


@pytest.mark.parametrize(
    ("source", "room", "package", "n"),
    [
        ("from foretide.forecasters import base", "data", "foretide.data", 1),
        ("def f():\n    from foretide.jobs import run", "report", "foretide.report", 1),
        ("from foretide.heads import point", "models", "foretide.models", 1),
        ("from ..training import loop", "models", "foretide.models", 1),
        ("import foretide", "cli", "foretide.cli", 1),
        ("from foretide import run", "forecasters", "foretide.forecasters", 1),
        ("import torch", "data", "foretide.data", 1),
        (
            "import torch\nfrom foretide.data import panel\nfrom .base import F",
            "forecasters",
            "foretide.forecasters",
            0,
        ),
    ],
)
def test_the_check_itself_sees_wrong_imports(source: str, room: str, package: str, n: int) -> None:
    assert len(violations(source, room, package)) == n


def test_the_check_itself_sees_circles() -> None:
    sources = {
        "r.a": ("r", "from r.b import f"),
        "r.b": ("r", "def f():\n    from r import c"),
        "r.c": ("r", "import r.a"),
        "r.d": ("r", "from r.a import x\nif TYPE_CHECKING:\n    from r.e import y"),
        "r.e": ("r", "from r import d"),
    }
    assert circles(graph(sources)) == [["r.a", "r.b", "r.c"]]
