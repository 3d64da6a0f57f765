"""Kill -9 of every command at random moments: does the same command go on, and does it end the same?

Each command runs through once, to know how long it takes and what it leaves. Then it is started again and again and
killed after a random share of that time; the same command, typed again, has to end with the same files, times left out,
and to need no more than what was left. CPU seconds are counted, because the machine may be busy (busy neighbours still
make them up to twice as many); what a command needs before it does anything (the imports of the whole command, reading)
is measured by ``--dry-run`` and taken off both sides.

The commands take turns, and each row is written as it comes: a benchmark that was cut short, started again with
``--go-on``, takes up the rows that are there.

    python benchmarks/survive.py --kills 20 --commands fit run forecast backtest tune
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from common import RESULTS, arguments, save

import foretide as ft

SEED = 7
LAVAR = {"LAVAR": {"epochs": 12, "head_epochs": 12}}
ATTENTION = {"Attention": {"epochs": 16, "patience": 16, "steps_per_epoch": 30}}
MODELS = {
    "fit": [ATTENTION],
    "run": [ATTENTION, LAVAR, {"Auto": {"candidates": ["SeasonalES", {"LSTM": {"epochs": 12}}, "Ridge"]}}],
    "backtest": [{"LSTM": {"epochs": 12, "patience": 12}}, LAVAR],
    "tune": [{"LSTM": {"epochs": 6}}],
}  # fmt: skip
TIMES = {
    "seconds", "fit_seconds", "predict_seconds", "peak_mib", "fit_mib", "predict_mib", "rows_per_second", "sha256",
    "files", "began", "started", "ended", "host", "storage",
}  # fmt: skip
"""Columns and keys that hold what differs from run to run, the folder's own path among them."""
PASSED_OVER = {"run.log", "status.json", "study.journal", "study.journal.lock"}


def prepare(place: Path) -> dict[str, list[str]]:
    """Write table and configurations; return the words of each command, without its folder."""
    panel = ft.synthetic.hourly(T=1_000, n_series=3, seed=1).panel
    panel.to_frame().to_csv(place / "table.csv", index=False)
    data = {"path": str(place / "table.csv"), "target": list(panel.targets), "past": list(panel.past)}
    words = {"forecast": ["forecast", str(place / "table.csv"), "--h", "24", "--time-limit", "600"]}
    for command, models in MODELS.items():
        config = {
            "name": command, "data": data, "h": 24, "input_size": 72, "models": models, "baselines": command == "run",
            "backtest": {"n_windows": 4, "refit": 2}, "threads": 1,
        }  # fmt: skip
        if command == "tune":
            config["search"] = {"n_trials": 5, "sampler": "random"}
        (place / f"{command}.yaml").write_text(yaml.safe_dump(config))
        words[command] = [command, str(place / f"{command}.yaml")]
    return words


NOTING = """
import atexit, pathlib, sys
import foretide.cli.app as app
file = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: file.write_text(" ".join(name for name in sys.modules if name != "__main__")))
app.main()
"""
"""Runs a command, and notes the modules that it imported."""
IMPORTING = """
import contextlib, importlib, pathlib, sys
import foretide.cli.app as app
for name in pathlib.Path(sys.argv.pop(1)).read_text().split():
    with contextlib.suppress(Exception):
        importlib.import_module(name)
app.main()
"""
"""Runs a command after it has imported these modules."""


def start(words: list[str], out: Path, *more: str, by: tuple[str, ...] = ("-m", "foretide")) -> subprocess.Popen[str]:
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *by, *words, "--out", str(out), *more], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def ended(process: subprocess.Popen[str], after: float | None = None) -> tuple[float, str]:
    """Wait for a process, killing it after some CPU seconds of its own; return those it took, and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    while after is not None and process.poll() is None:
        if cpu_of(process.pid) >= after:
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    said = process.communicate()[0]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, said


def cpu_of(pid: int) -> float:
    """CPU seconds of a running process so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------- what is compared
def differences(one: Path, two: Path) -> Iterator[str]:
    """Say what differs between two folders besides times."""
    names = [{str(p.relative_to(f)) for p in f.rglob("*") if p.is_file()} for f in (one, two)]
    yield from (f"{name}: in one only" for name in sorted(names[0] ^ names[1]))
    for name in sorted(names[0] & names[1]):
        a, b = one / name, two / name
        if Path(name).name in PASSED_OVER or a.read_bytes() == b.read_bytes():
            continue
        if name.endswith(".json"):
            yield from (f"{name}: {what}" for what in _json(json.loads(a.read_text()), json.loads(b.read_text())))
        elif name.endswith((".csv", ".parquet")):
            yield from (f"{name}: {what}" for what in _tables(a, b))
        elif name.endswith((".md", ".html", ".svg", ".png", ".txt")):
            continue  # pages show the tables compared above, and times
        else:
            yield f"{name}: other bytes"


