"""Attention weights that a run or a backtest keeps: of which windows, and in which files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.data.windows import evenly
from foretide.errors import ArtifactError, ConfigError, nearest
from foretide.explain.weights.stream import lens_on
from foretide.jobs.folder import RunFolder
from foretide.jobs.store import ATTENTION, ATTENTION_ABOUT, ATTENTION_ARRAY

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.evaluation.rolling.plan import Plan
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast

MOST_BYTES = 256 * 2**20
"""Attention kept per model is at most this large, whatever number of windows is asked for."""
AXES = {
    "window": "forecast origins, in the order of `windows`",
    "head": "attention heads",
    "horizon_step": "steps after the cutoff, 1 first",
    "lag": "the lookback, oldest first: index i is lag L-1-i, the last index is lag 0, the cutoff itself",
}


def keep_attention(
    models: Mapping[str, Forecaster], panel: Panel, plan: Plan, most: int, folder: RunFolder
) -> dict[str, Forecast]:
    """Keep attention of fitted models over windows they have not learned from, where these are enough.

    Parameters
    ----------
    models : mapping
        Name -> fitted forecaster; those without attention are left out.
    panel : Panel
    plan : Plan
        Of a run, the windows of the test part are looked at; of a backtest, those after the last fit.
    most : int
        Windows at most, evenly spread; fewer where they would take too much memory.
    folder : RunFolder
        Gets ``attention.safetensors`` and ``attention.json``, which says what its axes are.

    Returns
    -------
    dict
        Model -> forecast with ``extras["attention"]``.
    """
    kept, about = {}, {}
    for name, model in models.items():
        if "attention" not in model.traces or not most:
            continue
        if plan.split is not None:
            windows, which = plan.test_windows(panel), "of the test part"
        else:
            lens = lens_on(model, panel, None)
            windows, which = lens.windows, f"of the last fit, {lens.about}"
        kept[name] = _attending(model, panel, windows[evenly(len(windows), most, newest=True)])
        cutoffs = panel.grid.output_times(kept[name].cutoff_steps)
        about[name] = {
            "shape": list(kept[name].extras["attention"].shape), "about": which,
            "windows": [
                {"entity": panel.ids[int(entity)], "cutoff": str(cutoff)}
                for entity, cutoff in zip(kept[name].windows.entity, cutoffs, strict=True)
            ],
        }  # fmt: skip
    if kept:
        folder.keep(
            ATTENTION, {name: forecast.extras["attention"].astype("float32") for name, forecast in kept.items()}
        )
        folder.keep(ATTENTION_ABOUT, {"file": ATTENTION.file, "axes": AXES, "row_sum": 1, "models": about})
    return kept


def export_attention(folder: str | os.PathLike[str], *, model: str | None = None) -> dict[str, Path]:
    """Write the attention that a run or a backtest kept as ``.npy``, one file per model.

    Parameters
    ----------
    folder : path
        Holds ``attention.safetensors``; gets ``attention-<Model>.npy``, float32
        ``[window, head, horizon_step, lag]`` with the oldest lag first. ``attention.json`` names the windows.
    model : str, optional
        One of its models; all with attention by default.

    Returns
    -------
    dict
        Model -> file.

    Raises
    ------
    ArtifactError
        For a folder without attention.
    ConfigError
        For a name that is not among them.
    """
    run = RunFolder(Path(folder))
    arrays = run.read(ATTENTION)
    if not arrays:
        raise ArtifactError(
            f"{run.path} holds no attention. Expected a folder of `foretide run` or `backtest` with an Attention "
            "model, and attention_windows above 0."
        )
    if model is not None and model not in arrays:
        raise ConfigError(f"{run.path} holds no attention of {model!r}. {nearest(model, arrays)}")
    written = {}
    for name in arrays if model is None else [model]:
        run.keep(ATTENTION_ARRAY, arrays[name], model=name)
        written[name] = run.path / ATTENTION_ARRAY.places(model=name)[0]
    return written


def _attending(model: Forecaster, panel: Panel, windows: Windows) -> Forecast:
    """Forecast with attention from as many windows as memory allows (one first, to know the size)."""
    one = model.predict(panel, cutoffs=windows[:1], levels=(), attention=True)
    allowed = max(1, MOST_BYTES // max(1, one.extras["attention"].nbytes))
    chosen = windows[evenly(len(windows), allowed, newest=True)]
    return model.predict(panel, cutoffs=chosen, levels=(), attention=True)
