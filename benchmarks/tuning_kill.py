"""Kill -9 of a running study at a random moment, again and again, and what the next call makes of it.

Each round starts the same command, kills it after a random time, and looks at the journal: every trial that had
finished before must still be there with its figure, and no settings may have been finished twice. At the end the
command runs through, and its trials are compared with those of a study that was never killed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import arguments, save

from foretide.tuning.ledger import Ledger, Row
from foretide.tuning.storage import Place, quiet

SCRIPT = """
import sys
import torch
torch.set_num_threads(1)
import foretide as ft
panel = ft.synthetic.hourly(T=500, n_series=2, seed=1).panel
ft.LSTM(h=6, input_size=24, hidden=8, epochs=1).fit(panel)
print("ready", flush=True)
study = ft.tune(ft.LSTM(h=6, input_size=24, hidden=8, epochs=1), panel, n_trials=int(sys.argv[2]),
                space={"lr": (1e-4, 1e-2, "log"), "layers": [1, 2]}, storage=sys.argv[1], name="killed",
                baselines=False, refit=False)
"""


def start(path: Path, trials: int) -> subprocess.Popen:
    """Start the study, and wait until everything is imported."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), str(trials)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def rows_of(path: Path) -> list[Row]:
    """Return all trials of the journal."""
    with quiet():
        return Ledger(Place(str(path)).open(), "killed", ["LSTM"]).rows()


def kill_once(path: Path, trials: int, after: float) -> dict:
    """Run, kill, look."""
    before = {row.id: row for row in rows_of(path) if row.finished} if path.exists() else {}
    process = start(path, trials)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    ended = process.wait() == 0
    process.stdout.close()  # type: ignore[union-attr]
    rows = rows_of(path)
    now = {row.id: row for row in rows}
    keys = [row.key for row in rows if row.finished]
    return {
        "after_s": after, "ended_before_the_kill": ended, "finished": len(keys), "new": len(keys) - len(before),
        "lost": sum(i not in now or now[i].value != row.value for i, row in before.items()),
        "twice": len(keys) - len(set(keys)),
        "left_running": sum(row.state == "running" for row in rows),
    }  # fmt: skip


def main() -> None:
    """Kill as often as asked, then run through and compare."""
    chosen = arguments(__doc__, kills={"type": int, "default": 20}, longest={"type": float, "default": 2.0})
    draws, trials, rows = np.random.default_rng(0), 10_000, []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "killed.journal"
        for k in range(chosen.kills):
            rows.append({"kill": k + 1, **kill_once(path, trials, float(draws.uniform(0, chosen.longest)))})
            print(rows[-1], flush=True)
        total = rows[-1]["finished"] + 5
        done = start(path, total)
        assert done.wait() == 0
        other = Path(folder) / "whole.journal"
        assert start(other, total).wait() == 0
        killed = [(row.key, row.seed, row.value) for row in rows_of(path) if row.counts]
        whole = [(row.key, row.seed, row.value) for row in rows_of(other) if row.counts]
        interrupted = sum(row.state == "interrupted" for row in rows_of(path))
    last = {"kill": "all", "finished": len(killed), "lost": sum(r["lost"] for r in rows),
            "twice": len(killed) - len({key for key, _, _ in killed}), "interrupted": interrupted,
            "same_as_never_killed": killed == whole}  # fmt: skip
    save("tuning_kill", [*rows, last], chosen.threads)


if __name__ == "__main__":
    main()
