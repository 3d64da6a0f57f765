"""A room imports only from rooms below it, imports inside functions and for types included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src" / "foretide"
ORDER = [
    {"errors", "seeding", "typing", "text"}, {"data"}, {"parallel"}, {"models", "heads"}, {"training"}, {"forecasters"}, {"evaluation"},
    {"tuning", "explain"}, {"report"}, {"jobs"}, {"cli"}, {"__main__"},
]  # fmt: skip
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
NO_TORCH = {"data", "parallel", "evaluation", "report", "errors"}
FILES = sorted(p for p in SRC.rglob("*.py") if p != SRC / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Every imported module of a file as (line, absolute dotted name), wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            if module == "foretide":
                yield from ((node.lineno, f"foretide.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


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


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_only_from_below(path: Path) -> None:
    package = ".".join(["foretide", *path.relative_to(SRC).parts[:-1]])
    assert violations(path.read_text(encoding="utf-8"), room_of(path), package) == []


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
