"""No pickle, no global seed, no swallowed error, no mutable default; public names are documented."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "src" / "foretide").rglob("*.py"))
BANNED_MODULES = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
BANNED_CALLS = {
    "np.random.seed", "numpy.random.seed", "torch.manual_seed", "torch.cuda.manual_seed", "random.seed",
    "torch.set_default_dtype", "pd.read_pickle", "torch.save",
}  # fmt: skip

LAST_WORDS = {name.rpartition(".")[2] for name in BANNED_CALLS}


def bad_habits(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
        else:
            names = set()
        found += [f"line {node.lineno}: imports {name}" for name in names & BANNED_MODULES]  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LAST_WORDS:
            called = ast.unparse(node.func)
            found += [f"line {node.lineno}: calls {called}"] if called in BANNED_CALLS else []
        if isinstance(node, ast.ExceptHandler) and all(isinstance(s, ast.Pass) for s in node.body):
            broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            if broad:
                found.append(f"line {node.lineno}: swallows every error")
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            if any(isinstance(d, (ast.List, ast.Dict, ast.Set)) for d in defaults):
                found.append(f"line {node.lineno}: {node.name} has a mutable default")
    return found


def undocumented(source: str) -> list[str]:
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else ["module"]
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            found += [] if ast.get_docstring(node) else [node.name]
    return found


def everywhere(check: Callable[[str], list[str]]) -> dict[str, list[str]]:
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES}
    return {name: found for name, text in texts.items() if (found := check(text))}


def test_no_bad_habits() -> None:
    assert everywhere(bad_habits) == {}


def test_public_names_are_documented() -> None:
    assert everywhere(undocumented) == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import load", "np.random.seed(1)", "def f():\n    torch.manual_seed(0)",
        "try:\n    f()\nexcept Exception:\n    pass", "def f(x=[]): ...",
    ],
)  # fmt: skip
def test_the_check_itself_sees_bad_habits(source: str) -> None:
    assert len(bad_habits(source)) == 1
