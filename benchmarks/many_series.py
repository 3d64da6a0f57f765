"""Commands on tables of many series, 200 days each: seconds, memory, and what they leave on the disk.

``check``, ``forecast`` (SeasonalES, which is judged beside the simple baselines first) and ``backtest`` (the simple
baselines, four folds), each a process of its own. A row for each command: processor seconds, seconds on the clock, the
largest resident memory with and without pages of temporary files, which the system takes back when it needs room, and
all bytes it leaves; then a row for each file of more than a thousandth of these. Rows of other sizes stay in the result
file.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from common import RESULTS, save, used
from growth import SEASON, H, write

COMMANDS = ("check", "forecast", "backtest")
CONFIG = """name: many
data: {{path: {path}}}
h: {h}
season: {season}
models: [SeasonalES]
backtest: {{n_windows: 4, step: {h}}}
"""
INSIDE = "--inside"


def words(command: str, table: Path, folder: Path, out: Path) -> list[str]:
    """What is typed."""
    if command == "check":
        return ["check", str(table)]
    if command == "forecast":
        return ["forecast", str(table), "--h", str(H), "--model", "SeasonalES", "--out", str(out)]
    config = folder / "backtest.yaml"
    config.write_text(CONFIG.format(path=table, h=H, season=SEASON))
    return ["backtest", str(config), "--out", str(out)]


def inside(typed: list[str]) -> None:
    """Run a command in this process; its largest memory, and that of its own, end standard error."""
    from foretide.cli import main

    sys.argv = ["foretide", *typed]
    try:
        with used() as found:
            main()
    finally:
        print(f"\n{found.own_mib} {found.anonymous_mib}", file=sys.stderr)


def measured(command: str, size: int, folder: Path, kept: Path | None) -> list[dict]:
    """Run a command, and look at what it left."""
    table, out = write(folder, "series", size, "parquet"), (kept or folder) / f"{command}{size}"
    shutil.rmtree(out, ignore_errors=True)
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    typed = [sys.executable, __file__, INSIDE, *words(command, table, folder, out)]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{command} of {size} series failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    said = done.stderr.strip().splitlines()
    files = {str(f.relative_to(out)): f.stat().st_size for f in sorted(out.rglob("*")) if f.is_file()}
    files["terminal"] = len(done.stdout) + sum(map(len, said[:-1]))
    everything = {
        "series": size, "command": command, "file": "all", "bytes": sum(files.values()),
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "seconds": seconds,
        "peak_mib": float(said[-1].split()[0]), "anonymous_mib": float(said[-1].split()[1]),
    }  # fmt: skip
    print(everything, flush=True)
    least = everything["bytes"] / 1000
    return [everything, *(
        {"series": size, "command": command, "file": name, "bytes": own}
        for name, own in files.items() if own >= least or name in ("report.html", "terminal")
    )]  # fmt: skip


def main() -> None:
    """Measure every command at every size."""
    if sys.argv[1:2] == [INSIDE]:
        inside(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--only", nargs="*", default=list(COMMANDS), choices=COMMANDS)
    parser.add_argument("--keep", type=Path, help="A folder for what the commands leave.")
    chosen = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in chosen.sizes:
            for command in chosen.only:
                rows += measured(command, size, Path(folder), chosen.keep)
    file = RESULTS / "many_series.csv"
    before = pd.read_csv(file) if file.exists() else pd.DataFrame({"series": [], "command": []})
    again = before["series"].isin(chosen.sizes) & before["command"].isin(chosen.only)
    others = before[~again].drop(columns=["threads", "foretide", "torch", "numpy", "python"], errors="ignore")
    save("many_series", sorted([*others.to_dict("records"), *rows], key=lambda row: row["series"]), 1)


if __name__ == "__main__":
    main()
