"""The mean by squared error first, its spread from the errors afterwards."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import make_panel, times

from foretide.data.panel import Panel
from foretide.forecasters.artifact import load
from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.networks.lstm import LSTM
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.heads.base import HeadShape
from foretide.heads.count_heads import fit_spread
from foretide.heads.point import PointHead
from foretide.heads.table import HEADS, HeadKind, make_head

H, T, TRAINED = 3, 160, 110
POOR: dict[str, Any] = {"waves": 0, "penalties": (1e4,), "epochs": 25, "patience": 25}
"""A start that knows no week, so that training gains on it."""
MODELS: dict[str, type[NeuralForecaster]] = {"Attention": Attention, "LSTM": LSTM}
each = pytest.mark.parametrize("kind", MODELS)


class Uncentred(PointHead):
    """Points of targets that keep their zero."""

    counts = True


def fitted(kind: str, panel: Panel, trained: int = TRAINED, **settings: Any) -> NeuralForecaster:
    own = {"heads": 2} if kind == "Attention" else {}
    common = {"input_size": 14, "hidden": 8, "epochs": 3, "device": "cpu", "seed": 3, "calendar": None, "lr": 0.01}
    made = MODELS[kind](H, **{**common, **own, **settings})
    made.fit(panel, train_until=times(panel, [trained - 1])[0])
    return made


def counts_panel() -> Panel:
    """Counts far above the floor, so that ``positive`` changes none of their means; dispersion 20, mean about 80."""
    panel = make_panel((T, T), targets=2, whole=True)
    return panel.with_values(
        np.random.default_rng(5).negative_binomial(20, 20 / (20 + 4 * panel.values)).astype(panel.values.dtype)
    )


def errors(model: NeuralForecaster, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Means and observed values of all validation windows, ``[W, N, H, D]``."""
    made = model.predict(panel, times(panel, range(TRAINED - 1, T - H)), levels=())
    mean, truth = (a.reshape(panel.n_entities, -1, *a.shape[1:]).swapaxes(0, 1) for a in (made.mean, made.truth()))
    return mean, truth


@each
@pytest.mark.parametrize("trained", [TRAINED, T])
def test_the_mean_is_that_of_the_head_of_points(kind: str, trained: int) -> None:
    panel = make_panel((T, T), targets=2)
    first, point = (
        fitted(kind, panel, trained, head=name, dropout=0.1, fit_mean_first=True) for name in ("gaussian", "point")
    )
    np.testing.assert_array_equal(first.predict(panel).mean, point.predict(panel).mean)
    for a, b in zip(first.history, point.history, strict=True):
        np.testing.assert_equal({**a, "seconds": 0}, {**b, "seconds": 0})
    assert first.best_epoch == point.best_epoch
    assert first.best_epoch > 0 or trained < T  # without validation windows the last weights are kept


@cache
def uncentred(kind: str, trained: int) -> tuple[NeuralForecaster, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(HEADS, "point", HeadKind(Uncentred))
        point = fitted(kind, counts_panel(), trained, head="point")
        return point, point.predict(counts_panel()).mean


@each
@pytest.mark.parametrize(
    ("head", "trained"), [*((head, TRAINED) for head in ("poisson", "nb", "zinb", "hurdle")), ("nb", T)]
)
def test_the_mean_of_counts_is_that_of_points_that_are_not_centred(kind: str, head: str, trained: int) -> None:
    first = fitted(kind, panel := counts_panel(), trained, head=head, fit_mean_first=True)
    point, mean = uncentred(kind, trained)
    np.testing.assert_allclose(first.predict(panel).mean, mean, rtol=2e-6)
    np.testing.assert_equal([r["val_loss"] for r in first.history], [r["val_loss"] for r in point.history])
    assert first.best_epoch == point.best_epoch


@each
def test_the_spread_is_that_of_errors_on_validation_windows(kind: str) -> None:
    panel = make_panel((T,), targets=1)
    model = fitted(kind, panel, head="gaussian", fit_mean_first=True, refit=False, **POOR)
    assert model.best_epoch > 0
    mean, y = errors(model, panel)
    forecast = model.predict(panel, levels=(80,))
    got = (forecast.quantile(0.9) - forecast.mean)[0, :, 0] / 1.2815515655446004
    np.testing.assert_allclose(got, np.sqrt(((y - mean) ** 2).mean(axis=(0, 1)))[:, 0], rtol=1e-4)


@each
def test_the_dispersion_is_the_likeliest_around_the_trained_mean(kind: str) -> None:
    panel = counts_panel()
    model = fitted(kind, panel, head="nb", fit_mean_first=True, refit=False, **POOR)
    corrected = model.network.backbone.frame.correction is not None
    assert model.best_epoch > 0 or corrected or kind == "Attention"  # a gain within its own noise is not kept
    mean, y = (a.swapaxes(0, 1).reshape(-1, H, 2).astype(np.float64) for a in errors(model, panel))
    entity = np.repeat(np.arange(2), len(mean) // 2)
    own, profile = fit_spread(mean, y, entity, HeadShape(1, 2, H, 2))
    state = model.state()
    expected = own[:, None] + profile[:, None]
    got = state["network.head.dispersion.series"][:, None] + state["network.head.dispersion.profile"][:, None]
    np.testing.assert_allclose(got, expected, atol=1e-2)


@each
@pytest.mark.parametrize("head", ["gaussian", "nb"])
def test_saved_and_loaded(kind: str, head: str, tmp_path: Path) -> None:
    panel = counts_panel()
    model = fitted(kind, panel, head=head, fit_mean_first=True)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    a, b = (m.predict(panel, levels=(80,)) for m in (model, loaded))
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.quantiles, b.quantiles)
    assert loaded.settings()["fit_mean_first"] is True
    first, joint = (fitted(kind, panel, T, head=head, fit_mean_first=given) for given in (True, False))
    # What is saved has the same names and shapes either way.
    assert {k: v.shape for k, v in first.state().items()} == {k: v.shape for k, v in joint.state().items()}
    assert not np.array_equal(first.predict(panel).mean, joint.predict(panel).mean)


@pytest.mark.parametrize("head", ["point", "quantile", "delta", "student_t", {"name": "nb", "link": "log"}])
def test_other_heads_are_trained_as_they_were(head: Any) -> None:
    assert make_head(head, HeadShape(4, 2, H)).points() is None
    if head in ("point", "delta"):
        return
    panel = counts_panel()
    a, b = (fitted("Attention", panel, head=head, epochs=1, fit_mean_first=first) for first in (True, False))
    assert all(np.array_equal(x, b.state()[k]) for k, x in a.state().items())


def test_no_epochs_leave_the_same_start() -> None:
    panel = counts_panel()
    a, b = (fitted("Attention", panel, head="nb", epochs=0, fit_mean_first=first) for first in (True, False))
    assert all(np.array_equal(x, b.state()[k]) for k, x in a.state().items())


def test_a_head_of_points_shares_the_map() -> None:
    head = make_head("nb", HeadShape(4, 2, H))
    before = torch.get_rng_state()
    points = head.points()
    assert points is not None
    assert points.linear is head.linear
    assert torch.equal(before, torch.get_rng_state())  # dropout draws the same as with a head of points alone
