"""Inputs of exported graphs, cut from a panel as a runner does it, and quantiles from their parameters: the twins."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from foretide.data.panel import Panel
from foretide.data.windows import Windows
from foretide.forecasters.base import Forecaster
from foretide.typing import Array


def graph_of(model: Forecaster) -> Any:
    """Return the graph that ``export_onnx`` writes, as a torch module."""
    assert model.exports is not None
    module, _, name = model.exports.partition(":")
    return getattr(importlib.import_module(module), name).of(model)


def run_graph(model: Forecaster, panel: Panel, windows: Windows) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the outputs of a model's graph for some windows, and what it says of itself."""
    import torch

    graph = graph_of(model)
    assert model.layout is not None
    about = {**graph.facts(), "ids": model.layout.ids, "inputs": {port.name: port.facts() for port in graph.ports}}
    feed = {name: torch.from_numpy(own) for name, own in inputs_of(model, panel, windows, about).items()}
    with torch.no_grad():
        found = graph(**feed)
        families, meanings = graph.describe(feed)
    assert set(meanings) <= set(found)
    return {name: values.numpy() for name, values in found.items()}, {**about, "distribution": families}


def quantile_of(own: Mapping[str, Any], held: Mapping[str, Array], level: float) -> Array:
    """Return a quantile by SciPy, from the parameters ``held`` of one of the families of a file."""
    from scipy import stats

    family = own["family"]
    if family == "normal":
        return np.asarray(stats.norm.ppf(level, held["location"], held["sd"]))
    if family == "student_t":
        return np.asarray(stats.t.ppf(level, held["df"], held["location"], held["scale"]))
    if family == "quantiles":
        return np.apply_along_axis(lambda values: np.interp(level, own["levels"], values), -1, held["quantiles"])
    if family == "poisson":
        return np.asarray(stats.poisson.ppf(level, held["mu"]))
    pi, mu, theta = held.get("pi", np.zeros(1)), held["mu"], held["theta"]
    inner = np.clip((level - pi) / (1 - pi), 0, 1)
    return np.asarray(np.where(inner > 0, stats.nbinom.ppf(inner, theta, theta / (theta + mu)), 0.0))


def inputs_of(model: Forecaster, panel: Panel, windows: Windows, about: dict[str, Any]) -> dict[str, Array]:
    """Return the inputs of some windows of a panel, by what a file says of itself."""
    view = model.view(panel, windows)
    seen, h = view.panel, about["h"]
    columns = (*seen.targets, *seen.past, *seen.future)
    found: dict[str, list[Array]] = {name: [] for name in about["inputs"]}
    calendar = getattr(model, "preparation", None) or model.parts_.preparation  # type: ignore[attr-defined]
    base = None
    if "base" in found:
        base = base_of(model, panel, windows)
    for k, (entity, cutoff) in enumerate(zip(view.windows.entity, view.windows.cutoff, strict=True)):
        rows, step = seen.rows(int(entity)), int(seen.first[entity] + cutoff)
        table = {name: rows[:, columns.index(name)] for name in columns}
        for name in found:
            port = about["inputs"][name]
            length = port["shape"][1] if len(port["shape"]) > 2 else 0
            high = cutoff + 1 + (h if name in ("known", "calendar") else 0)
            if name in ("past", "known"):
                cells = [_cut(_carried(table[c], cutoff), high - length, high) for c in port["columns"]]
                found[name].append(np.stack(cells, axis=1))
            elif name == "calendar":
                steps = np.arange(step + 1 + h - length, step + 1 + h)
                found[name].append(calendar.calendar.values(seen.grid, steps))
            elif name == "static":
                found[name].append(seen.static.values[entity])
            elif name == "base":
                assert base is not None
                found[name].append(base[k])
            else:
                found[name].append(np.array(step if name == "step" else about["ids"].index(seen.ids[entity])))
    return {name: np.stack(parts).astype(about["inputs"][name]["dtype"]) for name, parts in found.items()}


def base_of(model: Any, panel: Panel, windows: Windows) -> Array:
    """Return what the base of a model forecasts, ``[W, H, D]``."""
    if "base" in model.traces:
        return np.asarray(model.predict(panel, windows, base=True).extras["base"])
    view = model.view(panel, windows)
    return np.asarray(model.base.at(view.panel, view.windows, model.h))


def _carried(cells: Array, cutoff: int) -> Array:
    """Return a column whose gaps up to the cutoff hold the value before them."""
    out = np.array(cells, dtype=np.float64)
    for t in range(1, cutoff + 1):
        if np.isnan(out[t]):
            out[t] = out[t - 1]
    return out


def _cut(cells: Array, low: int, high: int) -> Array:
    """Return some rows; NaN before the first one."""
    return np.concatenate([np.full(max(0, -low), np.nan), cells[max(0, low) : high]])
