"""ft.forecast with nothing but a path and a horizon: every case, every table of the league, and two sizes.

Each call runs in a process of its own, on one thread. `seconds` of the call after `import foretide`, the imports that
it needs included; `cpu_seconds` of computing, which other work on the machine does not lengthen; `peak_mib` of the
process and of those it started; `answered` is the share of series with a forecast and intervals for every step.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from common import RESULTS, arguments, real_data, save, used

CASES = 5
"""Steps forecast of a case."""


def child(path: str, h: str) -> None:
    """Forecast one table; print what it took and gave."""
    import foretide as ft

    call = ft.forecast
    with used() as cost:
        try:
            result, error = call(path, int(h)), ""
        except ft.errors.ForetideError as raised:
            result, error = None, str(raised)
    if result is None:
        print(json.dumps({"seconds": cost.seconds, "error": error.replace("\n", " ")[:160]}))
        return
    panel = result.panel
    frame = result.to_frame()
    whole = np.isfinite(result.forecast.mean).all(axis=(1, 2)) & np.isfinite(result.forecast.quantiles).all(
        axis=(1, 2, 3)
    )
    board = result.leaderboard()
    print(json.dumps({
        "series": len(panel.series), "rows": int(panel.length.sum()), "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_s, "peak_mib": cost.peak_mib,
        "answered": float(whole.sum()) / max(1, int((panel.observed > 0).sum())), "forecast_rows": len(frame),
        "chosen": " + ".join(board.candidate[board.weight > 0]), "tried": int(np.isfinite(board.wql).sum()),
        "target": " ".join(panel.names.melted or panel.targets), "time": panel.names.time,
        "id": "" if panel.ids == ("",) or panel.names.melted else panel.names.id,
        "past": " ".join(panel.past), "future": " ".join(panel.future),
    }))  # fmt: skip


def sizes(folder: Path) -> list[tuple[str, Path, int]]:
    """Write 100 shops of three years by day, and one series of three years by month."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2021-01-01", periods=1095)
    week, year = np.tile([5.0, 6, 5, 7, 9, 14, 12], 157)[:1095], 3 * np.sin(2 * np.pi * np.arange(1095) / 365.25)
    shops = pd.concat([
        pd.DataFrame({
            "shop": f"shop{k}", "day": days,
            "sales": np.round((20 + k + week + year) * rng.lognormal(0, 0.2, 1095), 2),
        })
        for k in range(100)
    ])  # fmt: skip
    shops.to_csv(folder / "shops.csv", index=False)
    months = pd.date_range("2021-01-01", periods=36, freq="MS")
    sales = 100 + 10 * np.sin(2 * np.pi * np.arange(36) / 12) + rng.normal(0, 3, 36)
    pd.DataFrame({"month": months, "sales": sales}).to_csv(folder / "months.csv", index=False)
    return [("100 x 1095 days", folder / "shops.csv", 14), ("1 x 36 months", folder / "months.csv", 12)]


def main() -> None:
    """One child process per table."""
    if len(sys.argv) > 1 and sys.argv[1] == "child":
        child(*sys.argv[2:])
        return
    chosen = arguments(__doc__, only={"default": "", "help": "Tables whose name begins so."})
    league, cases = real_data() / "league", real_data().parent / "cases"
    tasks = pd.read_csv(league / "tasks.csv")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        tables = sizes(Path(folder))
        tables += [(p.name, p, CASES) for p in sorted(cases.iterdir()) if p.suffix in (".csv", ".parquet")]
        tables += [(task, league / f"{task}.parquet", int(h)) for task, h in zip(tasks.task, tasks.h, strict=True)]
        for name, path, h in tables:
            if not name.startswith(chosen.only):
                continue
            command = [sys.executable, __file__, "child", str(path), str(h)]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append({"table": name, "h": h, **json.loads(out.stdout.strip().splitlines()[-1])})
            print(rows[-1], flush=True)
    # A run of some tables leaves those alone that another run has measured.
    before = pd.read_csv(RESULTS / "one_call.csv") if (RESULTS / "one_call.csv").is_file() else pd.DataFrame()
    others = [row for row in before.to_dict("records") if row["table"] not in {new["table"] for new in rows}]
    save("one_call", rows + others, chosen.threads)


if __name__ == "__main__":
    main()
