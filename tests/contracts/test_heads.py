"""Every head with every neural model."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times
from exported import quantile_of, run_graph

from foretide.data.panel import Panel
from foretide.data.windows import at_cutoffs
from foretide.errors import ConfigError, DataError
from foretide.forecasters.artifact import load
from foretide.forecasters.networks import distribution as distributions_of_networks
from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.networks.lstm import LSTM
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.heads.table import HEADS
from foretide.seeding import numpy_generator

H = 3
LAST = 199
MODELS: dict[str, type[NeuralForecaster]] = {"Attention": Attention, "LSTM": LSTM}
ROUTED = {"nb": ["y1"], "gaussian": ["y0"]}
SPECS: dict[str, Any] = {**{name: name for name in HEADS}, "routed": ROUTED}
COUNTS = [name for name in HEADS if HEADS[name].cls.counts]
CORRECTING = [name for name in COUNTS if HEADS[name].cls.corrects]
"""Those that know a series' level without learning it."""
LEARNING = {"epochs": 30, "lr": 0.02, "patience": 30}
"""For heads that begin at nothing."""
each = pytest.mark.parametrize("kind", MODELS)
each_head = pytest.mark.parametrize("head", SPECS)


def make(kind: str, head: Any, **settings: Any) -> NeuralForecaster:
    own = {"heads": 2} if kind == "Attention" else {"by_step": False}  # one of the two corrects its steps
    return MODELS[kind](
        H,
        head=head,
        **{"input_size": 14, "hidden": 8, "epochs": 2, "device": "cpu", "calendar": None, **own, **settings},
    )


@cache
def counts_panel() -> Panel:
    """Two entities, two targets: weekly counts around 1 and around 30, negative binomial with dispersion 4."""
    panel = make_panel((220, 220), targets=2)
    rng = numpy_generator(0)
    week = 1 + 0.6 * np.sin(2 * np.pi * np.arange(220) / 7)
    rate = np.concatenate([np.stack([week, 30 * week], axis=1), np.stack([2 * week, 20 * week], axis=1)])
    return panel.with_values(rng.poisson(rate * rng.gamma(4.0, 0.25, size=rate.shape)).astype(float))


@cache
def fitted(kind: str, head: str) -> NeuralForecaster:
    slow = {} if head not in HEADS or HEADS[head].cls.corrects else LEARNING
    return make(kind, SPECS[head], **slow).fit(counts_panel(), until=times(counts_panel(), [LAST])[0])


CUTOFFS = list(range(LAST, 217))
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


@each
@each_head
def test_mean_and_quantiles(kind: str, head: str) -> None:
    panel, model = counts_panel(), fitted(kind, head)
    forecast = model.predict(panel, times(panel, CUTOFFS), quantiles=LEVELS)
    truth = forecast.truth()
    assert np.isfinite(forecast.mean).all()
    naive = np.sqrt(np.mean((truth - truth.mean(axis=(0, 1))) ** 2, axis=(0, 1)))
    error = np.sqrt(np.mean((truth - forecast.mean) ** 2, axis=(0, 1)))
    assert (error < 1.15 * naive).all()
    points = head in HEADS and not HEADS[head].cls.has_distribution
    assert points == (head in ("point", "absolute", "huber", "delta", "plain"))
    assert model.has_distribution == (not points)
    assert forecast.quantiles is not None
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    whole = forecast.quantiles if head in COUNTS else forecast.quantiles[:, :, 1:] if head == "routed" else None
    if whole is not None:
        assert (whole >= 0).all()
        assert (whole == np.rint(whole)).all()
        assert (forecast.mean[:, :, 1:] > 0).all()
    inside = (truth >= forecast.quantile(0.1)) & (truth <= forecast.quantile(0.9))
    assert (0.55 if head == "poisson" else 0.72) < inside.mean() < 0.93


@each
@each_head
def test_the_exported_graph_is_what_predict_does(kind: str, head: str) -> None:
    panel, model = counts_panel(), fitted(kind, head)
    windows = at_cutoffs(panel, times(panel, CUTOFFS))
    found, about = run_graph(model, panel, windows)
    forecast = model.predict(panel, windows, quantiles=LEVELS)
    np.testing.assert_allclose(found["mean"], forecast.mean, rtol=1e-5, atol=1e-5)
    assert ("attention" in found) == (kind == "Attention")
    assert forecast.quantiles is not None
    for own in about["distribution"]:
        at = [panel.targets.index(target) for target in own["targets"]]
        held = {name: found[output] for name, output in own["parameters"].items()}
        assert bool(held) == (own["family"] != "points")
        for level in LEVELS if held else ():
            twin = np.maximum(quantile_of(own, held, level), 0.0)  # counts, and targets that never were below zero
            close = np.isclose(twin, forecast.quantile(level)[..., at], rtol=1e-5, atol=1e-5)
            assert close.mean() > 0.999, (own["family"], level)


@each
@each_head
def test_saved_and_loaded_gives_the_same_quantiles(kind: str, head: str, tmp_path: Path) -> None:
    panel, model = counts_panel(), fitted(kind, head)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.settings() == model.settings()
    assert loaded.has_distribution == model.has_distribution
    expected, got = (m.predict(panel, quantiles=LEVELS) for m in (model, loaded))
    np.testing.assert_array_equal(expected.mean, got.mean)
    assert expected.quantiles is not None
    np.testing.assert_array_equal(expected.quantiles, got.quantiles)


