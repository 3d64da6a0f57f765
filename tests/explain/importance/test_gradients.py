"""Integrated gradients against a plain sum, and their completeness."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError, MissingExtraError, NotFittedError
from foretide.explain.importance.gradients import InputGradients, input_gradients
from foretide.models.inputs import Inputs
from foretide.seeding import torch_generator
from foretide.training.store import Store, WindowBatches

H, SIZE = 3, 8
SMALL: dict[str, Any] = {"input_size": SIZE, "hidden": 4, "epochs": 0, "device": "cpu", "head": "point"}


@cache
def panel() -> Panel:
    return make_panel((90, 80), targets=2, past=1, future=1, ahead=H, seed=1)


@cache
def fitted(kind: str) -> Any:
    """A network whose weights were shaken, so that its deep part matters."""
    options = {**SMALL, "heads": 2} if kind == "Attention" else SMALL
    model = getattr(ft, kind)(H, **options).fit(panel())
    noise = torch_generator(3)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=noise)
    return model


@cache
def found(kind: str) -> InputGradients:
    pytest.importorskip("captum")
    return input_gradients(fitted(kind), panel(), times(panel(), [40, 60]), target="y1", h_step=2, n_steps=64)


def first_inputs(model: Any) -> Inputs:
    store = Store(panel(), model.preparation, input_size=SIZE, h=H)
    windows = found("LSTM").windows
    return WindowBatches(store, windows).inputs(torch.arange(len(windows)))


@pytest.mark.parametrize("kind", ["LSTM", "Attention"])
def test_attributions_add_up_to_the_forecast(kind: str) -> None:
    model, got = fitted(kind), found(kind)
    assert got.past.shape == (4, SIZE, 3)
    assert got.known.shape[:2] == (4, SIZE + H)
    forecast = model.predict(panel(), times(panel(), [40, 60]), levels=()).mean[:, 1, 1]
    x = first_inputs(model)
    assert x.known_past is not None
    assert x.known is not None
    zero = Inputs(0 * x.past, x.step, x.entity, H, 0 * x.known_past, 0 * x.known, x.static)
    with torch.no_grad():
        base = model.network(zero)[0].mean().numpy()
    baseline = model.preparation.unscale(panel(), got.windows.entity, base)[:, 1, 1]
    np.testing.assert_allclose(got.total, forecast - baseline, atol=1e-4)
    np.testing.assert_allclose(got.past.sum((1, 2)) + got.known.sum((1, 2)), got.total + got.gap, atol=1e-4)
    assert np.abs(got.gap).max() < 0.02 * np.abs(got.total).max()


@pytest.mark.parametrize("kind", ["LSTM", "Attention"])
def test_against_a_plain_sum_of_gradients(kind: str) -> None:
    """The midpoint rule on many points, with autograd at each."""
    model, got, points = fitted(kind), found(kind), 100
    x = first_inputs(model)
    assert x.known_past is not None
    assert x.known is not None
    total = torch.zeros_like(x.past)
    for n in range(points):
        share = (n + 0.5) / points
        past = (share * x.past).requires_grad_()
        moved = Inputs(past, x.step, x.entity, H, share * x.known_past, share * x.known, x.static)
        (slope,) = torch.autograd.grad(model.network(moved)[0].mean()[:, 1, 1].sum(), past)
        total += slope / points
    unit = model.preparation.scale[got.windows.entity, 1][:, None, None]
    np.testing.assert_allclose(got.past, (total * x.past).numpy() * unit, atol=0.01 * np.abs(got.past).max())


def test_tables() -> None:
    got = found("LSTM")
    table = got.table()
    assert set(table["column"]) >= {"y0", "y1", "p0", "f0"}
    assert len(table) == got.past.shape[2] + got.known.shape[2]
    assert table["share"].sum() == pytest.approx(1)
    size = np.mean([np.abs(got.past[w, :, 2]).sum() for w in range(4)])
    assert table.set_index("column").loc["p0", "mean_size"] == pytest.approx(size)
    lags = got.by_lag()
    row = lags[(lags["column"] == "y1") & (lags["lag"] == 0)].iloc[0]
    assert row["mean_size"] == pytest.approx(np.abs(got.past[:, -1, 1]).mean())
    assert "4 windows" in repr(got)


def test_a_panel_without_known_columns() -> None:
    pytest.importorskip("captum")
    plain = make_panel((90,), seed=2)
    model = ft.LSTM(H, **{**SMALL, "calendar": None}).fit(plain)
    got = input_gradients(model, plain)
    assert got.known.shape == (1, 0, 0)
    assert got.h_steps == (1, 2, 3)
    assert got.target == "y0"
    mean = model.predict(plain, levels=()).mean[0, :, 0].mean()
    assert np.isfinite(mean)
    assert got.past.sum() == pytest.approx(got.total[0], abs=1e-3)


def test_without_captum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'captum'.*foretide\[explain\]"):
        input_gradients(fitted("LSTM"), panel())


def test_wrong_settings() -> None:
    model = fitted("LSTM")
    with pytest.raises(ConfigError, match="Gradients are those of an LSTM or Attention, got Ridge"):
        input_gradients(ft.Ridge(H), panel())  # type: ignore[arg-type]
    with pytest.raises(NotFittedError, match="LSTM is not fitted"):
        input_gradients(ft.LSTM(H, **SMALL), panel())
    with pytest.raises(ConfigError, match="no target 'y2'. Known: y0, y1"):
        input_gradients(model, panel(), target="y2")
    with pytest.raises(ConfigError, match="h_step lies in 1 .. 3, got 4"):
        input_gradients(model, panel(), h_step=4)
    with pytest.raises(ConfigError, match="n_steps is at least 1"):
        input_gradients(model, panel(), n_steps=0)
