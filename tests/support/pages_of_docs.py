"""The pages of the documentation, and what is printed in them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run_python(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a page run in order and share their names; on real data where the folder is there."""
    monkeypatch.chdir(folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    data = ROOT.parent / "shared" / "data"
    if data.is_dir() and "FORETIDE_DATA" not in os.environ:
        monkeypatch.setenv("FORETIDE_DATA", str(data))
    names: dict[str, object] = {"__name__": "docs"}
    code = "\n\n".join(blocks(page, "python"))
    exec(compile(code, str(page), "exec", dont_inherit=True), names)
    assert "ft" in names
