"""LAVAR as a person uses it: buckets, bad input, saving, seeds, new entities."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from cases import make_panel, times
from holidays import country_holidays

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.data.synthetic.supplies import supplies
from foretide.errors import ConfigError, DataError
from foretide.forecasters.artifact import without_times
from foretide.forecasters.base import held_back
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.heads.table import HEADS

H = 7
CUTOFFS = ["2019-11-20", "2019-11-23"]
UNTIL = "2019-11-15"
QUICK: dict[str, Any] = {"order": 3, "latent": 2, "encoder": (6,), "decoder": (6,), "epochs": 1, "head_epochs": 1}


@cache
def goods() -> Panel:
    return supplies(T=340, n_targets=8, n_covariates=6, seed=1).panel


@cache
def sites() -> Panel:
    return supplies(T=300, n_targets=6, n_covariates=8, seed=2, n_sites=3).panel


def lavar(h: int = H, **changes: Any) -> LAVAR:
    return LAVAR(h, **{**QUICK, **changes})


@cache
def usual() -> LAVAR:
    return lavar().fit(goods(), until=UNTIL)


def changed(panel: Panel, column: int | slice, rows: Any, value: float) -> Panel:
    values = panel.values.copy()
    values[rows, column] = value
    return panel.with_values(values)


def sensible(found: Forecast, *, counts: bool = False) -> None:
    """Finite, in order; of counts whole numbers of at least zero."""
    assert found.quantiles is not None
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles, axis=-1) >= 0).all()
    if counts:
        assert (found.mean >= 0).all()
        assert (found.quantiles >= 0).all()
        np.testing.assert_array_equal(found.quantiles, np.round(found.quantiles))


def same(a: Forecast, b: Forecast) -> None:
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.quantiles, b.quantiles)


# ------------------------------------------------------------------ what comes out
def test_forecasts_of_counts() -> None:
    found = usual().predict(goods(), CUTOFFS, quantiles=(0.1, 0.5))
    assert found.mean.shape == (2, H, 8)
    sensible(found, counts=True)
    steps = np.array([goods().grid.step_at_or_before(c) for c in CUTOFFS])[:, None]
    truth, last = goods().values[steps + np.arange(1, H + 1), :8], goods().values[steps, :8]
    assert ((found.mean - truth) ** 2).sum() < 0.5 * ((last - truth) ** 2).sum()


def test_traces() -> None:
    found = usual().predict(goods(), CUTOFFS, base=True, latent=True)
    assert found.extras["base"].shape == (2, H, 8)
    assert found.extras["latent"].shape == (2, H, 2)
    assert set(usual().traces) == {"base", "latent"}
    still = lavar(head_epochs=0, heads=("delta",) * 3).fit(goods(), until=UNTIL)
    untaught = still.predict(goods(), CUTOFFS, base=True)
    np.testing.assert_allclose(untaught.mean, untaught.extras["base"], rtol=1e-5, atol=1e-6)
    assert "base" not in still.predict(goods(), CUTOFFS).extras


def test_the_history_has_both_stages() -> None:
    assert list(usual().history) == ["stage1", "stage2"]
    for rows in usual().history.values():
        assert [row["epoch"] for row in rows] == [0, 1]
        assert np.isfinite([row["val_loss"] for row in rows]).all()


def test_seeds() -> None:
    made = [lavar(seed=seed, head_lr=0.05).fit(goods(), until=UNTIL) for seed in (3, 3, 4)]
    a, b, c = (model.predict(goods(), CUTOFFS, latent=True) for model in made)
    same(a, b)
    np.testing.assert_array_equal(a.extras["latent"], b.extras["latent"])
    assert not np.array_equal(a.extras["latent"], c.extras["latent"])
    assert not np.array_equal(a.mean, c.mean)


def test_rows_after_until_teach_nothing() -> None:
    panel = goods()
    stop = panel.grid.step_at_or_before(UNTIL)
    other = changed(panel, slice(0, 14), slice(stop + 1, None), 99.0)
    first = usual().state()
    second = lavar().fit(other, until=UNTIL).state()
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


# ------------------------------------------------------------------ buckets
def test_the_table_of_buckets() -> None:
    panel = goods()
    rows = panel.values[: int(held_back(panel.until(UNTIL), usual().h)[0]), :8]
    rates = (rows > 0).mean(axis=0)
    table = usual().bucket_table()
    assert list(table.columns) == ["target", "nonzero_rate", "bucket", "head", "why"]
    assert list(table["target"]) == list(panel.targets)
    np.testing.assert_allclose(table["nonzero_rate"], rates, rtol=1e-12)
    expected = ["dense" if r >= 0.7 else "ultra" if r <= 0.005 else "sparse" for r in rates]
    assert list(table["bucket"]) == expected
    assert set(expected) == {"dense", "sparse", "ultra"}
    assert list(table["head"]) == [{"dense": "delta", "sparse": "delta", "ultra": "zinb"}[b] for b in expected]
    dense = table[table["bucket"] == "dense"].iloc[0]
    assert dense["why"] == f"nonzero in {dense['nonzero_rate']:.1%} of the training rows, at least 70.0%"
    assert "at most 0.50%" in table[table["bucket"] == "ultra"].iloc[0]["why"]
    assert "between 0.50% and 70.0%" in table[table["bucket"] == "sparse"].iloc[0]["why"]


@pytest.mark.parametrize(
    ("dense", "ultra", "buckets"),
    [(0.0, 0.0, {"dense"}), (1.0, 0.99, {"dense", "ultra"}), (1.0, 0.0, {"dense", "sparse", "ultra"})],
)
def test_thresholds_and_buckets_without_targets(dense: float, ultra: float, buckets: set[str]) -> None:
    """One target is never zero and one always."""
    model = lavar(dense=dense, ultra=ultra).fit(goods(), until=UNTIL)
    table = model.bucket_table()
    assert set(table["bucket"]) == buckets
    assert (table["bucket"] == "dense").sum() == (table["nonzero_rate"] >= dense).sum()
    sensible(model.predict(goods(), CUTOFFS), counts=True)


@pytest.mark.parametrize("thresholds", [(0.1, 0.5), (1.2, 0.0), (0.5, -0.1), (float("nan"), 0.0)])
def test_wrong_thresholds(thresholds: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match=r"0 <= ultra <= dense <= 1; got dense=.*Try dense=0.7, ultra=0.005"):
        lavar(dense=thresholds[0], ultra=thresholds[1])


@pytest.mark.parametrize("head", list(HEADS))
def test_every_head_works_in_every_bucket(head: str) -> None:
    model = lavar(heads=(head,) * 3).fit(goods(), until=UNTIL)
    found = model.predict(goods(), CUTOFFS, quantiles=(0.5,))
    sensible(found)
    assert set(model.bucket_table()["head"]) == {head}
    if HEADS[head].cls.counts or not HEADS[head].cls.has_distribution:
        sensible(found, counts=True)


def test_targets_come_back_in_their_order() -> None:
    panel = goods()
    order = np.array([5, 2, 7, 0, 1, 6, 4, 3])
    moved = Panel(
        panel.grid, panel.ids, np.concatenate([panel.values[:, order], panel.values[:, 8:]], axis=1), panel.row0,
        panel.length, panel.first, tuple(panel.targets[j] for j in order), panel.past, panel.future,
    )  # fmt: skip
    quiet: dict[str, Any] = {"heads": ("nb", "delta", "zinb"), "head_lr": 1e-2}
    a = lavar(**quiet).fit(panel, until=UNTIL).predict(panel, CUTOFFS)
    model = lavar(**quiet).fit(moved, until=UNTIL)
    b = model.predict(moved, CUTOFFS)
    np.testing.assert_allclose(b.mean, a.mean[..., order], rtol=1e-3, atol=1e-6)
    assert len(set(model.bucket_table()["bucket"])) == 3


def test_columns_go_to_heads_by_name(tmp_path: Path) -> None:
    names = goods().targets
    by_name = {"nb": list(names[2:5]), "gaussian": [names[0]], "delta": [*names[5:], names[1]]}
    model = lavar(dense=0.0, ultra=0.0, heads=(by_name, "delta", "delta")).fit(goods(), until=UNTIL)
    expected = ["gaussian", "delta", "nb", "nb", "nb", "delta", "delta", "delta"]
    assert list(model.bucket_table()["head"]) == expected
    found = model.predict(goods(), CUTOFFS)
    sensible(found)
    model.save(tmp_path / "model")
    same(found, ft.load(tmp_path / "model").predict(goods(), CUTOFFS))
    # The heads that have a distribution speak for themselves, the others leave it to the errors on validation.
    plain = lavar(dense=0.0, ultra=0.0, heads=("delta",) * 3).fit(goods(), until=UNTIL).predict(goods(), CUTOFFS)
    assert found.quantiles is not None
    assert plain.quantiles is not None
    np.testing.assert_array_equal(found.quantiles[:, :, 1:], np.round(found.quantiles[:, :, 1:]))
    assert not np.array_equal(found.quantiles[:, :, 0], np.round(found.quantiles[:, :, 0]))


# ------------------------------------------------------------------ bad input
@pytest.mark.parametrize(("value", "shown"), [(-3.0, "-3"), (2.5, "2.5")])
@pytest.mark.parametrize("head", ["nb", "zinb", "poisson"])
def test_a_count_head_wants_counts(value: float, shown: str, head: str) -> None:
    panel = changed(goods(), 2, 50, value)
    message = (
        rf"Target 'item03' of 'item03' is {shown} at 2019-02-20.*the head '{head}' is for counts.*heads='auto', or"
    )
    with pytest.raises(DataError, match=message):
        lavar(heads=(head,) * 3).fit(panel, until=UNTIL)
    sensible(lavar().fit(panel, until=UNTIL).predict(panel, CUTOFFS))


def test_a_count_head_names_the_entity() -> None:
    panel = changed(sites(), 1, int(sites().row0[1]) + 3, 0.5)
    with pytest.raises(DataError, match="of 'site2/item02' is 0.5 at 2019-01-04"):
        lavar(heads=("nb",) * 3).fit(panel)


@pytest.mark.parametrize("heads", ["auto", ("nb",) * 3, ("quantile",) * 3, ("zinb",) * 3, ("gaussian",) * 3])
def test_a_target_that_is_always_zero_is_forecast_as_zero(heads: Any) -> None:
    panel = changed(goods(), 3, slice(None), 0.0)
    found = lavar(heads=heads, head_epochs=5, head_lr=0.05).fit(panel, until=UNTIL).predict(panel, CUTOFFS)
    sensible(found)
    assert found.quantiles is not None
    if heads == "auto" or heads[0] in ("nb", "zinb"):
        assert (found.mean[:, :, 3] == 0).all()
        assert (found.quantiles[:, :, 3] == 0).all()
    assert np.abs(found.mean[:, :, 3]).max() < 0.01
    assert np.abs(found.quantiles[:, :, 3]).max() < 0.05


def test_a_target_silent_in_training_may_wake_up() -> None:
    panel = changed(changed(goods(), 3, slice(None), 0.0), 3, slice(290, None), 6.0)
    found = lavar(seasons=()).fit(panel, until=UNTIL).predict(panel, CUTOFFS, levels=(80,), quantiles=(0.5,))
    assert (found.mean[:, :, 3] > 2).all()
    assert found.quantiles is not None
    sensible(found, counts=True)
    assert (found.quantiles[:, :, 3, 1] > 0).all()
    assert (found.quantiles[:, :, 3, 2] > found.mean[:, :, 3]).all()


def test_a_target_without_any_value() -> None:
    panel = changed(goods(), 2, slice(None), np.nan)
    found = lavar().fit(panel, until=UNTIL).predict(panel, CUTOFFS)
    sensible(found)
    assert (found.mean[:, :, 2] == 0).all()
    with pytest.raises(DataError, match="target 'item03' has no value in the training part"):
        lavar(heads=("nb",) * 3).fit(panel, until=UNTIL)


def test_more_lags_than_history() -> None:
    with pytest.warns(DataWarning, match=r"LAVAR takes 132 lags instead of 400: half of the series have at most 271"):
        short = lavar(order=400).fit(goods(), until=UNTIL)
    assert short.min_history == 132
    assert short.settings()["order"] == 400
    with pytest.raises(DataError, match=r"h=600 needs a series of at least 602 rows, the longest one has \d+.*Lower h"):
        lavar(600).fit(goods(), until=UNTIL)


def test_a_horizon_longer_than_the_validation_part() -> None:
    panel = goods()
    short = lavar().fit(panel, until=UNTIL, train_until="2019-11-12")
    assert np.isnan([row["val_loss"] for row in short.history["stage2"]]).all()
    sensible(short.predict(panel, CUTOFFS), counts=True)
    none = lavar().fit(panel, until=UNTIL, train_until=UNTIL)
    sensible(none.predict(panel, CUTOFFS), counts=True)


def test_options() -> None:
    with pytest.raises(ConfigError, match="There is no setting 'densee'. Did you mean 'dense'"):
        lavar(densee=0.5)
    with pytest.raises(ConfigError, match=r"heads is 'auto' or three heads.*got \('nb', 'nb'\)"):
        lavar(heads=("nb", "nb"))
    with pytest.raises(ConfigError, match="There is no head 'nbb'. Did you mean 'nb'"):
        lavar(heads=("nb", "nbb", "nb"))
    with pytest.raises(ConfigError, match="encode is one of 'auto', 'past', 'targets', 'both'; got 'post'"):
        lavar(encode="post")
    with pytest.raises(ConfigError, match="base is one of"):
        lavar(base="median")
    with pytest.raises(ConfigError, match=r"gate is a number of silent steps .* got 0"):
        lavar(gate=0)
    with pytest.raises(ConfigError, match="bound_quantile is a fraction above 0"):
        lavar(bound_quantile=1.5)
    for wrong in (2.5, "7", 0, True):
        with pytest.raises(ConfigError, match=r"order="):
            lavar(order=wrong)
    with pytest.raises(ConfigError, match=r"weights of a delta head are one number .* for each of the 7 horizon steps"):
        lavar(horizon_weights=(1.0, 2.0)).fit(goods(), until=UNTIL)


def test_past_columns_are_asked_for_and_missing() -> None:
    panel = make_panel((120,), targets=2)
    with pytest.raises(DataError, match=r"encode='past' needs past columns.*Type encode='targets'"):
        lavar(encode="past").fit(panel)


def test_known_columns_must_be_known_ahead() -> None:
    with pytest.raises(DataError, match=r"Known-future column 'holiday' .*has no value at 2019-12-07"):
        usual().predict(goods(), None)
    with pytest.raises(DataError, match=r"fitted with past columns"):
        usual().predict(supplies(T=340, n_targets=8, n_covariates=5, seed=1).panel, CUTOFFS)


# ------------------------------------------------------------------ panels of all kinds
def long(lengths: Sequence[int], freq: str | int, ids: bool = True, counts: bool = True) -> Panel:
    rng = np.random.default_rng(0)
    parts = []
    for i, n in enumerate(lengths):
        end: Any = np.arange(max(lengths))
        if isinstance(freq, str):
            end = pd.date_range("2015-01-01", periods=max(lengths), freq=freq)
        y = rng.poisson(3.0 * (i + 1), n) if counts else rng.normal(size=n) - 5.0
        parts.append(pd.DataFrame({"id": f"s{i}", "ds": end[max(lengths) - n :], "y": y}))
    return Panel.from_frame(pd.concat(parts), id="id" if ids else None, time="ds", target="y")


@pytest.mark.parametrize(
    ("panel", "h"),
    [
        (lambda: long((60, 55, 48, 60), "MS"), 12),
        (lambda: long((120,), 1, ids=False), 5),
        (lambda: long((150, 150, 90), "D"), 7),
        (lambda: long((90,), "W", ids=False), 4),
        (lambda: long((12,), 1, ids=False), 1),
    ],
    ids=["monthly", "integers", "starts late", "weekly", "short"],
)
def test_panels_without_covariates(panel: Any, h: int) -> None:
    given = panel()
    model = lavar(h, order=3 if given.n_entities > 1 else 2).fit(given)
    found = model.predict(given)
    assert found.mean.shape == (given.n_entities, h, 1)
    sensible(found, counts=True)
    assert set(model.bucket_table()["bucket"]) <= {"dense", "sparse"}


def test_measured_values_below_zero() -> None:
    given = long((150,), "D", ids=False, counts=False)
    model = lavar().fit(given)
    assert list(model.bucket_table()["head"]) == ["delta"]
    found = model.predict(given, levels=(80,), quantiles=(0.5,))
    sensible(found)
    assert (found.mean < -2).all()
    assert found.quantiles is not None
    low, middle, high = (found.quantiles[..., k] for k in range(3))
    np.testing.assert_allclose(middle, found.mean, rtol=1e-9)
    np.testing.assert_allclose(high - middle, middle - low, rtol=1e-9)
    assert model.interventions == dict.fromkeys(model.interventions, 0)


@pytest.mark.parametrize("encode", ["past", "targets", "both"])
@pytest.mark.parametrize("dynamics", ["var", "gru"])
def test_ragged_entities_with_missing_cells(encode: str, dynamics: str) -> None:
    panel = make_panel((120, 90, 40), targets=2, past=3, first=(0, 30, 80), missing=0.2, whole=True)
    model = lavar(encode=encode, dynamics=dynamics, own_history=encode == "both").fit(panel)
    found = model.predict(panel)
    assert len(found.mean) == 3
    sensible(found, counts=True)


def test_an_entity_that_starts_in_the_validation_part() -> None:
    panel = make_panel((120, 12), targets=1, first=(0, 108), whole=True)
    sensible(lavar().fit(panel).predict(panel), counts=True)
    early = make_panel((120, 25), targets=1, first=(0, 95), whole=True)
    sensible(lavar().fit(early).predict(early), counts=True)


@pytest.mark.parametrize("base", ["last", "season", "level", "mean", "profile"])
def test_bases(base: str) -> None:
    model = lavar(base=base, effects=False).fit(goods(), until=UNTIL)
    found = model.predict(goods(), CUTOFFS, base=True)
    sensible(found, counts=True)
    steps = [goods().grid.step_at_or_before(c) for c in CUTOFFS]
    if base == "last":
        expected = np.stack([np.repeat(goods().values[s, :8][None], H, axis=0) for s in steps])
        np.testing.assert_allclose(found.extras["base"], expected, rtol=1e-9)
    if base == "season":
        expected = np.stack([goods().values[s - 6 : s + 1, :8] for s in steps])
        np.testing.assert_allclose(found.extras["base"], expected, rtol=1e-9)


def test_holidays_of_a_country_need_no_column() -> None:
    """Zero on German holidays, ten on all other days."""
    panel = long((1200,), "D", ids=False)
    days = pd.date_range("2015-01-01", periods=1200, freq="D")
    german = country_holidays("DE", years=range(2015, 2019))
    free = np.array([day.date() in german for day in days])
    values = np.random.default_rng(0).poisson(10.0, size=(1200, 1)).astype(np.float64)
    values[free] = 0.0
    panel = panel.with_values(values)
    cutoffs = ["2017-12-20"]
    known = lavar(calendar=ft.Calendar(("weekday",), country="DE"), seasons=(7,)).fit(panel).predict(panel, cutoffs)
    blind = lavar(calendar=None, seasons=(7,)).fit(panel).predict(panel, cutoffs)
    assert (known.mean[0, 4:6, 0] < 3).all()
    assert (known.mean[0, [0, 1, 2], 0] > 7).all()
    assert (blind.mean[0, 4:6, 0] > 5).all()
    again = LAVAR(**lavar(calendar=ft.Calendar(("weekday",), country="DE")).settings())
    assert again.calendar == ft.Calendar(("weekday",), country="DE")


# ------------------------------------------------------------------ guardrails
def test_interventions_of_the_last_forecast() -> None:
    model = lavar(whole=True, gate=4, bound_factor=0.2).fit(goods(), until=UNTIL)
    assert model.interventions == {}
    found = model.predict(goods(), CUTOFFS)
    np.testing.assert_array_equal(found.mean, np.round(found.mean))
    assert model.interventions["rounded"] > 0
    assert model.interventions["bounded"] > 0
    steps = [goods().grid.step_at_or_before(c) for c in CUTOFFS]
    silent = np.stack([(goods().values[s - 3 : s + 1, :8] == 0).all(axis=0) for s in steps])
    assert silent.any()
    free = lavar(bound_factor=0.2).fit(goods(), until=UNTIL).predict(goods(), CUTOFFS)
    assert model.interventions["gated"] == int((silent[:, None] & (free.mean != 0)).sum()) > 0
    assert (found.mean[np.broadcast_to(silent[:, None], found.mean.shape)] == 0).all()
    model.predict(goods(), CUTOFFS[:1])
    assert model.interventions["gated"] == int((silent[0] & (free.mean[0] != 0)).sum())


# ------------------------------------------------------------------ saving
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"heads": ("nb", {"name": "quantile", "levels": [0.2, 0.5, 0.8]}, "zinb"), "gate": 30, "whole": True},
        {"calendar": ft.Calendar(("weekday",), country=("DE", "BY")), "effects": False, "dynamics": "gru"},
        {
            "encode": "both",
            "own_history": True,
            "seasons": (7,),
            "horizon_weights": (1, 1, 1, 1, 1, 1, 2),
            "alias": "x",
        },
    ],
    ids=["auto", "heads", "calendar", "history"],
)
def test_saved_and_loaded(changes: dict[str, Any], tmp_path: Path) -> None:
    model = lavar(**changes).fit(goods(), until=UNTIL)
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model")
    assert isinstance(again, LAVAR)
    same(model.predict(goods(), CUTOFFS, quantiles=(0.3,)), again.predict(goods(), CUTOFFS, quantiles=(0.3,)))
    assert again.settings() == model.settings()
    assert repr(again.history) == repr(without_times(model.history))
    pd.testing.assert_frame_equal(again.bucket_table(), model.bucket_table())
    assert again.name == changes.get("alias", "LAVAR")


def test_settings_make_the_same_model() -> None:
    made = lavar(heads=("nb", "delta", "zinb"), calendar={"features": ["weekday"], "country": "DE"}, gate=3)
    again = LAVAR(**made.settings())
    assert again.settings() == made.settings()
    assert (again.config, again.supply, again.stages) == (made.config, made.supply, made.stages)
    other = LAVAR(**{**made.settings(), "seed": 5, "gate": None})
    assert (other.seed, other.supply.gate) == (5, None)
    assert (other.heads, other.calendar) == (made.heads, made.calendar)


# ------------------------------------------------------------------ new entities
def test_heads_for_a_new_entity() -> None:
    two, third = sites().take([0, 1]), sites().take([2])
    model = lavar(epochs=3).fit(two)
    before = {name: value.clone() for name, value in model._parts().state.model.state_dict().items()}
    known = model.state()
    new = model.fit_heads(third, until="2019-03-12")
    assert list(new.history) == ["stage2"]
    for name, value in new._parts().state.model.state_dict().items():
        assert torch.equal(value, before[name])
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, known[name])
    table = new.bucket_table()
    # Of each target, one of the buckets that it has among the fitted entities: there is a head for it.
    fitted = model.bucket_table().groupby("target")["bucket"].agg(set)
    assert all(row.bucket in fitted[row.target] for row in table.itertuples())
    found = new.predict(third, ["2019-03-12", "2019-05-01"])
    assert found.mean.shape == (2, H, 6)
    sensible(found, counts=True)
    sensible(new.predict(two, ["2019-05-01"]), counts=True)
    assert model.predict(two, ["2019-05-01"]).mean.shape == (2, H, 6)
    other = model.fit_heads(sites().take([2, 0]), until="2019-03-12")
    assert other.predict(sites().take([0]), ["2019-03-12"]).mean.shape == (1, H, 6)


def test_a_bucket_taken_over_says_so() -> None:
    two, third = sites().take([0, 1]), sites().take([2])
    model = lavar().fit(two)
    buckets = np.array(model.bucket_table()["bucket"]).reshape(2, -1)
    dense = int(np.flatnonzero((buckets == "dense").all(axis=0))[0])
    table = model.fit_heads(changed(third, dense, slice(None), 0.0), until="2019-03-12").bucket_table()
    assert table["bucket"][dense] == "dense"
    assert "the bucket of the model whose stage 1 is shared; nonzero here in 0.0%" in table["why"][dense]


def test_a_new_entity_saved_and_loaded(tmp_path: Path) -> None:
    third = sites().take([2])
    new = lavar().fit(sites().take([0, 1])).fit_heads(third, until="2019-03-12")
    new.save(tmp_path / "new")
    same(ft.load(tmp_path / "new").predict(third, ["2019-03-12"]), new.predict(third, ["2019-03-12"]))


def test_stage_one_must_be_there_to_be_shared() -> None:
    with pytest.raises(ConfigError, match=r"no stage 1 to share yet. Type: model.fit\(panel\) first"):
        lavar().fit_heads(sites())
    with pytest.raises(DataError, match="fitted with targets columns"):
        usual().fit_heads(sites())


def test_cutoffs_may_be_many() -> None:
    panel = goods()
    cutoffs = times(panel, range(320, 332))
    all_at_once = usual().predict(panel, cutoffs)
    for k in (0, 5, 11):
        alone = usual().predict(panel, cutoffs[k : k + 1])
        np.testing.assert_allclose(all_at_once.mean[k], alone.mean[0], rtol=1e-5, atol=1e-7)


def test_entities_are_forecast_alone_as_among_others() -> None:
    model = lavar(head_lr=0.05).fit(sites(), until="2019-09-01")
    together = model.predict(sites(), ["2019-09-20"])
    for chosen in ([2], [2, 0]):
        found = model.predict(sites().take(chosen), ["2019-09-20"])
        np.testing.assert_allclose(found.mean, together.mean[chosen], rtol=1e-5, atol=1e-6)


def test_choices_name_the_recipes_of_every_series() -> None:
    supplies = ft.synthetic.supplies(T=220, n_targets=3, n_covariates=4, seed=0).panel
    model = ft.LAVAR(h=5, order=2, latent=2, epochs=1, head_epochs=1).fit(supplies)
    table = model.choices()
    assert set(table["series"]) == set(supplies.series)
    assert table.loc[table["setting"] == "recipe", "value"].str.contains("level|mean|value").all()
    assert table.loc[table["setting"] == "latent effects", "value"].isin(["yes", "no"]).sum() == 3
