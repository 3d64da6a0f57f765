"""No file names a package registry's host or a path of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Written in pieces so that this file does not name them itself.
FOREIGN = re.compile(
    "|".join(["py" + r"pi\.org", "python" + "hosted", "/wo" + "rk/main", "/wo" + "rk/shared", "/ro" + r"ot/\."])
)


def test_no_machine_paths() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = [
        p
        for p in listed
        if Path(p).suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ""} and (ROOT / p).is_file()
    ]
    found = [p for p in texts if FOREIGN.search((ROOT / p).read_text(encoding="utf-8"))]
    assert found == []
    assert len(texts) > 20
