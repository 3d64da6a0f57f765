"""Peak memory of one training epoch: T = 1,000,000 steps x 8 columns, lookback 168; then of ten times as many.

Measured in a child process per length, dtype and model: resident memory just after the panel is built is the base, the
data is part of the base; the peak is the kernel's high-water mark from there on. ``own_above_panel_mb`` leaves pages of
mapped files out, as which scaled values of more than 256 MiB are kept: those are the system's. ``--only 10000000``
measures one length, and leaves the rows of others as they are.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
from common import RESULTS, arguments, of_process, save, used

COLUMNS, LOOKBACK, H = 8, 168, 24
CASES = [(1_000_000, dtype, model) for dtype in ("float64", "float32") for model in ("Attention", "LSTM")]
CASES += [(10_000_000, "float32", "LSTM")]


def child(length: str, dtype: str, model: str) -> None:
    """Fit one epoch and print base and peak."""
    import torch

    import foretide as ft
    from foretide.data.splits import split

    torch.set_num_threads(1)
    torch.nn.functional.mse_loss(torch.zeros(2, requires_grad=True), torch.zeros(2)).backward()
    warm = ft.synthetic.hourly(T=1500, seed=0).panel
    getattr(ft, model)(H, input_size=LOOKBACK, epochs=1).fit(warm)
    before, rows = of_process("VmRSS"), int(length)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((rows, COLUMNS), dtype=np.float32).astype(dtype, copy=False)
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(COLUMNS)], copy=False)
    frame.insert(0, "ds", pd.date_range("2000-01-01", periods=rows, freq="min"))
    panel = ft.Panel.from_wide(frame, time="ds", target="x0", past="rest")
    del values, frame
    parts = split(panel)
    until = panel.grid.output_times([parts.train_end, parts.val_end])
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    built, own = of_process("VmRSS"), of_process("RssAnon")
    with used() as taken:
        getattr(ft, model)(H, input_size=LOOKBACK, epochs=1, steps_per_epoch=200).fit(
            panel, until=until[1], train_until=until[0]
        )
    own = taken.anonymous_mib * 2**20 - own
    print(json.dumps({"before": before, "built": built, "peak": of_process("VmHWM"), "own": own}))


def main() -> None:
    """One child process per case."""
    if len(sys.argv) > 1 and sys.argv[1] == "child":
        child(*sys.argv[2:])
        return
    chosen = arguments(__doc__, only={"type": int, "help": "Steps of the cases to measure."})
    file, rows = RESULTS / "memory.csv", []
    if chosen.only and file.is_file():
        before = pd.read_csv(file)
        rows = before[before["steps"] != chosen.only].to_dict("records")
    for case in CASES:
        length, dtype, model = case
        if chosen.only not in (None, length):
            continue
        out = subprocess.run(
            [sys.executable, __file__, "child", *map(str, case)], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(out.stdout.strip().splitlines()[-1])
        size = length * COLUMNS * np.dtype(dtype).itemsize
        above = found["peak"] - found["before"]
        rows.append({
            "steps": length, "model": model, "dtype": dtype, "data_mb": size / 1e6, "above_process_mb": above / 1e6,
            "times_data": above / size, "above_panel_mb": (found["peak"] - found["built"]) / 1e6,
            "own_above_panel_mb": found["own"] / 1e6,
        })  # fmt: skip
        print(rows[-1], flush=True)
    save("memory", rows, chosen.threads)


if __name__ == "__main__":
    main()
