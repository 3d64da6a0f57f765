"""Files have at most 400 lines (500 for one class or one table), functions 60, constructors 10 parameters."""

from __future__ import annotations

import ast
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src" / "foretide"
FILES = sorted(SRC.rglob("*.py"))
FILE, ONE_CLASS, FUNCTION, CONSTRUCTOR = 400, 500, 60, 10


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    a = function.args
    return len(a.posonlyargs) + len(a.args) + len(a.kwonlyargs) - 1


def dataclass_fields(node: ast.ClassDef) -> int:
    """Fields of a dataclass do not count: a config is a dataclass passed whole (DESIGN section 2)."""
    return sum(isinstance(item, ast.AnnAssign) for item in node.body)


def too_large(source: str) -> list[str]:
    found, tree = [], ast.parse(source)
    lines = source.count("\n") + 1
    largest = max((node.end_lineno or 0) - node.lineno for node in tree.body if node.__class__ is not ast.Import)
    most = ONE_CLASS if largest > lines // 2 else FILE
    if lines > most + 1:
        found.append(f"{lines} lines, at most {most}")
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        assert node.end_lineno is not None
        length = node.end_lineno - node.lineno + 1
        if length > FUNCTION:
            found.append(f"{node.name}: {length} lines, at most {FUNCTION}")
        if node.name == "__init__" and parameters(node) > CONSTRUCTOR:
            found.append(f"line {node.lineno}: a constructor of {parameters(node)} parameters, at most {CONSTRUCTOR}")
    return found


def test_sizes() -> None:
    texts = {str(path.relative_to(SRC)): path.read_text(encoding="utf-8") for path in FILES}
    assert {name: wrong for name, text in texts.items() if (wrong := too_large(text))} == {}


def test_the_check_itself_sees_large_code() -> None:
    long = "def f():\n" + "    x = 1\n" * 60
    many = "class A:\n    def __init__(self, " + ", ".join(f"p{i}" for i in range(11)) + "): ...\n"
    assert [m.split(":")[0] for m in too_large(long)] == ["f"]
    assert "11 parameters" in too_large(many)[0]
    assert "lines, at most 400" in too_large("x = 1\n" * 401)[0]
