"""Random damage to the folder of a finished job: whatever reads it gives an answer or one foretide error.

    python tests/fuzz/folders.py --seconds 600 --seed 0

The folder is read by results, reports, scorecards, models, forecasts and explanations, and taken up again by the job
that made it. What ends well must leave a folder that says so. One that takes longer than 60 seconds is stopped.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from fuzzing import NUMBERS, TIMES, Reading, bytes_damaged, edited, main

DATA = {"synthetic": {"generator": "hourly", "args": {"T": 160, "n_series": 2, "seed": 1}}}
NAIVE = {"SeasonalNaive": {"season": 24}}
BASE = {"name": "small", "data": DATA, "h": 3, "models": [NAIVE], "baselines": False, "stride": 8}
NETWORK = {"Attention": {"epochs": 1, "head": "quantile", "width": 4, "heads": 1}}
JOBS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("run", BASE),
    ("fit", BASE),
    ("backtest", {**BASE, "models": ["Drift", NAIVE], "backtest": {"n_windows": 3}}),
    ("run", {**BASE, "input_size": 24, "models": [NETWORK]}),
    ("tune", {**BASE, "models": ["SeasonalES"], "search": {"n_trials": 2, "sampler": "random"}}),
)
"""The cheap ones first: a few seconds of the fuzzer never come to the others."""
FOR_PEOPLE = (".png", ".svg", ".html", ".csv", ".md")
"""Endings of what is never read back."""
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1, 3, 10**6, 10**12, 10**400, 0.5, 1e308, float("nan"), float("inf"), "", "x", "\0",
    "\ud800", [], {}, [[]], [None], {"a": {}}, {"__float__": "x"}, {"__tuple__": 3}, "finished", "running", "failed",
    "../..", "/", "SeasonalNaive", "run", "search", *NUMBERS[:12], *TIMES[:8],
)  # fmt: skip


def perform(job: str, config: dict[str, Any], folder: Path) -> Path:
    """Do a job, or take up what is there."""
    from foretide.jobs import fit_model, run, run_backtest
    from foretide.jobs.searching import run_search

    deeds: dict[str, Callable[..., Any]] = {"run": run, "backtest": run_backtest, "tune": run_search}
    done = fit_model(config, folder) if job == "fit" else deeds[job](config, output=folder)
    return Path(done.path)


def copied(which: int, folder: Path) -> Path:
    """Return a copy of the finished folder of a job, which is done once."""
    job, config = JOBS[which]
    base, copy = folder / f"base-{which}", folder / "copy"
    if not base.exists():
        perform(job, config, base)
    remove(copy)
    shutil.copytree(base, copy)
    return copy


def remove(path: Path) -> None:
    """Remove whatever is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def damage(folder: Path, rng: random.Random) -> None:
    """Do something to a file of a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in FOR_PEOPLE)
    if not files:
        return
    path, kind = rng.choice(files), rng.randrange(10)
    if kind < 3 and path.suffix == ".json":
        try:
            value = edited(json.loads(path.read_text()), rng, ODD)
            path.write_text(json.dumps(value))
        except ValueError:  # damaged before, or no JSON can say it
            path.write_text("[" * rng.choice([1, 2000]))
    elif kind < 3 and path.suffix == ".parquet":
        table_damaged(path, rng)
    elif kind < 6:
        path.write_bytes(bytes_damaged(path.read_bytes(), rng))
    elif kind == 6:
        path.write_bytes(rng.choice([b"", b"{}", b"[]", b"null", b"PAR1", b"\x93NUMPY", b"\0" * 100]))
    elif kind == 7:
        path.write_bytes(rng.choice(files).read_bytes())
    elif kind == 8:
        remove(path)
    else:
        remove(path)
        rng.choice([
            lambda: path.mkdir(), lambda: path.symlink_to(path.name), lambda: path.symlink_to(folder),
            lambda: path.symlink_to("nowhere"),
        ])()  # fmt: skip


def table_damaged(path: Path, rng: random.Random) -> None:
    """Write a Parquet file anew with other rows, columns or types."""
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except Exception:  # damaged before
        return
    if table.empty:
        return
    name, kind = rng.choice(list(table.columns)), rng.randrange(8)
    others = [other for other in ("", "y", "x", "ds", "Drift", f"{name}x") if other not in table.columns]
    changes: list[Callable[[], pd.DataFrame]] = [
        lambda: table.drop(columns=name),
        lambda: table.rename(columns={name: rng.choice(others)}),
        lambda: table.iloc[: rng.randrange(len(table))],
        lambda: table.iloc[::-1],
        lambda: pd.concat([table, table.iloc[:3]]),
        lambda: table.assign(**{name: rng.choice([None, "x", 1, -1.0, float("nan"), float("inf"), True])}),
        lambda: table.assign(**{name: table[name].astype(str)}),
        lambda: table.assign(surplus=1),
    ]
    changes[kind]().to_parquet(path, index=False)


def readers(which: int) -> dict[str, Callable[[Path], object]]:
    """Return all that reads a folder, by name."""
    import foretide as ft
    from foretide.jobs import RunFolder, predict_with
    from foretide.jobs.attention import export_attention
    from foretide.jobs.explaining import explain_run
    from foretide.jobs.reporting import write_figures, write_report
    from foretide.jobs.results import result_of

    def models(folder: Path) -> None:
        for path in sorted((folder / "models").iterdir()):
            ft.load(path)

    def taken_up(folder: Path) -> None:
        """Say that the job was interrupted, and start it again."""
        status = folder / "status.json"
        try:
            known = json.loads(status.read_text())
            status.write_text(json.dumps({**known, "status": "interrupted"}))
        except (ValueError, OSError, TypeError, RecursionError):
            pass  # the damage is there
        done = RunFolder(perform(*JOBS[which], folder))
        assert done.status == "finished"
        result_of(done)
        if JOBS[which][0] != "fit":
            compared(folder.parent / f"base-{which}", folder)

    found: dict[str, Callable[[Path], object]] = {
        "results": lambda folder: result_of(RunFolder(folder)), "report": write_report,
        "card": lambda folder: ft.Scorecard.load(folder).leaderboard(), "forecast": predict_with,
        "explain": lambda folder: explain_run(folder, with_inputs=False), "attention": export_attention,
        "figures": lambda folder: write_figures(folder, ["svg"]), "taken up": taken_up,
    }  # fmt: skip
    if JOBS[which][0] != "tune":
        found["models"] = models
    return found


def compared(base: Path, folder: Path) -> None:
    """Fail where a job that was taken up came to other figures than the one before."""
    import pandas as pd

    import foretide as ft

    expected, found = ft.Scorecard.load(base).leaderboard(), ft.Scorecard.load(folder).leaderboard()
    times = [name for name in expected if str(name).endswith(("seconds", "_s", "time", "peak_mib"))]
    pd.testing.assert_frame_equal(expected.drop(columns=times), found.drop(columns=times))


def prepared(rng: random.Random, folder: Path) -> Reading:
    """Damage a folder; return a function that reads it."""
    which = min(rng.choice([0, 0, 1, 1, 2, 3, 3, 4]), LAST)
    copy = copied(which, folder)
    known = readers(which)
    name = rng.choice(list(known))
    if LAST < 2 and name in ("figures", "taken up", "report"):
        name = "results"  # those take a second each
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        damage(copy, rng)

    def use() -> str:
        known[name](copy)
        return "used"

    return use


LAST = 1 if "--brief" in sys.argv else len(JOBS) - 1

if __name__ == "__main__":
    raise SystemExit(main(__file__, __doc__, prepared, limit=60))
