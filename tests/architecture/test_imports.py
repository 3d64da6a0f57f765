"""The package's first import and `--help` are quick and touch nothing heavy."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

import pytest

HEAVY = [
    "torch", "scipy.stats", "matplotlib", "statsmodels", "statsforecast", "plotly", "optuna", "lightning_fabric",
    "polars", "holidays",
]  # fmt: skip
LOADED = f"import sys; print([m for m in {HEAVY!r} if m in sys.modules])"


def python(code: str) -> str:
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_import_touches_nothing_heavy() -> None:
    assert python("import foretide; dir(foretide); " + LOADED) == "[]"


def test_panel_and_baselines_need_no_torch() -> None:
    code = "import foretide as ft; ft.Panel, ft.Persistence, ft.SeasonalES, ft.synthetic, ft.score; " + LOADED
    assert "torch" not in python(code)


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["run", "--help"], ["generate", "--help"]])
def test_help_touches_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['foretide', *{arguments!r}]\n"
        "from foretide.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n" + LOADED
    )
    assert python(code) == "[]"


@pytest.mark.timing
def test_import_takes_half_a_second() -> None:
    code = "import time; t = time.perf_counter(); import foretide; print(time.perf_counter() - t)"
    python(code)  # byte code is written once
    assert statistics.median(float(python(code)) for _ in range(5)) <= 0.5


def test_unknown_name_gets_the_nearest_one() -> None:
    import foretide

    with pytest.raises(AttributeError, match="Did you mean 'Attention'"):
        foretide.Atention  # noqa: B018


def test_every_public_name_resolves() -> None:
    import foretide

    for name in dir(foretide):
        assert getattr(foretide, name) is not None
