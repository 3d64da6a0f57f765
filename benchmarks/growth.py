"""How seconds and memory grow: with the number of series (200 days each), and with the steps of one series.

Each cell is a process of its own: processor seconds of the operation (its workers included), seconds on the clock, and
the most resident memory of the process and of the largest worker beside it, imports and data included. Rows already in
the result file are kept (``--again`` measures anew), so an interrupted run goes on. ``--largest 10000`` leaves larger
sizes out, ``--picture docs/img/growth.png`` draws what is in the result file; with ``--only`` and no operations nothing
else is done. Slopes are those of the last factor of ten: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from common import RESULTS, save, used

SIZES = {"series": (100, 1_000, 10_000, 100_000), "steps": (1_000, 10_000, 100_000, 1_000_000, 10_000_000)}
DAYS, H, SEASON, PATIENCE = 200, 14, 7, 1200
COLUMNS = "columns.parquet"
KEYS = ["grows", "size", "operation", "processes"]


def operations() -> dict[str, tuple[str, Callable]]:
    """Operation -> what it is given (a file, a panel, or a forecast of one), and the work."""
    import foretide as ft

    def fitted(make: Callable[[], ft.Forecaster]) -> tuple[str, Callable]:
        return "panel", lambda panel, _: make().fit(panel).predict(panel, levels=(80, 95))

    def backtested(*models: ft.Forecaster) -> tuple[str, Callable]:
        def work(panel: ft.Panel, processes: int) -> object:
            card = ft.backtest(models, panel, h=H, n_windows=2, baselines=False, n_jobs=processes)
            return card.leaderboard(), card.scores("mase", by="unique_id")

        return "panel", work

    def scored(forecast: ft.Forecast, _: int) -> object:
        card = ft.score([forecast])
        return card.leaderboard(), card.scores("mase", by="unique_id")

    naive, network = ft.SeasonalNaive(H, SEASON), {"hidden": 32, "epochs": 1}
    return {
        "read_csv": ("csv", lambda path, _: ft.Panel.read(path)),
        "read_parquet": ("parquet", lambda path, _: ft.Panel.read(path)),
        "seasonal_naive": fitted(lambda: naive),
        "seasonal_es": fitted(lambda: ft.SeasonalES(H, SEASON)),
        "ridge": fitted(lambda: ft.Ridge(H)),
        "ridge_columns": (COLUMNS, fitted(lambda: ft.Ridge(H))[1]),
        "boosting": fitted(lambda: ft.Boosting(H)),
        "lavar": fitted(lambda: ft.LAVAR(H)),
        "lavar_columns": (COLUMNS, fitted(lambda: ft.LAVAR(H))[1]),
        "lstm_epoch": fitted(lambda: ft.LSTM(H, **network)),
        "lstm_every_window": fitted(lambda: ft.LSTM(H, **network, batch_size=256, steps_per_epoch=None)),
        "attention_epoch": fitted(lambda: ft.Attention(H, **network)),
        "score": ("forecast", scored),
        "backtest": backtested(naive),
        "backtest_four": backtested(naive, ft.SeasonalES(H, SEASON), ft.SeasonalMean(H, SEASON), ft.Drift(H)),
        "fit_each": ("panel", lambda panel, processes: ft.fit_each(naive, panel, n_jobs=processes)),
        "forecast": ("panel", lambda panel, _: ft.forecast(panel, H)),
    }  # fmt: skip


PARALLEL = ("fit_each", "backtest", "backtest_four")
LEFT_OUT = {("fit_each", "steps"): "one series", ("lavar_columns", "steps"): "as many steps as lavar"}
LARGEST = {"read_csv": 10**7 // 2, "fit_each": 20_000, "lstm_every_window": 20_000}
LARGEST |= dict.fromkeys(("boosting", "lavar", "attention_epoch", "forecast"), 10**6)
"""A table of so many rows would not be read as text; a model per series is a choice for thousands, not for all; an
epoch over the windows of 100,000 series takes minutes (``epochs.py --part whole``)."""


def write(folder: Path, grows: str, size: int, form: str) -> Path:
    """Write the table of a size; days with a weekly season and noise."""
    path = folder / f"{grows}{size}.{form}"
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    n, t = (size, DAYS) if grows == "series" else (1, size)
    t += H if form == COLUMNS else 0
    freq = np.timedelta64(1, "D") if grows == "series" else np.timedelta64(1, "m")
    level = rng.uniform(10, 50, (n, 1))
    y = level * (1 + 0.2 * np.sin(2 * np.pi * np.arange(t) / SEASON)) + rng.normal(size=(n, t))
    days = np.datetime64("2001-01-01", "s") + np.arange(t) * freq
    ids = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(n, dtype=np.int32), t), pa.array([f"s{i:06d}" for i in range(n)])
    )
    table = {"unique_id": ids.cast(pa.string()), "ds": np.tile(days, n)}
    if form == COLUMNS:  # a price and a campaign known ahead, visitors that are not
        campaign, price = rng.random((n, t)) < 0.05, level / 10 * np.exp(0.1 * rng.normal(size=(n, t)))
        y = y * (1 + 0.5 * campaign) * (10 * price / level) ** -1.5
        visitors = 3 * y + rng.normal(size=(n, t))
        y[:, -H:] = visitors[:, -H:] = np.nan
        more = {"price": price, "campaign": campaign.astype(float), "visitors": visitors}
        table |= {name: values.ravel().round(3) for name, values in more.items()}
    table = pa.table(table | {"y": y.ravel().round(3)})
    (pa.csv.write_csv if form == "csv" else pa.parquet.write_table)(table, path)
    return path


def cell(path: str, operation: str, processes: int) -> dict[str, float]:
    """Measure one cell in this process."""
    import foretide as ft

    subject, work = operations()[operation]
    given = path
    if subject == "panel":
        given = ft.Panel.read(path)
    elif subject == COLUMNS:
        given = ft.Panel.read(path, target="y", future=["price", "campaign"], past=["visitors"])
    elif subject == "forecast":
        panel = ft.Panel.read(path)
        until = panel.grid.output_times([int(panel.last.min()) - H])[0]
        given = ft.SeasonalNaive(H, SEASON).fit(panel, until=until).predict(panel, cutoffs=[until], levels=(80, 95))
    with used() as cost:
        work(given, processes)
    return {"cpu_s": cost.cpu_s, "seconds": cost.seconds, "peak_mib": cost.peak_mib}


def measured(folder: Path, grows: str, size: int, operation: str, processes: int) -> dict:
    """Measure one cell in a process of its own."""
    subject = operations()[operation][0]
    path = write(folder, grows, size, subject if subject in ("csv", COLUMNS) else "parquet")
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
    known = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=[*KEYS, "cpu_s"])
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
    if chosen.again:
        anew = {(grows, size, name, processes) for size, grows, name, processes in cells}
        rows = {key: row for key, row in rows.items() if key not in anew}
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