def _json(a: object, b: object, key: str = "") -> Iterator[str]:
    last = key.rpartition(".")[2]
    if (
        last in TIMES
        or last == "sha256"
        or "seconds" in last
        or last in ("files", "began", "started", "ended", "host", "storage")
    ):
        return
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for name in a:
            yield from _json(a[name], b[name], f"{key}.{name}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for x, y in zip(a, b, strict=True):
            yield from _json(x, y, key)
    elif a != b and not (a != a and b != b):
        yield f"{key}: {str(a)[:60]} / {str(b)[:60]}"


def _tables(a: Path, b: Path) -> Iterator[str]:
    read = pd.read_csv if a.suffix == ".csv" else pd.read_parquet
    one, two = read(a), read(b)
    kept = [c for c in one.columns if c not in TIMES and "seconds" not in c]
    if list(one.columns) != list(two.columns) or len(one) != len(two):
        yield f"{one.shape} / {two.shape}"
    elif not one[kept].equals(two[kept]):
        yield ", ".join(c for c in kept if not one[c].equals(two[c]))


# ---------------------------------------------------------------- the run
def killed(words: list[str], reference: Path, place: Path, whole: float, idle: float, share: float) -> dict:
    """Kill a command after a share of its work, type it again, and compare."""
    out = place / "again"
    shutil.rmtree(out, ignore_errors=True)
    wait = idle + share * (whole - idle)
    first, _ = ended(start(words, out), wait)
    left = sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) if out.exists() else 0
    status = out / "status.json"
    if status.is_file() and json.loads(status.read_text())["status"] == "finished":  # it was quicker than at first
        second, said, wrong = idle, "", False
    else:
        process = start(words, out)
        second, said = ended(process)
        wrong = process.returncode != 0
    found = [f"ended with {process.returncode}: {said[-400:]}"] if wrong else list(differences(reference, out))
    done = max(first - idle, 0.0)
    work_left = max(whole - idle - done, 0.0)
    return {
        "command": words[0], "share": share, "killed_after": first, "second": second, "whole": whole, "idle": idle,
        "repeated": max(second - idle - work_left, 0.0), "over": (second - idle) / max(work_left, 1e-9) - 1,
        "of_whole": max(second - idle - work_left, 0.0) / (whole - idle), "mib_left": left / 2**20, "same": not found,
        "differs": "; ".join(found)[:300],
    }  # fmt: skip


def measured(words: list[str], place: Path) -> tuple[Path, float, float]:
    """Run a command through; return its folder, its CPU seconds, and those before it does anything."""
    reference, modules = place / f"whole-{words[0]}", place / f"{words[0]}.modules"
    process = start(words, reference, by=("-c", NOTING, str(modules)))
    whole, said = ended(process)
    assert process.returncode == 0, said
    idle, _ = ended(start(words, place / "idle", "--dry-run", by=("-c", IMPORTING, str(modules))))
    print(f"{words[0]}: {whole:.1f} s of CPU, {idle:.1f} s before any work", flush=True)
    return reference, whole, idle


def told(row: dict) -> str:
    """One line for who watches."""
    return (
        f"  {row['command']} killed at {row['share']:.0%} ({row['killed_after']:.1f} s), then {row['second']:.1f} s, "
        f"repeated {row['repeated']:.1f} s ({row['of_whole']:.0%}), {row['mib_left']:.1f} MiB, "
        f"{'same' if row['same'] else row['differs']}"
    )


def main() -> None:
    """Run all commands asked for, in turns."""
    chosen = arguments(
        __doc__, kills={"type": int, "default": 20}, commands={"nargs": "+", "default": [*MODELS, "forecast"]},
        show={"action": "store_true", "help": "write no file"}, out={"default": "survive"},
        **{"go-on": {"action": "store_true"}},
    )  # fmt: skip
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    draws = np.random.default_rng(SEED).uniform(0, 1, (chosen.kills, len(chosen.commands)))
    file, rows = RESULTS / f"{chosen.out}.csv", []
    if chosen.go_on and file.is_file():
        rows = pd.read_csv(file).fillna({"differs": ""}).to_dict("records")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        words = prepare(place)
        known = {}
        for number in range(chosen.kills):
            for command, share in zip(chosen.commands, draws[number].tolist(), strict=True):
                if any(row["command"] == command and row["kill"] == number for row in rows):
                    continue
                if command not in known:
                    known[command] = measured(words[command], place)
                reference, whole, idle = known[command]
                row = killed(words[command], reference, place, whole, idle, share)
                rows.append({"kill": number, "seed": SEED, "commit": commit, **row})
                print(told(rows[-1]), flush=True)
                if not chosen.show:
                    save(chosen.out, rows, chosen.threads, show=False)


if __name__ == "__main__":
    main()
