"""Foreign models: what is particular to each; the contract tests run over all of them (tests/support/foreign.py)."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times
from foreign import ADAPTED, PRESENT, QUANTILES, tiny_chronos, tiny_fracast

import foretide as ft
from foretide.data.windows import at_cutoffs, truth_of
from foretide.errors import ArtifactError, ConfigError, MissingExtraError
from foretide.forecasters.adapters.contexts import contexts_of, groups
from foretide.forecasters.gaussian import installed
from foretide.forecasters.table import ADAPTERS, EVERY, forecaster_class

H = 5


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not installed(package), reason=f"{package} is not installed")


@pytest.mark.parametrize("case", ADAPTED)
def test_the_contract_tests_run_over_it(case: str) -> None:
    if case not in PRESENT:
        pytest.skip(f"{ADAPTED[case][0]} is not installed: the contract tests leave {case} out")
    assert type(PRESENT[case](H)) is forecaster_class(ADAPTED[case][1])


def test_they_are_public_and_can_be_named() -> None:
    assert {name: getattr(ft.adapters, name) for name in ADAPTERS} == {n: forecaster_class(n) for n in ADAPTERS}
    assert set(ADAPTERS) <= set(EVERY)
    assert set(dir(ft.adapters)) == set(ADAPTERS)
    with pytest.raises(AttributeError, match=r"adapters has no 'Cronos'\. Did you mean 'Chronos'"):
        _ = ft.adapters.Cronos  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "settings", "typed"),
    [
        ("Sklearn", {"model": "Ridge"}, "scikit-learn"), ("Fracast", {}, "fracast"),
        ("Chronos", {"folder": "x"}, "chronos-forecasting"), ("NeuralForecast", {"model": "NHITS"}, "neuralforecast"),
    ],
)  # fmt: skip
def test_an_absent_package_is_named(name: str, settings: dict[str, Any], typed: str, monkeypatch: Any) -> None:
    import foretide.forecasters.gaussian as gaussian

    monkeypatch.setattr(gaussian, "find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=rf"{name} needs the package .* Type: pip install {typed}$"):
        forecaster_class(name)(h=H, **settings)


# -------------------------------------------------------------------- contexts
def test_a_context_depends_on_its_own_window_alone() -> None:
    panel = make_panel((90, 20, 40), first=(0, 3, 1), missing=0.1)
    windows = at_cutoffs(panel, None)
    found = {int(w): size for size, chosen in groups(panel, windows, 64, 8) for w in chosen}
    assert found == {0: 64, 1: 32, 2: 64}
    for size, chosen in groups(panel, windows, 64, 1):
        own = contexts_of(panel, windows[chosen], size)[0, 0]
        rows = panel.rows(int(chosen[0]))[:, 0]
        np.testing.assert_array_equal(own[max(0, size - len(rows)) :], rows[-size:])
        assert np.isnan(own[: max(0, size - len(rows))]).all()


# -------------------------------------------------------------------- scikit-learn
@needs("sklearn")
@pytest.mark.parametrize("strategy", ["recursive", "direct"])
def test_least_squares_continues_a_recursion_exactly(strategy: str) -> None:
    # y[t] = 1.2 y[t-1] - y[t-2] + 3: linear in lags whatever level and scale a window has.
    rng = np.random.default_rng(0)
    panel = make_panel((120, 120), future=1)
    values = panel.values.copy()
    for start in (0, 120):
        f, y = rng.normal(size=120), rng.normal(size=120)
        for t in range(2, 120):
            y[t] = 1.2 * y[t - 1] - 1.0 * y[t - 2] + 3
        values[start : start + 120, 0], values[start : start + 120, 1] = y, f
    panel = panel.with_values(values)
    model = ft.adapters.Sklearn(H, "LinearRegression", input_size=6, strategy=strategy, calendar=None)
    model.fit(panel, until=times(panel, [99])[0], intervals=False)
    found = model.predict(panel, times(panel, [99, 110]), levels=())
    np.testing.assert_allclose(found.mean, found.truth(), rtol=1e-3, atol=1e-3)


@needs("sklearn")
def test_known_columns_help_where_they_decide() -> None:
    rng = np.random.default_rng(1)
    panel = make_panel((200,), future=1)
    values = panel.values.copy()
    values[:, 0] = 10 + 4 * values[:, 1] + 0.1 * rng.normal(size=200)
    panel, errors = panel.with_values(values), []
    for one in (panel, ft.Panel.from_frame(panel.to_frame().drop(columns="f0"), id=None, time="ds", target="y0")):
        model = ft.adapters.Sklearn(H, {"Ridge": {"alpha": 0.1}}, input_size=21).fit(one, until=times(one, [150])[0])
        found = model.predict(one, times(one, range(150, 190, 4)), levels=())
        errors.append(float(np.abs(found.mean - found.truth()).mean()))
    assert errors[0] < 0.3 * errors[1]
    assert model.name == "Ridge"


@needs("sklearn")
def test_an_estimator_is_kept_as_settings_and_a_forest_gives_the_same_bits_again(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    panel = make_panel((90, 80))
    pipe = make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=3, max_depth=3))
    model = ft.adapters.Sklearn(H, pipe, input_size=7)
    forest = {"RandomForestRegressor": {"n_estimators": 3, "max_depth": 3}}
    steps = [("standardscaler", {"StandardScaler": {}}), ("randomforestregressor", forest)]
    assert model.settings()["model"] == {"Pipeline": {"steps": steps}}
    found = model.fit(panel).predict(panel)
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model")
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict(panel).mean, found.mean)
    np.testing.assert_array_equal(model.fresh().fit(panel).predict(panel).mean, found.mean)


@needs("sklearn")
def test_an_estimator_of_another_package_forecasts_and_is_not_saved(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    class Foreign(LinearRegression):  # type: ignore[misc]
        pass

    panel = make_panel((90,))
    model = ft.adapters.Sklearn(H, Foreign(), input_size=7).fit(panel)
    assert np.isfinite(model.fresh().fit(panel).predict(panel).mean).all()
    with pytest.raises(ArtifactError, match=r"Foreign of .* is no estimator of scikit-learn, so it cannot be saved"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@needs("sklearn")
def test_what_is_no_regressor_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"scikit-learn has no estimator 'Rigde'\. Did you mean 'Ridge'"):
        ft.adapters.Sklearn(H, "Rigde")
    with pytest.raises(ConfigError, match=r"Ridge cannot be made: .*'aplha'"):
        ft.adapters.Sklearn(H, {"Ridge": {"aplha": 1.0}})
    with pytest.raises(ConfigError, match="model is a regressor of scikit-learn"):
        ft.adapters.Sklearn(H, 3)  # type: ignore[arg-type]


@needs("sklearn")
def test_it_runs_in_a_backtest_and_by_its_name_in_a_configuration() -> None:
    panel = make_panel((150,))
    card = ft.backtest([ft.adapters.Sklearn(H, "LinearRegression", input_size=14)], panel, n_windows=3)
    assert "LinearRegression" in set(card.leaderboard()["model"])
    blend = ft.Ensemble(["SeasonalES", {"Sklearn": {"model": "LinearRegression", "input_size": 14}}], h=H).fit(panel)
    assert np.isfinite(blend.predict(panel).mean).all()


# -------------------------------------------------------------------- pretrained
@needs("fracast")
def test_the_weights_of_the_package_forecast_a_season() -> None:
    panel = make_panel((140,))
    model = ft.adapters.Fracast(7, input_size=128).fit(panel, until=times(panel, [111])[0], intervals=False)
    found = model.predict(panel, times(panel, [111, 118, 125]))
    truth = found.truth()
    assert found.levels == (80.0,)
    assert np.abs(found.mean - truth).mean() < 0.7 * np.abs(truth - truth.mean()).mean()
    with pytest.warns(UserWarning, match=r"its quantiles go from 0\.1 to 0\.9.*ft\.WithIntervals"):
        assert np.isnan(model.predict(panel, quantiles=0.99).quantile(0.99)).all()


@needs("fracast")
def test_a_shift_and_a_scale_of_the_series_are_those_of_the_forecast() -> None:
    panel = make_panel((90, 60))
    other = panel.with_values(panel.values * 1e6 - 4e9)
    one, two = (
        ft.adapters.Fracast(H, folder=tiny_fracast(), input_size=64).fit(p, intervals=False) for p in (panel, other)
    )
    expected = one.predict(panel, levels=80).mean * 1e6 - 4e9
    np.testing.assert_allclose(two.predict(other, levels=80).mean, expected, rtol=0, atol=1e3)


@needs("fracast")
def test_other_weights_in_the_folder_are_refused(tmp_path: Path) -> None:
    shutil.copytree(tiny_fracast(), tmp_path / "weights")
    panel = make_panel((90,))
    model = ft.adapters.Fracast(H, folder=str(tmp_path / "weights"), input_size=16).fit(panel, intervals=False)
    model.save(tmp_path / "model")
    loaded = ft.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(panel, levels=80).mean, model.predict(panel, levels=80).mean)
    file = tmp_path / "weights" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match=r"are not those that Fracast was fitted with\. Fit again"):
        ft.load(tmp_path / "model").predict(panel)


@needs("chronos")
def test_nothing_is_downloaded_and_nothing_pickled_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"downloads nothing; 'amazon/chronos-bolt-tiny' is none\. Type: hf download"):
        ft.adapters.Chronos(H, "amazon/chronos-bolt-tiny")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"holds no config\.json beside \*\.safetensors"):
        ft.adapters.Chronos(H, str(tmp_path))


@needs("chronos")
def test_quantiles_are_those_of_the_network_itself() -> None:
    import torch
    from chronos import BaseChronosPipeline

    panel = make_panel((100,))
    found = (
        ft.adapters.Chronos(H, tiny_chronos("bolt"), input_size=64)
        .fit(panel, intervals=False)
        .predict(panel, levels=80)
    )
    own = BaseChronosPipeline.from_pretrained(tiny_chronos("bolt"), device_map="cpu")
    context = torch.tensor(panel.values[-64:, 0], dtype=torch.float32)
    expected = np.sort(own.predict_quantiles(context, H, QUANTILES)[0][0].numpy(), axis=-1)
    assert found.quantiles is not None
    np.testing.assert_allclose(found.quantiles[0, :, 0], expected[:, [2, 10]], rtol=1e-4)


@needs("chronos")
def test_samples_of_a_window_are_the_same_whatever_stands_beside_it() -> None:
    panel = make_panel((60, 70))
    model = ft.adapters.Chronos(H, tiny_chronos("t5"), input_size=32).fit(panel, intervals=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        together = model.predict(panel, times(panel, [50, 55]), levels=80)
        alone = model.predict(panel.take([1]), times(panel, [55]), levels=80)
    np.testing.assert_array_equal(together.mean[3], alone.mean[0])


@needs("chronos")
def test_known_columns_enter_chronos_2_and_no_other() -> None:
    panel = make_panel((60,), future=1, ahead=H)
    changed = panel.with_values(panel.values + np.outer(np.arange(60) >= 60 - H, [0.0, 9.0]))
    for kind, enters in (("2", True), ("bolt", False)):
        model = ft.adapters.Chronos(H, tiny_chronos(kind), input_size=32).fit(panel, intervals=False)
        assert model.needs_future == enters
        same = np.array_equal(model.predict(panel, levels=()).mean, model.predict(changed, levels=()).mean)
        assert same != enters


# -------------------------------------------------------------------- neuralforecast
@needs("neuralforecast")
def test_it_forecasts_what_neuralforecast_itself_does() -> None:
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MAE
    from neuralforecast.models import NLinear

    from foretide.forecasters.adapters.neural_forecast import QUIET, quiet

    panel, params = make_panel((100, 90)), {"max_steps": 30, "scaler_type": "identity"}
    model = ft.adapters.NeuralForecast(H, "NLinear", input_size=14, params=params, quantiles=None)
    found = model.fit(panel, intervals=False).predict(panel, levels=())
    frame = panel.to_frame().rename(columns={"y0": "y"})
    with quiet():
        own = NeuralForecast([NLinear(h=H, input_size=14, loss=MAE(), random_seed=1, **{**QUIET, **params})], freq="D")
        own.fit(frame)
        expected = own.predict()["NLinear"].to_numpy().reshape(2, H)
    np.testing.assert_allclose(found.mean[..., 0], expected, rtol=1e-4)
    assert truth_of(panel, found.windows, H).shape == found.mean.shape


@needs("neuralforecast")
def test_names_and_settings_it_has_not_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"neuralforecast has no model 'NHIST'\. Did you mean 'NHITS'"):
        ft.adapters.NeuralForecast(H, "NHIST")
    with pytest.raises(ConfigError, match="TSMixer is no model of single series"):
        ft.adapters.NeuralForecast(H, "TSMixer")
    with pytest.raises(ConfigError, match="quantiles are at least two between 0 and 1, ascending"):
        ft.adapters.NeuralForecast(H, "NHITS", quantiles=(0.9, 0.1))
