"""One model per entity: the same as fitting each alone, failures in a table, equal bits for any number of jobs."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times
from deadly import Deadly

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError, DataError
from foretide.forecasters.base import FitPart, Forecaster
from foretide.forecasters.classical.arima import ARIMA
from foretide.forecasters.classical.ridge import Ridge
from foretide.forecasters.simple.baselines import Persistence, SeasonalES, SeasonalNaive
from foretide.forecasters.wrappers.per_entity import PerEntity, fit_each
from foretide.parallel import Outcome

H = 5


class Told(Persistence):
    """Learns what it was told to learn from: the last training step and the last step, by grid."""

    uses_validation = True

    def __init__(self, h: int, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.told: list[int] = []

    def _fit(self, part: FitPart) -> None:
        self.told = [int(part.panel.first[0] + part.train_rows[0]) - 1, int(part.panel.last.max())]

    def facts(self) -> dict[str, Any]:
        return {"told": self.told}

    def restore(self, state: dict[str, Any], facts: dict[str, Any]) -> None:
        self.told = facts["told"]


class Picky(Ridge):
    """Cannot learn from a series that holds the value 13."""

    def _fit(self, part: FitPart) -> None:
        if (part.panel.rows(0) == 13).any():
            raise ZeroDivisionError("thirteen")
        super()._fit(part)


def several(**options: Any) -> Panel:
    return make_panel((120, 100, 110, 90), first=(0, 20, 5, 30), past=1, missing=0.05, **options)


def unlucky(*which: int) -> Panel:
    """A panel with a 13 in some entities."""
    panel = several()
    values = panel.values.copy()
    for i in which:
        values[panel.row0[i] + 3, 0] = 13.0
    return panel.with_values(values)


@pytest.mark.parametrize(("model", "n_jobs"), [(SeasonalES(H), 1), (Ridge(H, input_size=14), 2)])
def test_it_is_each_entity_fitted_alone(model: Forecaster, n_jobs: int) -> None:
    panel = several()
    values = panel.values.copy()
    values[panel.row0[2] : panel.row0[3], 0] += np.cumsum(np.random.default_rng(1).normal(size=110))
    panel = panel.with_values(values)  # one entity that wants other settings than the rest
    until, cutoffs = times(panel, [100])[0], times(panel, [100, 103, 109])
    found = PerEntity(model, n_jobs=n_jobs).fit(panel, until).predict(panel, cutoffs)
    for i in range(panel.n_entities):
        alone = model.fresh().fit(panel.take([i]), until).predict(panel.take([i]), cutoffs)
        np.testing.assert_array_equal(found.mean[found.windows.entity == i], alone.mean)
    together = model.fresh().fit(panel, until).predict(panel, cutoffs)
    assert not np.array_equal(together.mean, found.mean)


def test_laws_are_those_of_each_entity() -> None:
    panel = several().take([0, 2])
    found = PerEntity(ARIMA(H, order=(1, 0, 1))).fit(panel).predict(panel, levels=(80,))
    assert found.quantiles is not None
    for i in range(2):
        alone = ARIMA(H, order=(1, 0, 1)).fit(panel.take([i])).predict(panel.take([i]), levels=(80,))
        assert alone.quantiles is not None
        np.testing.assert_array_equal(found.quantiles[i], alone.quantiles[0])


def test_what_each_fit_is_told() -> None:
    panel = make_panel((120, 60), first=(0, 10))  # last steps 119 and 69

    def told(**options: Any) -> list[list[int]]:
        return [entity.facts["told"] for entity in fit_each(Told(H), panel, **options).entities_.values()]

    assert told() == [[119 - 18, 119], [69 - 9, 69]]  # 15 % of its own steps
    assert told(until=times(panel, [49])[0]) == [[49 - 8, 49], [49 - 6, 49]]
    assert told(train_until=times(panel, [60])[0]) == [[60, 119], [60, 69]]
    assert told(train_until=times(panel, [90])[0]) == [[90, 119], [69 - 9, 69]]  # the second ends before


# -------------------------------------------------------------------- failures
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failing_entity_ends_nothing_and_stands_in_the_table(n_jobs: int, tmp_path: Path) -> None:
    panel = unlucky(1, 3)
    text = r"2 of 4 entities could not be fitted and are forecast by a simple stand-in; see .* first is 'shop1': Zero"
    with pytest.warns(UserWarning, match=text):
        model = fit_each(_picky(n_jobs), panel, n_jobs=n_jobs)
    table = model.table
    assert list(table.columns) == ["id", "status", "error", "seconds", "n_observed"]
    assert table["id"].tolist() == ["shop0", "shop1", "shop2", "shop3"]
    assert table["status"].tolist() == ["fitted", "failed", "fitted", "failed"]
    assert table["error"].tolist() == ["", "ZeroDivisionError: thirteen", "", "ZeroDivisionError: thirteen"]
    assert table["n_observed"].tolist() == panel.observed.tolist()
    assert (table["seconds"] > 0).all()
    found = model.predict(panel)
    assert np.isfinite(found.mean).all()
    assert [note.windows.tolist() for note in found.notes] == [[1, 3]]
    assert found.notes[0].text == "forecast by SeasonalNaive: Picky-per-entity gave no finite forecast"
    alone = Ridge(H, input_size=14).fit(panel.take([2])).predict(panel.take([2]))
    np.testing.assert_array_equal(found.mean[2], alone.mean[0])


def _picky(n_jobs: int) -> Forecaster:
    # Workers cannot import this file: there the class travels whole, as one of a notebook does.
    if n_jobs == 1:
        return Picky(H, input_size=14)
    namespace: dict[str, Any] = {"Ridge": Ridge, "__name__": "__main__"}
    exec(
        "class Picky(Ridge):\n"
        "    def _fit(self, part):\n"
        "        if (part.panel.rows(0) == 13).any():\n"
        "            raise ZeroDivisionError('thirteen')\n"
        "        Ridge._fit(self, part)\n",
        namespace,
    )
    made: Forecaster = namespace["Picky"](H, input_size=14)
    return made


def test_failures_are_saved_too(tmp_path: Path) -> None:
    panel = several()
    short = replace(panel, length=np.array([120, 5, 110, 90]))
    with pytest.warns(UserWarning, match="1 of 4 entities could not be fitted.*'shop1': DataError: No training window"):
        model = fit_each(Ridge(H, input_size=14), short)
    model.save(tmp_path / "model")
    loaded = ft.load(tmp_path / "model")
    assert isinstance(loaded, PerEntity)
    assert loaded.table.equals(model.table.assign(seconds=np.nan))  # equal fits write equal files
    expected, got = model.predict(short), loaded.predict(short)
    np.testing.assert_array_equal(got.mean, expected.mean)
    assert np.isfinite(got.mean).all()
    assert got.notes[0].windows.tolist() == [1]
    # Before an entity's history is long enough a stand-in answers, and says so.
    early = loaded.predict(short, times(short, [10, 40]))
    at = dict(zip(zip(early.windows.entity, early.cutoff_steps, strict=True), early.mean, strict=True))
    assert np.isfinite(at[0, 10]).all()
    first = next(k for k, step in enumerate(early.cutoff_steps) if early.windows.entity[k] == 0 and step == 10)
    assert early.note_texts()[first].startswith("forecast by SeasonalNaive")
    assert np.isfinite(at[0, 40]).all()


def test_all_failing_raises() -> None:
    with pytest.raises(DataError, match="4 of 4 entities could not be fitted. The first is 'shop0': Zero") as caught:
        fit_each(Picky(H, input_size=14), unlucky(0, 1, 2, 3))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_entity_that_kills_its_worker_fails_alone() -> None:
    panel = make_panel((40,) * 6)
    values = panel.values.copy()
    values[panel.row0[2], 0] = 666
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fit_each(Deadly(H), panel.with_values(values), n_jobs=2)
    table = model.table.set_index("id")
    assert table["status"].tolist() == ["fitted", "fitted", "failed", "fitted", "fitted", "fitted"]
    assert table.loc["shop2", "error"].startswith("WorkerDiedError: The worker of item 2 (2) died 3 times (SIGKILL")
    told = [str(one.message) for one in caught]
    assert told[0] == "rather deadly (5 times)"
    assert told[1].startswith("Deadly-per-entity: 1 of 6 entities could not be fitted")
    assert len(told) == 2


# -------------------------------------------------------------------- entities and names
def test_an_entity_that_was_not_there() -> None:
    panel = several()
    model = PerEntity(SeasonalNaive(H, 7)).fit(panel.take([0, 2]))
    found = model.predict(panel)
    assert np.isfinite(found.mean).all()
    assert [note.windows.tolist() for note in found.notes] == [[1, 3]]
    assert "one model per series, was not fitted on" in found.notes[0].text
    late = PerEntity(SeasonalNaive(H, 7)).fit(panel, times(panel, [25])[0])
    assert list(late.table["id"]) == ["shop0", "shop1", "shop2"]
    assert [note.windows.tolist() for note in late.predict(panel).notes] == [[3]]


def test_settings_and_names() -> None:
    model = PerEntity(SeasonalES(H, season=7), n_jobs=2)
    assert model.name == "SeasonalES-per-entity"
    assert model.settings() == {
        "model": {"SeasonalES": SeasonalES(H, season=7).settings()},
        "n_jobs": 2,
        "h": H,
        "alias": None,
    }
    assert PerEntity(**model.settings()).settings() == model.settings()
    assert model.fresh().settings() == model.settings()
    assert PerEntity("SeasonalES", h=3, alias="own").name == "own"
    assert fit_each({"SeasonalES": {"alias": "es"}}, several(), h=3).name == "es-per-entity"


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("SeasonalES", {}, r"no horizon\. Type: PerEntity\('SeasonalES', h=14\)"),
        (SeasonalES(H), {"h": 7}, "The model forecasts 5 steps, but h=7"),
        (SeasonalES(H), {"n_jobs": 0}, "n_jobs is how many tasks run side by side"),
        ("SeasonalEs", {"h": 7}, "Did you mean 'SeasonalES'"),
    ],
)
def test_wrong_settings(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PerEntity(model, **options)


def test_progress() -> None:
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int, outcome: Outcome) -> None:
        assert outcome.ok
        seen.append((done, total))

    fit_each(SeasonalES(H), several(), progress=note)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_arrays_are_kept_in_stacks_where_they_agree() -> None:
    panel = several()
    ridge = Ridge(H, input_size=14, channels="all")  # by itself it could choose maps of other shapes for some
    model = fit_each(ridge, panel)
    state = model.state()
    own = ridge.fresh().fit(panel.take([3])).state()
    assert own
    for name, array in own.items():
        assert state[f"all/{name}"].shape == (4, *array.shape)
        np.testing.assert_array_equal(state[f"all/{name}"][3], array)
    copy = PerEntity(**model.settings())
    uneven = {"all/a": np.arange(6.0).reshape(2, 3), "0/b": np.zeros(1), "2/b": np.zeros(2)}
    told = {"facts": {}, "min_history": 1, "n_observed": 1, "seconds": 0.0}
    copy.restore(uneven, {"entities": {k: {**told, "error": "x" if k == "q" else ""} for k in "pqr"}})
    assert [sorted(entity.state) for entity in copy.entities_.values()] == [["a", "b"], [], ["a", "b"]]
    again = copy.state()
    assert again.keys() == uneven.keys()
    for name, array in uneven.items():
        np.testing.assert_array_equal(again[name], array)


def test_in_a_backtest() -> None:
    panel = several().take([0, 2])
    card = ft.backtest(PerEntity(SeasonalES(H)), panel, n_windows=3, step=3, baselines=False)
    assert np.isfinite(card.to_frame()["SeasonalES-per-entity"].to_numpy()).all()
