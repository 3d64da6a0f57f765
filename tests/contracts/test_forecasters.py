"""What every forecaster obeys: one suite over all of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import CASES, ONE_EACH, crossed, make_panel, times

import foretide.forecasters.artifact as artifact
from foretide.data.panel import Panel
from foretide.errors import ArtifactError, ConfigError, DataError, NotFittedError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.choices import COLUMNS
from foretide.forecasters.levels import bounds_of
from foretide.forecasters.table import FORECASTERS, forecaster_class
from foretide.pictures.matplotlib import plain

H = 5
LAST = 99
"""Last step fitted on."""
CUTOFFS = [99, 104, 111]

PANELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "many": {"lengths": (120, 112, 130), "first": (0, 3, -4)},
    "wide": {"lengths": (120 + H,), "targets": 2, "past": 1, "future": 1, "ahead": H, "missing": 0.05},
    "holes": {"lengths": (120, 120), "missing": 0.1},
}

each = pytest.mark.parametrize("case", CASES)
each_class = pytest.mark.parametrize("case", ONE_EACH)
each_panel = pytest.mark.parametrize(("case", "kind"), crossed(PANELS, "wide"))


@cache
def panel_of(kind: str) -> Panel:
    return make_panel(**{"lengths": (120,), "whole": True, **PANELS[kind]})


@cache
def fitted(case: str, kind: str) -> Forecaster:
    panel = panel_of(kind)
    return CASES[case](H).fit(panel, until=times(panel, [LAST])[0])


@each_panel
def test_shape_and_finite(case: str, kind: str) -> None:
    panel, model = panel_of(kind), fitted(case, kind)
    forecast = model.predict(panel, times(panel, CUTOFFS), levels=(80,))
    assert forecast.mean.shape == (len(CUTOFFS) * panel.n_entities, H, panel.n_targets)
    assert np.isfinite(forecast.mean).all()
    assert forecast.model == model.name
    assert forecast.levels == (80.0,)
    assert forecast.quantile_levels == (0.1, 0.9)
    assert forecast.quantiles is not None
    assert forecast.quantiles.shape == (*forecast.mean.shape, 2)
    assert np.isfinite(forecast.quantiles).all()
    assert (forecast.quantile(0.1) < forecast.quantile(0.9)).all()


@each
def test_compare_forecasts_the_changed_table(case: str) -> None:
    panel, model = panel_of("wide"), fitted(case, "wide")
    changes = {"low": {"f0": 12.0}, "same": {"f0": lambda x: x}}
    found = model.compare(panel, changes, cutoffs=times(panel, CUTOFFS[:2]), levels=())
    size = 1e-4 * (1 + np.abs(found.forecast.mean).max())
    for k, cutoff in enumerate(CUTOFFS[:2]):
        values = panel.values.copy()
        values[cutoff + 1 : cutoff + 1 + H, panel.index("f0")] = 12.0
        for name, table in (("low", panel.with_values(values)), ("same", panel)):
            twin = model.predict(table, times(panel, [cutoff]), levels=()).mean[0]
            np.testing.assert_allclose(found.scenarios[name].mean[k], twin, atol=size)
    np.testing.assert_allclose(found.difference("same"), 0.0, atol=size)
    if found.unused["low"]:
        assert not found.difference("low").any()
        assert any(f"low: {model.name} does not look at f0" in line for line in found.sentences())
    assert found.unused["low"] or "f0" not in model._unused(panel, panel.future)


@each
def test_choices_say_what_each_series_got(case: str, tmp_path: Path) -> None:
    panel, model = panel_of("wide"), fitted(case, "wide")
    table = model.choices()
    assert tuple(table.columns) == COLUMNS
    assert set(table["series"]) <= set(panel.series)
    assert not table[["series", "setting", "value"]].duplicated().any()
    np.testing.assert_allclose(table.groupby(["series", "setting"])["weight"].sum(), 1.0, rtol=1e-9)
    for name, own in model.chosen.items():
        left = getattr(model, name) is None
        assert (table["setting"] == name).any() == left
        assert not left or set(table.loc[table["setting"] == name, "value"]) == {f"{getattr(model, own):g}"}
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(artifact.load(tmp_path / "model").choices(), table)
    with pytest.raises(NotFittedError, match=r"not fitted\. Type: model\.fit"):
        CASES[case](H).choices()


@each_class
def test_every_forecast_is_drawn_with_its_intervals_beside_the_truth(case: str) -> None:
    panel, model = panel_of("wide"), fitted(case, "wide")
    forecast = model.predict(panel, times(panel, [LAST]), levels=(80, 95))
    axes = forecast.plot(last=10).axes
    assert [one.get_title(loc="left") for one in axes] == ["y0", "y1"]
    for d, one in enumerate(axes):
        lines = {line.get_label(): line.get_ydata() for line in one.lines}
        np.testing.assert_allclose(lines[plain(forecast.model)], forecast.mean[0, :, d])
        np.testing.assert_allclose(lines["observed"], panel.rows(0)[LAST - 9 : LAST + H + 1, d])
        bands = [band.get_paths()[0].vertices[:, 1] for band in one.collections]
        assert len(bands) == len(forecast.levels)
        for band, level in zip(bands, sorted(forecast.levels, reverse=True), strict=True):
            low, high = (forecast.quantile(bound)[0, :, d] for bound in bounds_of(level))
            assert (band.min(), band.max()) == pytest.approx((low.min(), high.max()))


@each_class
def test_sensible_on_an_easy_series(case: str) -> None:
    # The series lies between 14 and 26; a forecaster in the wrong units, or of the wrong row, is far off.
    panel, model = panel_of("plain"), fitted(case, "plain")
    forecast = model.predict(panel, times(panel, CUTOFFS))
    assert np.abs(forecast.mean - 20).max() < 10
    assert np.sqrt(np.mean((forecast.mean - forecast.truth()) ** 2)) < 5


@each
def test_same_answer_twice_and_after_a_second_fit_with_equal_files_and_arguments_unchanged(
    case: str, tmp_path: Path
) -> None:
    panel, cutoffs = make_panel(**{"whole": True, **PANELS["wide"]}), times(panel_of("wide"), CUTOFFS)
    before, kept = panel.values.copy(), list(cutoffs)
    first = fitted(case, "wide").predict(panel, cutoffs)
    again = fitted(case, "wide").predict(panel, cutoffs)
    np.testing.assert_array_equal(first.mean, again.mean)
    fresh = CASES[case](H).fit(panel, until=times(panel, [LAST])[0])
    np.testing.assert_array_equal(first.mean, fresh.predict(panel, cutoffs).mean)
    np.testing.assert_array_equal(panel.values, before)
    assert cutoffs == kept
    for name, model in {"one": fitted(case, "wide"), "other": fresh}.items():
        model.save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name


@each_panel
def test_no_cutoffs_means_the_end_of_every_series(case: str, kind: str) -> None:
    panel, model = panel_of(kind), fitted(case, kind)
    ends = model.predict(panel)
    assert ends.windows.cutoff.tolist() == (panel.observed - 1).tolist()
    for i in range(panel.n_entities):
        one = model.predict(panel.take([i]), times(panel, [int(panel.first[i] + panel.observed[i] - 1)]))
        np.testing.assert_allclose(one.mean[0], ends.mean[i], rtol=2e-5, atol=2e-5)


@each_class
def test_many_cutoffs_at_once_are_the_same_as_one_by_one(case: str) -> None:
    panel, model = panel_of("many"), fitted(case, "many")
    together = model.predict(panel, times(panel, CUTOFFS))
    for cutoff in CUTOFFS:
        alone = model.predict(panel, times(panel, [cutoff]))
        chosen = together.cutoff_steps == cutoff
        np.testing.assert_allclose(alone.mean, together.mean[chosen], rtol=2e-5, atol=2e-5)


@each_class
def test_other_order_of_entities(case: str) -> None:
    # What was learned belongs to a name, not to a position.
    panel, model = panel_of("many"), fitted(case, "many")
    forward = model.predict(panel, times(panel, [LAST]))
    back = model.predict(panel.take([2, 1, 0]), times(panel, [LAST]))
    np.testing.assert_allclose(back.mean[::-1], forward.mean, rtol=2e-5, atol=2e-5)


@each_class
def test_not_fitted(case: str) -> None:
    model = CASES[case](H)
    assert not model.is_fitted
    with pytest.raises(NotFittedError, match=r"is not fitted\. Type: model\.fit"):
        model.predict(panel_of("plain"))


@each_class
def test_other_columns_are_refused(case: str) -> None:
    panel, model = panel_of("wide"), fitted(case, "wide")
    with pytest.raises(DataError, match=r"was fitted with past columns \['p0'\], this panel has \['q'\]"):
        model.predict(replace(panel, past=("q",)))


@each_class
def test_bad_horizon(case: str) -> None:
    with pytest.raises(ConfigError, match="h is the number of steps"):
        CASES[case](0)


@each_class
def test_frame(case: str) -> None:
    panel, model = panel_of("many"), fitted(case, "many")
    frame = model.predict(panel, times(panel, CUTOFFS), levels=(80,)).to_frame()
    bounds = [f"{model.name}-lo-80", f"{model.name}-hi-80"]
    assert list(frame.columns) == ["unique_id", "ds", "cutoff", model.name, *bounds]
    assert len(frame) == len(CUTOFFS) * panel.n_entities * H
    assert (frame["ds"] > frame["cutoff"]).all()
    assert not frame.duplicated(["unique_id", "ds", "cutoff"]).any()


@pytest.mark.parametrize(("case", "kind"), crossed(("plain", "wide", "holes"), "wide"))
def test_saved_and_loaded_predicts_the_same_bits(case: str, kind: str, tmp_path: Path) -> None:
    panel, model = panel_of(kind), fitted(case, kind)
    model.save(tmp_path / "model")
    loaded = artifact.load(tmp_path / "model")
    assert type(loaded) is type(model)
    assert loaded.settings() == model.settings()
    assert loaded.name == model.name
    cutoffs = times(panel, CUTOFFS)
    expected, got = model.predict(panel, cutoffs), loaded.predict(panel, cutoffs)
    np.testing.assert_array_equal(expected.mean, got.mean)
    assert expected.quantiles is not None
    assert got.quantiles is not None
    np.testing.assert_array_equal(expected.quantiles, got.quantiles)
    assert got.quantile_levels == expected.quantile_levels
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "manifest.json", "settings.json", "state.safetensors",
    ]  # fmt: skip
    loaded.save(tmp_path / "again")
    for path in (tmp_path / "model").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


@each_class
def test_unfitted_is_not_saved(case: str, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="nothing to save"):
        CASES[case](H).save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@each_class
def test_a_changed_file_is_refused(case: str, tmp_path: Path) -> None:
    fitted(case, "plain").save(tmp_path / "model")
    path = tmp_path / "model" / "settings.json"
    path.write_bytes(path.read_bytes().replace(b'"h": 5', b'"h": 6'))
    with pytest.raises(ArtifactError, match=r"settings\.json was changed since it was saved"):
        artifact.load(tmp_path / "model")


def test_every_forecaster_of_the_table_has_a_case() -> None:
    assert {type(CASES[name](H)) for name in FORECASTERS} == {forecaster_class(name) for name in FORECASTERS}
