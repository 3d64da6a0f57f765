"""Size of the code by room: lines without docstrings, comments and blank ones, and the word ``Any``; any two revisions.

``python benchmarks/house.py --before cafea64 --after HEAD`` reads both out of git.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections import Counter
from pathlib import Path

from common import arguments, save

ROOT = Path(__file__).parents[1]
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a text alone: a docstring, or one below an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def code_lines(source: str) -> int:
    """Lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        for child in getattr(node, "body", []) if not isinstance(node, (ast.Lambda, ast.IfExp)) else []:
            if is_text(child):
                lines.difference_update(range(child.lineno, child.end_lineno + 1))
    return len(lines)


def git(*command: str) -> str:
    """Output of a git command in the project."""
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def rooms(revision: str) -> tuple[Counter[str], Counter[str]]:
    """Code lines and the word ``Any`` by room of a revision."""
    lines, words = Counter[str](), Counter[str]()
    for path in git("ls-tree", "-r", "--name-only", revision, "src/foretide").split():
        if path.endswith(".py"):
            source, parts = git("show", f"{revision}:{path}"), Path(path).parts
            room = parts[2].replace("pipeline", "jobs") if len(parts) > 3 else "(top)"
            lines[room] += code_lines(source)
            words[room] += len(re.findall(r"\bAny\b", source))
    return lines, words


def main() -> None:
    """Count both revisions and write the table."""
    chosen = arguments(__doc__, before={"default": "cafea64"}, after={"default": "HEAD"})
    (old, old_any), (new, new_any) = rooms(chosen.before), rooms(chosen.after)
    rows = [
        {"room": r, "lines_before": old[r], "lines_after": new[r], "any_before": old_any[r], "any_after": new_any[r]}
        for r in sorted(old | new)
    ]
    total = {key: sum(row[key] for row in rows) for key in rows[0] if key != "room"}
    save("house", [*rows, {"room": "all", **total}], chosen.threads)


if __name__ == "__main__":
    main()
