"""The documentation builds as a site, and its reference has every public name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import foretide as ft

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("mkdocs")


def test_the_site_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    pages = "".join(page.read_text(encoding="utf-8") for page in (tmp_path / "site" / "reference").rglob("*.html"))
    names = [name for name in ft.__all__ if callable(getattr(ft, name))]
    missing = [name for name in names if f".{name}" not in pages]
    assert missing == []
