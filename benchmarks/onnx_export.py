"""Every network and head as an ONNX file: seconds to write it, and how far it is from the graph and from ``predict``.

Inputs are windows of a panel with gaps, a past and a known-future column, and the same with random numbers added, at
batches of 1, 4 and 33. ``predict_error`` is that of the mean, ``onnx_error`` the largest one of all outputs beside the
same graph in PyTorch, both relative above one and absolute below.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from common import arguments, save

import foretide as ft
from foretide.data.windows import at_cutoffs
from foretide.forecasters.base import Forecaster
from foretide.forecasters.table import FORECASTERS, forecaster_class
from foretide.heads.table import HEADS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from cases import make_panel, times
from exported import graph_of, inputs_of

H, LAST = 3, 99
ROUTED = {"nb": ["y0"], "gaussian": ["y1"]}


def models(only: str) -> dict[str, Forecaster]:
    """Every class that can be exported, with every head."""
    found = {}
    for name in FORECASTERS:
        kind = forecaster_class(name)
        if kind.exports is None or only not in name:
            continue
        heads = {**{h: h for h in HEADS}, "routed": ROUTED} if "head" in kind.parameters() else {}
        for head, spec in heads.items():
            found[f"{name}, {head}"] = kind(**{"h": H, **kind.quick, "head": spec})
        plain = kind(**{"h": H, **kind.quick})
        found |= {name: plain} if not heads else {}
        found |= {} if plain.start() is None else {f"{name}, start": plain.start()}
    if only in "LAVAR":
        quick = {"h": H, "order": 3, "latent": 2, "head_epochs": 2, "distribution": "errors"}
        found["LAVAR, gaussian"] = ft.LAVAR(**quick, head_margin=0.0, heads=("gaussian", "delta", "zinb"))
    return found


def error_of(got: np.ndarray, wanted: np.ndarray) -> float:
    """Largest error, relative above one."""
    return float((np.abs(got - wanted) / np.maximum(1.0, np.abs(wanted))).max())


def row_of(name: str, model: Forecaster, panel: ft.Panel, file: Path) -> dict:
    """Fit, export, run, compare."""
    import onnxruntime

    model.fit(panel, until=times(panel, [LAST])[0], intervals=False)
    begun = time.process_time()
    model.export_onnx(file)
    spent = time.process_time() - begun
    session = onnxruntime.InferenceSession(file)
    about = json.loads(session.get_modelmeta().custom_metadata_map["foretide"])
    windows, graph = at_cutoffs(panel, times(panel, [LAST, 105, 111])), graph_of(model)
    feed = inputs_of(model, panel, windows, about)
    found = session.run(["mean"], feed)[0]
    row = {"model": name, "export_s": spent, "file_kb": file.stat().st_size / 1024}
    row["predict_error"] = error_of(found, model.predict(panel, windows, levels=()).mean)
    worst, rng = 0.0, np.random.default_rng(0)
    for batch in (1, 4, 33):
        chosen = rng.integers(0, len(windows), batch)
        some = {key: values[chosen] for key, values in feed.items()}
        for key in {"past", "known", "base"} & set(some):
            some[key] = np.abs(some[key] + rng.normal(size=some[key].shape))
        with torch.no_grad():
            wanted = graph(**{key: torch.from_numpy(values) for key, values in some.items()})
        names = [output.name for output in session.get_outputs()]
        for output, values in zip(names, session.run(names, some), strict=True):
            worst = max(worst, error_of(values.astype(float), wanted[output].double().numpy()))
    return {**row, "onnx_error": worst, "outputs": " ".join(names)}


def main() -> None:
    """Go through all of them."""
    chosen = arguments(__doc__, only={"default": ""})
    warnings.simplefilter("ignore")
    panel = make_panel((120 + H, 118 + H), targets=2, past=1, future=1, ahead=H, missing=0.05, whole=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(chosen.only).items():
            rows.append(row_of(name, model, panel, Path(folder) / "model.onnx"))
            print(rows[-1], flush=True)
            (Path(folder) / "model.onnx").unlink()
    if chosen.only:
        return
    save("onnx_export", rows, chosen.threads, show=False)


if __name__ == "__main__":
    main()
