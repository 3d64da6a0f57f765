"""How seconds and memory grow: with the number of series (200 days each), and with the steps of one series.

Each cell is a process of its own: processor seconds of the operation (its workers included), seconds on the clock, and
the largest resident memory of any one process, imports and data included. Rows already in the result file are kept
(``--again`` measures anew), so an interrupted run goes on. ``--largest 10000`` leaves larger sizes out,
``--picture docs/img/growth.png`` draws what is in the result file; with ``--only`` and no operations nothing else is
done. Slopes are those of the last factor of ten: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from common import RESULTS, save

SIZES = {"series": (100, 1_000, 10_000, 100_000), "steps": (1_000, 10_000, 100_000, 1_000_000, 10_000_000)}
DAYS, H, SEASON, PATIENCE = 200, 14, 7, 1200
KEYS = ["grows", "size", "operation", "processes"]


def operations() -> dict[str, tuple[str, Callable]]:
    """Operation -> what it is given (a file or a panel), and the work."""
    import foretide as ft

    def answered(model: ft.Forecaster, panel: ft.Panel) -> object:
        return model.fit(panel).predict(panel, levels=(80, 95))

    def each(panel: ft.Panel, processes: int) -> object:
        return ft.fit_each(ft.SeasonalNaive(H, SEASON), panel, n_jobs=processes)

    def scored(panel: ft.Panel, processes: int) -> object:
        card = ft.backtest(ft.SeasonalNaive(H, SEASON), panel, h=H, n_windows=2, baselines=False, n_jobs=processes)
        return card.leaderboard(), card.scores("mase", by="unique_id")

    return {
        "read_csv": ("csv", lambda path, _: ft.Panel.read(path)),
        "read_parquet": ("parquet", lambda path, _: ft.Panel.read(path)),
        "seasonal_naive": ("panel", lambda panel, _: answered(ft.SeasonalNaive(H, SEASON), panel)),
        "seasonal_es": ("panel", lambda panel, _: answered(ft.SeasonalES(H, SEASON), panel)),
        "ridge": ("panel", lambda panel, _: answered(ft.Ridge(H), panel)),
        "lstm_epoch": ("panel", lambda panel, _: answered(ft.LSTM(H, hidden=32, epochs=1), panel)),
        "backtest": ("panel", scored),
        "fit_each": ("panel", each),
    }  # fmt: skip


PARALLEL = ("fit_each", "backtest")
LEFT_OUT = {("fit_each", "steps"): "one series", ("backtest", "steps", 2): "one fold at a time"}
LARGEST = {"read_csv": 10**7 // 2, "fit_each": 20_000}
"""A table of so many rows would not be read as text; a model per series is a choice for thousands, not for all."""


def write(folder: Path, grows: str, size: int, form: str) -> Path:
    """Write the table of a size; days with a weekly season and noise."""
    path = folder / f"{grows}{size}.{form}"
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    n, t = (size, DAYS) if grows == "series" else (1, size)
    freq = np.timedelta64(1, "D") if grows == "series" else np.timedelta64(1, "m")
    level = rng.uniform(10, 50, (n, 1))
    y = level * (1 + 0.2 * np.sin(2 * np.pi * np.arange(t) / SEASON)) + rng.normal(size=(n, t))
    days = np.datetime64("2001-01-01", "s") + np.arange(t) * freq
    ids = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(n, dtype=np.int32), t), pa.array([f"s{i:06d}" for i in range(n)])
    )
    table = pa.table({"unique_id": ids.cast(pa.string()), "ds": np.tile(days, n), "y": y.ravel().round(3)})
    (pa.csv.write_csv if form == "csv" else pa.parquet.write_table)(table, path)
    return path


def largest() -> float:
    """Largest resident memory of this process in MiB; what getrusage says begins with that of the parent."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text()).group(1)) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def cell(path: str, operation: str, processes: int) -> dict[str, float]:
    """Measure one cell in this process."""
    import foretide as ft

    given, work = operations()[operation]
    subject = ft.Panel.read(path) if given == "panel" else path
    began, clock = os.times(), time.perf_counter()
    work(subject, processes)
    ended = os.times()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "cpu_s": sum(ended[:4]) - sum(began[:4]), "seconds": time.perf_counter() - clock,
        "peak_mib": max(largest(), children / (2**20 if sys.platform == "darwin" else 2**10)),
    }  # fmt: skip


