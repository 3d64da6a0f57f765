"""What it is worth that the memory of a training step is kept for the next, by size of an LSTM and of its batches.

Each case and way is a process of its own, since a heap remembers: processor milliseconds and page faults of a step, of
the quickest of three epochs. ``given back``: as glibc does it by itself.
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import time

import numpy as np
from common import arguments, save

H, WINDOWS = 24, 2_048
CASES = ((64, 168, 64), (64, 60, 64), (32, 60, 64), (128, 60, 128), (32, 60, 1024))
"""Width, lookback, windows of a step."""
WAYS = ("given back", "kept")


def child(way: str, hidden: int, lookback: int, batch: int) -> None:
    """Train three epochs and print what a step took."""
    import torch

    import foretide as ft
    from foretide.training import loop
    from foretide.training.watch import watching

    torch.set_num_threads(1)
    if way == "given back":
        loop.kept_heap = contextlib.nullcontext
    seen, steps = [], WINDOWS // batch

    def look(_: object) -> None:
        seen.append((time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt))

    with watching(look):
        ft.LSTM(
            H, input_size=lookback, hidden=hidden, batch_size=batch, epochs=3, steps_per_epoch=steps, patience=None,
            by_step=False,
        ).fit(ft.synthetic.hourly(T=5_000, seed=0).panel)  # fmt: skip
    seconds, faults = (np.diff(seen, axis=0).min(axis=0) / steps).tolist()
    print(json.dumps({"cpu_ms": 1e3 * seconds, "page_faults": faults}))


def main() -> None:
    """All cases, ways taking turns."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], *map(int, sys.argv[3:]))
        return
    chosen, rows = arguments(__doc__), []
    for case in CASES:
        for way in WAYS:
            words = [sys.executable, __file__, "child", way, *map(str, case)]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            rows.append({"hidden": case[0], "lookback": case[1], "batch": case[2], "way": way, **found})
            print(rows[-1], flush=True)
    save("kept_heap", rows, chosen.threads)


if __name__ == "__main__":
    main()
