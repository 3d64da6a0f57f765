"""A newcomer's path: the README's commands, one after the other, as they are printed."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
from command_line import foretide

ROOT = Path(__file__).resolve().parents[2]


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("foretide ")]


def test_the_readmes_commands_run_in_order(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    typed = commands()
    assert len(typed) >= 5
    for line in typed:
        foretide(*shlex.split(line, comments=True)[1:], cwd=tmp_path)
    made = pd.read_csv(tmp_path / "next" / "forecast.csv")
    assert list(made.columns[:3]) == ["shop", "date", "sales"]
    assert len(made) == 5 * 14
    assert made["shop"].unique().tolist() == [101, 102, 103, 104, 105]
    assert (tmp_path / "judged" / "report.html").stat().st_size < 6e6
