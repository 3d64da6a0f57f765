"""One forecast of a loaded network: one series, lookback 168, horizon 24, one thread; in process and by ONNX.

Milliseconds of processor time, medians after a warm-up: ``panel`` is ``model.predict(panel)`` on a ready panel of the
last 168 hours, ``means`` the same without intervals, ``frame`` from a data frame of those hours, ``network`` the
bare forward pass in PyTorch, ``onnx`` the exported file in onnxruntime.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import arguments, save

import foretide as ft
from foretide.data.windows import at_cutoffs
from foretide.forecasters.networks.neural import NeuralForecaster

H, LOOKBACK = 24, 168
KINDS: dict[str, Callable[..., NeuralForecaster]] = {"Attention": ft.Attention, "LSTM": ft.LSTM}


def median(call: Callable[[], object], turns: int = 200) -> float:
    """Milliseconds of processor time."""
    for _ in range(20):
        call()
    spent = []
    for _ in range(turns):
        begun = time.process_time()
        call()
        spent.append(time.process_time() - begun)
    return 1000 * float(np.median(spent))


def inputs_of(model: NeuralForecaster, panel: ft.Panel, about: dict) -> dict[str, np.ndarray]:
    """Inputs of the last window."""
    windows = at_cutoffs(panel, None)
    steps = int(windows.steps(panel)[0]) + np.arange(1 - LOOKBACK, H + 1)
    every = {
        "past": panel.rows(0)[None, -LOOKBACK:],
        "step": steps[None, LOOKBACK - 1],
        "entity": np.zeros(1),
        "calendar": model.preparation.calendar.values(panel.grid, steps)[None],
    }
    return {name: every[name].astype(port["dtype"]) for name, port in about["inputs"].items()}


def main() -> None:
    """Time every kind of network."""
    chosen = arguments(__doc__, head={"default": "gaussian"})
    import onnxruntime

    whole = ft.synthetic.hourly(T=2000, n_series=1, seed=1).panel
    last = whole.since(whole.grid.output_times([2000 - LOOKBACK])[0])
    rows = []
    for name, kind in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            kind(h=H, input_size=LOOKBACK, epochs=1, head=chosen.head, device="cpu").fit(whole).save(f"{folder}/model")
            model = ft.load(f"{folder}/model")
            begun = time.process_time()
            file = model.export_onnx(Path(folder) / "model.onnx")
            exported = time.process_time() - begun
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            session = onnxruntime.InferenceSession(file, options)
        about = json.loads(session.get_modelmeta().custom_metadata_map["foretide"])
        frame = last.to_frame()
        batches = model.window_batches(last, at_cutoffs(last, None))
        inputs, feed = batches.inputs(torch.arange(1)), inputs_of(model, last, about)

        def forward(model: NeuralForecaster = model, inputs: object = inputs) -> None:
            with torch.inference_mode():
                model.network(inputs)[0].mean()

        error = np.abs(session.run(["mean"], feed)[0] - model.predict(last).mean).max()
        row = {
            "model": name, "head": chosen.head, "panel_ms": median(lambda m=model: m.predict(last)),
            "means_ms": median(lambda m=model: m.predict(last, levels=())),
            "frame_ms": median(lambda m=model, f=frame: m.predict(f), 30), "network_ms": median(forward),
            "onnx_ms": median(lambda s=session, f=feed: s.run(None, f)), "onnx_error": error, "export_s": exported,
        }  # fmt: skip
        rows.append(row)
    save("one_forecast", rows, chosen.threads)


if __name__ == "__main__":
    main()