def measured(folder: Path, grows: str, size: int, operation: str, processes: int) -> dict:
    """Measure one cell in a process of its own."""
    given = "csv" if operation == "read_csv" else "parquet"
    path = write(folder, grows, size, given)
    words = [sys.executable, __file__, "--cell", str(path), operation, str(processes)]
    row = {"grows": grows, "size": size, "operation": operation, "processes": processes}
    try:
        done = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return {**row, "note": f"more than {PATIENCE} s"}
    if done.returncode:
        return {**row, "note": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200]}
    return {**row, **json.loads(done.stdout.splitlines()[-1]), "note": ""}


def with_slopes(rows: list[dict]) -> list[dict]:
    """Add the exponents of seconds and memory over the last factor of ten."""
    known = {tuple(row[key] for key in KEYS): row for row in rows}
    for row in rows:
        before = known.get((row["grows"], row["size"] // 10, row["operation"], row["processes"]), {})
        for name in ("cpu_s", "peak_mib"):
            now, then = row.get(name, math.nan), before.get(name, math.nan)
            row[f"slope_{name}"] = math.log10(now / then) if now and then and now > 0 and then > 0 else math.nan
    return rows


def draw(rows: list[dict], path: Path) -> None:
    """Draw seconds and memory over sizes, both logarithmic."""
    from foretide.pictures.matplotlib import draw as draw_panels
    from foretide.pictures.picture import Axis, Line, Panel

    panels = []
    titles = {"series": f"series of {DAYS} days", "steps": "steps of one series"}
    for name, unit in (("cpu_s", "processor seconds"), ("peak_mib", "peak memory (MiB)")):
        for grows, title in titles.items():
            lines = []
            for k, operation in enumerate(operations()):
                own = [r for r in rows if (r["grows"], r["operation"], r["processes"]) == (grows, operation, 1)]
                own = sorted((r for r in own if r.get(name, 0) > 0), key=lambda r: r["size"])
                if len(own) > 1:
                    lines.append(Line.nth(k, operation, [r["size"] for r in own], [r[name] for r in own]))
            if not lines:
                continue
            panels.append(Panel(lines, Axis(title, kind="log"), Axis(unit, kind="log")))
    draw_panels(panels, "How seconds and memory grow", wide=True).savefig(path, dpi=110)


def main() -> None:
    """Measure what is not measured yet, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10**7)
    parser.add_argument("--grows", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.cell:
        print(json.dumps(cell(chosen.cell[0], chosen.cell[1], int(chosen.cell[2]))))
        return
    file = RESULTS / "growth.csv"
    known = pd.read_csv(file) if file.exists() and not chosen.again else pd.DataFrame(columns=[*KEYS, "cpu_s"])
    known = known[known["cpu_s"].notna()].drop(columns="note", errors="ignore")
    rows = {tuple(row[key] for key in KEYS): row for row in known.to_dict("records")}
    names = list(operations()) if chosen.only is None else chosen.only
    cells = [
        (size, grows, name, processes)
        for grows in chosen.grows for size in SIZES[grows] for name in names
        for processes in ((1, 2) if name in PARALLEL else (1,))
        if size <= min(chosen.largest, LARGEST.get(name, 10**9))
        and not {(name, grows), (name, grows, processes)} & set(LEFT_OUT)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for size, grows, name, processes in sorted(cells):
            key = (grows, size, name, processes)
            if key not in rows:
                rows[key] = measured(Path(folder), grows, size, name, processes)
                print(rows[key], flush=True)
                save("growth", with_slopes(list(rows.values())), 1, show=False)
    if chosen.picture:
        draw(list(rows.values()), chosen.picture)


if __name__ == "__main__":
    main()
