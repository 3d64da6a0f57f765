"""Time and memory of the attention summary over 100,000 windows, 4 heads, H 24, L 168, against the forward pass.

Each piece runs in a process of its own and begins when what was freed before has gone back to the system, so that no
memory freed earlier hides what it needs. ``forward`` is the network over the same windows in the same batches, nothing
kept; ``predict`` returns the forecasts; ``summary`` is ``ft.explain.attention``, and ``summary+text`` its words with
the faithfulness test; ``predict+attention`` also returns the weights, of 2000 windows (all of them would be 6 GiB).
Seconds are the median of the repeats, pieces in turn.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from common import arguments, save

import foretide as ft
from foretide.data.windows import Windows, at_cutoffs
from foretide.evaluation.metrics.cost import measured

N, H, L = 100_000, 24, 168
PIECES = ("nothing", "forward", "predict", "summary", "summary+text", "predict+attention")


def panel_and_cutoffs() -> tuple[ft.Panel, object]:
    """Four series that give ``N`` windows between them."""
    import pandas as pd

    length = N // 4 + L + H - 1
    made = [ft.synthetic.planted_lags(T=length, lags=(24, 48), weights=(0.6, 0.3), seed=s, n_noise=0) for s in range(4)]
    frames = [m.to_frame().assign(unique_id=f"s{s}") for s, m in enumerate(made)]
    panel = ft.Panel.from_frame(pd.concat(frames), target="y")
    return panel, panel.grid.output_times(np.arange(L - 1, length - H))


def piece(name: str, folder: str) -> tuple[float, float, int]:
    """Run one piece and return seconds, MiB above what model and panel take, and windows."""
    import torch

    from foretide.forecasters.networks.neural import in_batches

    model = ft.load(folder)
    panel, cutoffs = panel_and_cutoffs()
    windows: Windows = at_cutoffs(panel, cutoffs, min_history=L)
    model.predict(panel, cutoffs=cutoffs[:1])  # what is loaded on first use is no part of the figure
    ft.explain.attention(model, panel, cutoffs[:1]).sentences(test=False)
    n = len(windows)
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with measured() as cost:
        if name == "forward":
            batches = model.window_batches(panel, windows)
            with torch.inference_mode():
                for _, chosen in in_batches(batches):
                    model.network(batches.inputs(chosen))[0].mean()
        elif name == "predict":
            model.predict(panel, cutoffs=cutoffs)
        elif name == "predict+attention":
            n = 2000
            model.predict(panel, cutoffs=cutoffs[-500:], attention=True)
        elif name.startswith("summary"):
            summary = ft.explain.attention(model, panel, cutoffs)
            if name == "summary+text":
                summary.text()
    return cost.seconds, cost.peak_mib, n


def main() -> None:
    """Fit briefly, then run every piece in its own process."""
    chosen = arguments(
        __doc__, repeats={"type": int, "default": 3}, piece={"default": ""}, folder={"default": ""}
    )  # fmt: skip
    if chosen.piece:
        print("RESULT", *piece(chosen.piece, chosen.folder))
        return
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in PIECES}
    with tempfile.TemporaryDirectory() as folder:
        panel, _ = panel_and_cutoffs()
        model = ft.Attention(H, input_size=L, hidden=128, heads=4, epochs=1, steps_per_epoch=20)
        model.fit(panel, until=panel.grid.output_times([4000])[0]).save(folder)
        for repeat in range(chosen.repeats):
            for name in PIECES:
                command = [
                    sys.executable, __file__, "--piece", name, "--folder", folder, "--threads", str(chosen.threads)
                ]  # fmt: skip
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds, mib, n = next(x for x in done.stdout.splitlines() if x.startswith("RESULT")).split()[1:]
                found[name].append((float(seconds), float(mib), int(n)))
                print(repeat, name, seconds, mib, flush=True)
    forward = statistics.median(s for s, _, _ in found["forward"])
    rows = [
        {
            "piece": name, "windows": runs[0][2], "heads": 4, "h": H, "lookback": L, "repeats": len(runs),
            "seconds": statistics.median(s for s, _, _ in runs), "peak_mib": max(m for _, m, _ in runs),
            "of_forward": statistics.median(s for s, _, _ in runs) / forward if runs[0][2] == N else np.nan,
        }
        for name, runs in found.items()
    ]  # fmt: skip
    save("attention_memory", rows, chosen.threads)


if __name__ == "__main__":
    main()
