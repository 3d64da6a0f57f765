"""Without PyTorch all but the networks work, and those name what is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HIDE = """
import sys, warnings

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Hidden())
import foretide as ft
panel = ft.synthetic.hourly(T=1100, n_series=1, seed=1).panel
"""


def without_torch(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HIDE + code], capture_output=True, text=True, check=True
    ).stdout


def test_a_network_says_what_to_install() -> None:
    code = """
for kind in ("Attention", "LSTM", "LAVAR"):
    try:
        getattr(ft, kind)(h=12)
    except ft.errors.MissingExtraError as error:
        print(error)
"""
    said = without_torch(code).splitlines()
    assert said[0] == "Attention needs the package 'torch', which is not installed. Type: pip install torch"
    assert len(said) == 3


def test_auto_forecasts_and_says_what_it_left_out(tmp_path: Path) -> None:
    code = f"""
model = ft.Auto(h=12).fit(panel)
model.save({str(tmp_path / "model")!r})
loaded = ft.load({str(tmp_path / "model")!r})
assert (loaded.predict(panel).mean == model.predict(panel).mean).all()
board = model.leaderboard().set_index("candidate")
print(board.left_out["Attention"], len(board), sep="|")
"""
    left_out, rows = without_torch(code).strip().split("|")
    assert "'torch'" in left_out
    assert int(rows) > 4


def test_a_backtest_runs() -> None:
    assert "RMSE" in without_torch("print(ft.backtest([ft.Ridge(h=12)], panel, n_windows=2).verdict())")


def test_the_readme_lists_what_is_needed_without_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[<>=]", line)[0] for line in project["dependencies"]} - {"torch"}
    line = next(
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("pip install numpy")
    )
    assert set(line.split("&&")[0].split()[2:]) == needed
