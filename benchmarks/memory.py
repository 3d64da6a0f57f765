"""Peak memory of one training epoch: T = 1,000,000 steps x 8 columns, lookback 168.

Measured in a child process per dtype and model: resident memory just after the panel is built is the base, the data
is part of the base; the peak is the kernel's high-water mark from there on.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import psutil
from common import arguments, save

ROWS, COLUMNS, LOOKBACK, H = 1_000_000, 8, 168, 24


def child(dtype: str, model: str) -> None:
    """Fit one epoch and print base and peak."""
    import pandas as pd
    import torch

    import foretide as ft
    from foretide.data.splits import split

    torch.set_num_threads(1)
    torch.nn.functional.mse_loss(torch.zeros(2, requires_grad=True), torch.zeros(2)).backward()
    warm = ft.synthetic.hourly(T=1500, seed=0).panel
    getattr(ft, model)(H, input_size=LOOKBACK, epochs=1).fit(warm)
    process = psutil.Process()
    before = process.memory_info().rss
    rng = np.random.default_rng(0)
    values = rng.standard_normal((ROWS, COLUMNS), dtype=np.float32).astype(dtype)
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(COLUMNS)], copy=False)
    frame.insert(0, "ds", pd.date_range("2000-01-01", periods=ROWS, freq="min"))
    panel = ft.Panel.from_wide(frame, time="ds", target="x0", past="rest")
    del values, frame
    parts = split(panel)
    until = panel.grid.output_times([parts.train_end, parts.val_end])
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    built = process.memory_info().rss
    getattr(ft, model)(H, input_size=LOOKBACK, epochs=1, steps_per_epoch=200).fit(
        panel, until=until[1], train_until=until[0]
    )
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    print(json.dumps({"before": before, "built": built, "peak": peak}))


def main() -> None:
    """One child process per dtype and model."""
    if len(sys.argv) > 1 and sys.argv[1] == "child":
        child(*sys.argv[2:])
        return
    chosen = arguments(__doc__)
    rows = []
    for dtype in ("float64", "float32"):
        for model in ("Attention", "LSTM"):
            out = subprocess.run(
                [sys.executable, __file__, "child", dtype, model], capture_output=True, text=True, check=True
            )
            found = json.loads(out.stdout.strip().splitlines()[-1])
            size = ROWS * COLUMNS * np.dtype(dtype).itemsize
            rows.append({
                "model": model, "dtype": dtype, "data_mb": size / 1e6,
                "above_process_mb": (found["peak"] - found["before"]) / 1e6,
                "times_data": (found["peak"] - found["before"]) / size,
                "above_panel_mb": (found["peak"] - found["built"]) / 1e6,
            })  # fmt: skip
            print(rows[-1], flush=True)
    save("memory", rows, chosen.threads)


if __name__ == "__main__":
    main()
