"""A head that nobody has heard of: its class and one line of the table, and it works like the others."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from cases import make_panel
from torch import Tensor

import foretide as ft
from foretide.heads.base import Distribution, Head, HeadShape, SeriesInfo, drawn_generator, known_series
from foretide.heads.linear import apply_linear, make_linear
from foretide.heads.spread import Spread, rank_one
from foretide.heads.table import HEADS, HeadKind


@dataclass(frozen=True, eq=False, slots=True)
class Laplace(Distribution):
    """Two exponential tails around the mean."""

    location: Tensor
    width: Tensor

    def loss(self, y: Tensor) -> Tensor:
        return (y - self.location).abs() / self.width + (2.0 * self.width).log()

    def mean(self) -> Tensor:
        return self.location

    def quantile(self, level: float) -> Tensor:
        return self.location + self.width * math.copysign(math.log1p(-2.0 * abs(level - 0.5)), level - 0.5)

    def cdf(self, y: Tensor) -> Tensor:
        z = ((y - self.location) / self.width).detach()
        return torch.where(z < 0, 0.5 * z.clamp(max=0).exp(), 1.0 - 0.5 * (-z.clamp(min=0)).exp())

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        size = self.location.shape if n is None else (n, *self.location.shape)
        drawn = drawn_generator(generator).laplace(size=size)
        return self.location.detach() + self.width.detach() * torch.from_numpy(drawn).to(self.location.dtype)


class LaplaceHead(Head):
    """Mean ``base + scale * linear(features)``, a width of each series."""

    has_distribution, needs_series = True, True

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.linear, self.spread = make_linear(shape), Spread(shape)

    def forward(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Laplace:
        location = base + scale * apply_linear(self.linear, features, series)
        return Laplace(location, self.spread(known_series(series), base.ndim == 3).exp().expand_as(location))

    @torch.no_grad()
    def begin(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        own, profile = rank_one((y - base).double().square(), series.entity, self.shape.entities, observed)
        self.spread.put(0.5 * (own / 2).log(), 0.5 * profile.log())


@pytest.fixture
def contracts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The contracts of all heads, with one more head in the table."""
    monkeypatch.setitem(HEADS, "laplace", HeadKind(LaplaceHead))
    path = Path(__file__).parents[1] / "contracts" / "test_heads.py"
    spec = importlib.util.spec_from_file_location("contracts_of_heads", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["Attention", "LSTM"])
def test_it_keeps_the_contracts_of_heads(contracts: ModuleType, kind: str, tmp_path: Path) -> None:
    assert "laplace" in contracts.SPECS
    contracts.test_mean_and_quantiles(kind, "laplace")
    contracts.test_saved_and_loaded_gives_the_same_quantiles(kind, "laplace", tmp_path)


def test_it_works_in_lavar(contracts: ModuleType, tmp_path: Path) -> None:
    panel = contracts.counts_panel()
    settings = {"order": 2, "latent": 2, "epochs": 2, "head_epochs": 2, "heads": ("laplace",) * 3}
    model = ft.LAVAR(3, **settings).fit(panel)
    assert set(model.bucket_table()["head"]) == {"laplace"}
    forecast = model.predict(panel, quantiles=(0.1, 0.5, 0.9))
    assert forecast.quantiles is not None
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model").predict(panel, quantiles=(0.1, 0.5, 0.9))
    np.testing.assert_array_equal(again.quantiles, forecast.quantiles)


def test_it_takes_some_targets_and_forecasts_new_ids(contracts: ModuleType) -> None:
    panel = contracts.counts_panel()
    model = contracts.make("LSTM", {"laplace": ["y1"], "nb": ["y0"]}, epochs=1).fit(panel)
    new = make_panel((40,), targets=2)
    found = model.predict(new, quantiles=(0.1, 0.9))
    assert np.isfinite(found.mean).all()
