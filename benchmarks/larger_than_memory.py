"""A table five times as large as the memory a process may use: opened, fitted on, forecast, saved, loaded, backtested.

Parquet files of 32 series x 50,000 hours x 64 columns of float64 (819 MB as columns). Each model runs in a process of
its own, once over the opened table, and once over the same table in memory. Its share is a fifth of the table, above
what the process takes once it has fitted a small one (imports, PyTorch's buffers); beyond 1.3 times that it is given
nothing more (``RLIMIT_DATA``), and fails. The limit bounds anonymous memory: pages of mapped files are the system's,
which takes them back when it needs room. The peak is that of ``RssAnon``, looked at every 5 ms. Seconds are of
computing (user and system). Rows of models that are not asked for (``--models``) stay in the result file.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from common import RESULTS, arguments, of_process, save

SERIES, STEPS, COLUMNS, H, SHARE, LEEWAY = 32, 50_000, 64, 24, 5, 1.3
ROLES = {"target": "y", "past": [f"x{k}" for k in range(1, COLUMNS - 4)], "future": [f"f{k}" for k in range(4)]}
MODELS = ("SeasonalES", "Ridge", "LSTM")
MB = 10**6


def columns(rng: np.random.Generator, phase: float, steps: int) -> np.ndarray:
    """One series, a wave of a day in noise under every column, ``[steps, COLUMNS]``."""
    return 10 + 3 * np.sin(2 * np.pi * np.arange(steps) / 24 + phase)[:, None] + rng.standard_normal((steps, COLUMNS))


def frame_of(rng: np.random.Generator, name: str, phase: float, steps: int) -> pd.DataFrame:
    """The same as a frame."""
    names = [*[ROLES["target"]], *ROLES["past"], *ROLES["future"]]
    frame = pd.DataFrame(columns(rng, phase, steps), columns=names)
    frame.insert(0, "ds", pd.date_range("2000-01-01", periods=steps, freq="h"))
    frame.insert(0, "unique_id", name)
    return frame


def write(folder: Path) -> None:
    """The table, one file a series."""
    rng = np.random.default_rng(0)
    for k in range(SERIES):
        frame_of(rng, f"s{k:02d}", k, STEPS).to_parquet(folder / f"s{k:02d}.parquet", row_group_size=10_000)


@contextmanager
def watched(found: dict[str, float], base: int) -> Iterator[None]:
    """Put the peak of anonymous memory above a base, and the seconds, under ``found``."""
    peak, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.005):
            peak[0] = max(peak[0], of_process("RssAnon"))

    watcher = threading.Thread(target=look)
    watcher.start()
    began, wall = time.process_time(), time.perf_counter()
    try:
        yield
    finally:
        found["seconds"], found["wall_seconds"] = time.process_time() - began, time.perf_counter() - wall
        ended.set()
        watcher.join()
        found["peak_mb"] = (peak[0] - base) / MB


def child(name: str, where: str, folder: str) -> None:
    """Go through all steps with one model; print what each takes."""
    import foretide as ft

    warnings.simplefilter("ignore")

    def made() -> ft.Ridge | ft.LSTM | ft.SeasonalES:
        if name == "SeasonalES":  # it keeps the whole history
            return ft.SeasonalES(H, season=24)
        return ft.Ridge(H, input_size=24) if name == "Ridge" else ft.LSTM(H, input_size=24, hidden=16, epochs=1)

    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(dir=folder) as small:
        pd.concat([frame_of(rng, f"s{k:02d}", k, 400) for k in range(4)]).to_parquet(f"{small}/small.parquet")
        warm = ft.Panel.open(f"{small}/small.parquet", cache=small, **ROLES)
        made().fit(warm.head(warm.length - H)).save(f"{small}/model")
    share = SERIES * STEPS * COLUMNS * 8 // SHARE
    base, results = of_process("RssAnon"), []
    if where == "opened":
        most = of_process("VmData") + int(LEEWAY * share)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    def step(what: str, work: Callable[[], object]) -> object:
        found: dict[str, float] = {}
        with watched(found, base):
            value = work()
        results.append({"model": name, "table": where, "step": what, **found, "share_mb": share / MB})
        return value

    if where == "opened":
        panel = step("read", lambda: ft.Panel.open(Path(folder, "table"), cache=Path(folder, name), **ROLES))
    else:
        panel = step("read", lambda: ft.Panel.from_frame(pd.read_parquet(Path(folder, "table")), **ROLES))
        base = of_process("RssAnon")
    until = panel.grid.output_times([STEPS - H - 1])[0]
    model = step("fit", lambda: made().fit(panel, until=until))
    forecast = step("predict", lambda: model.predict(panel, cutoffs=[until]))
    step("save", lambda: model.save(Path(folder, f"{name}-{where}")))
    results.append({"sum": float(forecast.mean.sum())})
    again = step("load", lambda: ft.load(Path(folder, f"{name}-{where}")))
    step("write", lambda: ft.write_forecasts(again, panel, Path(folder, f"{name}-{where}-forecasts"), cutoffs=[until]))
    if name != "LSTM":
        step("backtest", lambda: ft.backtest([made()], panel, h=H, n_windows=1, baselines=False))
    print(json.dumps(results))


def main() -> None:
    """One process for each model and place of the table."""
    if len(sys.argv) > 1 and sys.argv[1] == "child":
        child(*sys.argv[2:])
        return
    chosen, rows, sums = arguments(__doc__, models={"nargs": "*", "default": list(MODELS)}), [], {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "table").mkdir()
        write(Path(folder, "table"))
        for name in chosen.models:
            for where in ("opened", "in memory"):
                out = subprocess.run(
                    [sys.executable, __file__, "child", name, where, folder],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                found = json.loads(out.stdout.strip().splitlines()[-1])
                sums[name, where] = next(row["sum"] for row in found if "sum" in row)
                rows += [row for row in found if "step" in row]
                print(pd.DataFrame(found).to_string(), flush=True)
    for name in chosen.models:
        assert sums[name, "opened"] == sums[name, "in memory"], "the forecasts differ"
    for row in rows:
        own = next(r for r in rows if (r["model"], r["step"], r["table"]) == (row["model"], row["step"], "in memory"))
        row["times_in_memory"] = row["seconds"] / own["seconds"]
        row["times_share"] = row["peak_mb"] / row["share_mb"]
    file = RESULTS / "larger_than_memory.csv"
    before = pd.read_csv(file) if file.is_file() else pd.DataFrame({"model": []})
    save("larger_than_memory", before[~before["model"].isin(chosen.models)].to_dict("records") + rows, chosen.threads)


if __name__ == "__main__":
    main()