@each
def test_options_in_a_dict(kind: str, tmp_path: Path) -> None:
    panel = make_panel((160,))
    model = make(kind, {"name": "quantile", "levels": [0.2, 0.5, 0.8]}, epochs=1).fit(panel)
    assert len(model.network.head.levels) == 3  # type: ignore[union-attr,arg-type]
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict(panel).quantiles, model.predict(panel).quantiles)


@each
def test_a_routed_point_has_the_quantiles_of_its_errors(kind: str) -> None:
    panel = counts_panel()
    forecast = make(kind, {"nb": ["y1"], "point": ["y0"]}, epochs=1).fit(panel).predict(panel, quantiles=(0.5,))
    assert forecast.quantiles is not None
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()


@each
@pytest.mark.parametrize("head", COUNTS)
def test_counts_are_scaled_and_not_centred(kind: str, head: str) -> None:
    model = fitted(kind, head)
    assert model.preparation is not None
    assert (model.preparation.location == 0).all()
    assert (model.preparation.scale > 0).all()
    routed = fitted(kind, "routed").preparation
    assert routed is not None
    assert (routed.location[:, 0] > 0).all()
    assert (routed.location[:, 1] == 0).all()


@each
@pytest.mark.parametrize("head", [*CORRECTING, "point", "gaussian", "student_t", "quantile"])
def test_a_target_that_is_always_zero_is_forecast_as_zero(kind: str, head: str) -> None:
    panel = counts_panel()
    values = panel.values.copy()
    values[:220, 0] = 0.0  # beside another entity that is not
    values[:, 1] = 0.0
    panel = panel.with_values(values)
    forecast = make(kind, head).fit(panel).predict(panel)
    assert forecast.quantiles is None or np.isfinite(forecast.quantiles).all()
    if head in COUNTS:
        assert np.abs(forecast.mean[0, :, 0]).max() < 1e-6
        assert np.abs(forecast.mean[..., 1]).max() < 1e-6
        assert np.abs(forecast.quantiles[0, :, 0]).max() == 0
        assert forecast.mean[1, :, 0].min() > 0.1
    else:
        assert np.abs(forecast.mean[..., 1]).max() < 0.05


@each
@pytest.mark.parametrize("head", CORRECTING)
def test_a_rare_target_beside_a_busy_one(kind: str, head: str) -> None:
    rng = numpy_generator(1)
    panel = make_panel((1000,), targets=2)
    values = rng.poisson(np.broadcast_to([0.01, 200.0], (1000, 2))).astype(float)
    panel = panel.with_values(values)
    forecast = make(kind, head, epochs=1).fit(panel).predict(panel, times(panel, list(range(900, 990, 7))))
    mean = forecast.mean.mean(axis=(0, 1))
    assert 0.001 < mean[0] < 0.05
    assert mean[1] == pytest.approx(200, rel=0.05)
    assert forecast.quantile(0.9)[..., 0].max() == 0
    assert forecast.quantile(0.9)[..., 1].mean() == pytest.approx(218, rel=0.05)


@each
@pytest.mark.parametrize(("value", "shown"), [(-2.0, "-2"), (1.5, "1.5")])
def test_what_is_no_count_is_refused(kind: str, value: float, shown: str) -> None:
    panel = counts_panel()
    values = panel.values.copy()
    values[[50, 300], [1, 1]] = value
    values[0, 0] = np.nan
    panel = panel.with_values(values)
    first = pd.Timestamp("2023-01-02") + pd.Timedelta(days=50)
    for head in ("nb", {"point": ["y0"], "nb": ["y1"]}):
        with pytest.raises(
            DataError, match=rf"Target 'y1' of 'shop0/y1' is {shown} at {first}, .* 'nb' .* head='gaussian'"
        ):
            make(kind, head).fit(panel)
    make(kind, {"point": ["y1"], "nb": ["y0"]}, epochs=0).fit(panel)


@each
@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("nbb", "There is no head 'nbb'. Did you mean 'nb'"),
        ({"nb": ["a"], "pint": ["b"]}, "There is no head 'pint'. Did you mean 'point'"),
        (7, "head is a name such as 'nb'"),
    ],
)
def test_an_unknown_head_is_refused_at_once(kind: str, head: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(kind, head)


@each
def test_a_route_to_an_unknown_target(kind: str) -> None:
    with pytest.raises(ConfigError, match="Head 'nb' is given the target 'beds'"):
        make(kind, {"nb": ["beds"]}).fit(counts_panel())


@each
def test_begins_with_honest_intervals(kind: str) -> None:
    # Epoch 0: nothing is learned yet but the closed-form start and the spread of its errors.
    panel = make_panel((400,))
    model = make(kind, "gaussian", epochs=0).fit(panel, until=times(panel, [300])[0])
    forecast = model.predict(panel, times(panel, list(range(300, 396))))
    truth = forecast.truth()
    inside = (truth >= forecast.quantile(0.1)) & (truth <= forecast.quantile(0.9))
    assert 0.72 < inside.mean() < 0.88


@each
def test_gaps_and_few_validation_windows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = counts_panel()
    values = np.where(numpy_generator(2).random(panel.values.shape) < 0.1, np.nan, panel.values)
    values[220:, 1] = np.nan  # a series without any value
    panel = replace(panel, values=values)
    monkeypatch.setattr(distributions_of_networks, "FEWEST_VALIDATION", 10**6)
    forecast = make(kind, "nb").fit(panel).predict(panel)
    assert np.isfinite(forecast.mean).all()
    assert (forecast.mean[1, :, 1] > 0).all()
