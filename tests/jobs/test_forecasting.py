"""ft.forecast: any table in; the future in the table's own columns, with intervals and a verdict, out."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.jobs import predict_with
from foretide.jobs.forecasting import Ask, Call
from foretide.jobs.reporting import write_report
from foretide.jobs.tables import read_any

QUICK = {"Auto": {"candidates": ["SeasonalNaive", "SeasonalES"]}}
ROLES = dict.fromkeys(("id", "time", "target", "past", "future", "static"))
RNG = np.random.default_rng(1)
DAYS = pd.date_range("2024-01-01", periods=70)


def shops(**columns: Any) -> pd.DataFrame:
    """Two shops of 70 days with a weekly shape."""
    week = np.tile([5.0, 6, 5, 7, 9, 14, 12], 10)
    parts = [pd.DataFrame({"shop": k, "day": DAYS, "sold": 10 * k + week + RNG.normal(0, 1, 70)}) for k in (3, 1)]
    return pd.concat(parts, ignore_index=True).assign(**columns)


# ---------------------------------------------------------------- any table
FILES = {
    "europe.csv": ("Filiale", "Datum", "Umsatz"), "events.csv": ("unique_id", "ds", "y"),
    "fixed_offset.parquet": ("", "ds", "y"), "integer_ids.csv": ("shop", "day", "sales"),
    "new_shop.csv": ("shop", "day", "sales"), "one_duplicate.csv": ("shop", "day", "sales"),
    "staggered.csv": ("unique_id", "ds", "y"), "thousands.csv": ("shop", "day", "sales"),
    "wide.csv": ("", "day", "shop0 shop1 shop2"),
}  # fmt: skip
"""Of the cases: identifier, time and targets."""


@pytest.mark.parametrize("name", FILES)
def test_every_case_is_answered_with_the_right_roles(name: str, root: Path) -> None:
    path = root.parent / "shared" / "cases" / name
    if not path.is_file():
        pytest.skip("the cases are not here")
    result = ft.forecast(path, 5, model=QUICK)
    id, time, targets = FILES[name]
    table = result.to_frame()
    bounds = [f"{t}-{side}-{level}" for t in targets.split() for level in (80, 95) for side in ("lo", "hi")]
    assert list(table.columns) == [*([id] if id else []), time, *targets.split(), *bounds]
    assert len(table) == 5 * (table[id].nunique() if id else 1)
    assert table.notna().all(axis=None)
    for target in targets.split():
        order = [f"{target}-lo-95", f"{target}-lo-80", f"{target}-hi-80", f"{target}-hi-95"]
        assert (np.diff(table[order].to_numpy(), axis=1) >= 0).all()
    source = pd.read_csv(path, sep=None, engine="python", dtype=str) if path.suffix == ".csv" else pd.read_parquet(path)
    if id:
        assert table[id].astype(str).drop_duplicates().to_list() == source[id].drop_duplicates().to_list()


@pytest.mark.parametrize(
    ("name", "words"),
    [("exponent.csv", "'1e29984191646' in line 3 is larger"), ("year_2270.parquet", "2270-01-01 in row 1 of the data")],
)
def test_what_cannot_be_read_is_named(name: str, words: str, root: Path) -> None:
    path = root.parent / "shared" / "cases" / name
    if not path.is_file():
        pytest.skip("the cases are not here")
    with pytest.raises(DataError, match=words):
        ft.forecast(path, 5)


def test_every_table_of_the_league_is_read_with_the_right_roles(real_data: Path) -> None:
    tasks = pd.read_csv(real_data / "league" / "tasks.csv", keep_default_na=False)
    for task in tasks.itertuples():
        source = read_any(real_data / "league" / f"{task.task}.parquet", ROLES, {})
        panel = source.panel
        assert (panel.targets, panel.names.id, panel.names.time) == (("y",), "unique_id", "ds")
        assert panel.n_entities == task.series
        assert int(panel.observed.sum()) >= task.rows * (1 - float(task.missing)) - task.series
        assert str(panel.grid.freq).startswith(task.freq)
        assert set(panel.past + panel.future) == set(task.known.split())


def test_a_long_table_is_answered_in_its_own_columns_and_types() -> None:
    frame = shops(note="text")
    out = ft.forecast(frame, 7, model="SeasonalNaive", quantiles=0.1).to_frame()
    assert out.dtypes[["shop", "day", "sold"]].to_list() == frame.dtypes[["shop", "day", "sold"]].to_list()
    assert out.shop.to_list() == [3] * 7 + [1] * 7
    assert out.day.iloc[0] == DAYS[-1] + pd.Timedelta(days=1)
    np.testing.assert_allclose(out.sold[:7], frame.sold[63:70])
    assert list(out.columns)[3:] == ["sold-lo-80", "sold-hi-80", "sold-lo-95", "sold-hi-95", "sold-ql0.1"]
    np.testing.assert_array_equal(out["sold-ql0.1"], out["sold-lo-80"])


def test_a_table_with_a_column_per_series_is_answered_by_one() -> None:
    wide = shops().pivot(index="day", columns="shop", values="sold").rename(columns=str).reset_index()
    wide.loc[68:, "1"] = np.nan  # ends two days earlier
    out = ft.forecast(wide, 3, model="Drift", levels=80).to_frame()
    assert list(out.columns) == ["day", "1", "3", "1-lo-80", "1-hi-80", "3-lo-80", "3-hi-80"]
    assert len(out) == 5
    assert out["1"].notna().to_list() == [True] * 3 + [False] * 2
    assert out["3"].notna().to_list() == [False] * 2 + [True] * 3


def test_polars_in_polars_out() -> None:
    out = ft.forecast(pl.from_pandas(shops()), 2, model="Drift").to_frame()
    assert isinstance(out, pl.DataFrame)
    assert out.schema["shop"] == pl.Int64
    assert out["shop"].to_list() == [3, 3, 1, 1]


def test_an_index_of_dates_stays_one() -> None:
    frame = shops().query("shop == 3").set_index("day")[["sold"]]
    out = ft.forecast(frame, 2, model="Drift").to_frame()
    assert out.index.to_list() == [DAYS[-1] + pd.Timedelta(days=k) for k in (1, 2)]
    assert out.columns[0] == "sold"


def test_a_table_whose_rows_are_series_is_answered() -> None:
    upright = shops().pivot(index="shop", columns="day", values="sold").reset_index()
    upright.columns = [str(c)[:10] for c in upright.columns]
    out = ft.forecast(upright, 2, model="Drift").to_frame()
    assert out["shop"].to_list() == [1, 1, 3, 3]


def test_several_targets_stand_in_one_row() -> None:
    frame = shops().assign(returned=lambda f: f.sold / 10)
    out = ft.forecast(frame, 2, model="Drift", target=["sold", "returned"], levels=80).to_frame()
    assert list(out.columns)[:4] == ["shop", "day", "sold", "returned"]
    assert len(out) == 4


def test_a_panel_is_taken_as_it_is() -> None:
    panel = ft.synthetic.hourly(T=120, n_series=1, seed=1).panel
    result = ft.forecast(panel, 3, model="Drift")
    assert result.panel is panel
    assert result.to_frame().columns[:2].to_list() == ["ds", "x1"]
    with pytest.raises(ConfigError, match="target says how a table is read, and a Panel is read already"):
        ft.forecast(panel, 3, target="x1")


# ---------------------------------------------------------------- what is odd is said
def test_what_is_missing_absent_or_said_twice_is_noted() -> None:
    frame = shops()
    frame.loc[5, "sold"] = np.nan
    frame = pd.concat([frame.drop(index=9), frame.iloc[[20]]], ignore_index=True)
    notes = "\n".join(ft.forecast(frame, 2, model="Drift").notes)
    assert "1 missing value is kept as such" in notes
    assert "1 row said the same again: each counts once." in notes
    assert "1 missing step was filled in." in notes
    with pytest.raises(DataError, match="1 missing value"):
        ft.forecast(frame, 2, model="Drift", missing="error")


def test_a_series_without_a_value_does_not_stop_the_others() -> None:
    frame = pd.concat([shops(), pd.DataFrame({"shop": 9, "day": DAYS, "sold": np.nan})])
    result = ft.forecast(frame, 2, model="Drift")
    assert result.to_frame().shop.to_list() == [3, 3, 1, 1]
    assert any("'9'" in note and "without any observed target" in note for note in result.notes)


def test_a_series_of_pandas_and_counted_steps_are_taken() -> None:
    out = ft.forecast(shops().query("shop == 3").set_index("day").sold, 2, model="Drift").to_frame()
    assert out.index[0] == DAYS[-1] + pd.Timedelta(days=1)
    assert out.columns[0] == "sold"
    steps = pd.DataFrame({"step": range(100, 170), "load": shops().sold[:70]})
    assert ft.forecast(steps, 2, model="Drift").to_frame()["step"].to_list() == [170, 171]


def test_roles_are_said_in_one_note_and_can_be_set() -> None:
    frame = shops(visits=RNG.normal(size=140))
    assert ft.forecast(frame, 2, model="Drift").notes[0] == (
        "Roles of the columns, as guessed: time day; id shop; target sold; past visits."
    )
    told = ft.forecast(frame, 2, model="Drift", id="shop", time="day", target="visits", past=(), future=(), static=())
    assert told.panel.targets == ("visits",)
    assert not any("guessed" in note for note in told.notes)


def test_without_a_horizon_one_season_is_forecast_and_said() -> None:
    result = ft.forecast(shops(), model="Drift")
    assert result.h == 7
    assert "No horizon was named: 7 days are forecast, one season. Another: h=8" in result.notes
    years = pd.DataFrame({"year": range(1990, 2020), "gdp": RNG.normal(100, 1, 30)})
    assert ft.forecast(years, model="Drift").h == 6
    assert ft.forecast(years[:9], model="Drift").h == 3


def test_columns_known_ahead_come_in_rows_after_the_end() -> None:
    later = pd.date_range(DAYS[-1] + pd.Timedelta(days=1), periods=7)
    rows = [pd.DataFrame({"shop": k, "day": later, "sold": np.nan}) for k in (3, 1)]
    frame = pd.concat([shops(), *rows], ignore_index=True).assign(promo=lambda f: (f.day.dt.day % 5 == 0).astype(int))
    assert ft.forecast(frame, 7, model="Drift").panel.future == ("promo",)
    short = ft.forecast(frame, 10, model="Ridge")
    assert (short.panel.past, short.panel.future) == (("promo",), ())
    assert "'promo': known for 7 of 10 steps ahead, so taken as past." in short.notes
    assert len(short.to_frame()) == 20
    with pytest.raises(DataError, match=r"known ahead for 7 of the 10 steps after the end\. Add rows .* h=7, or"):
        ft.forecast(frame, 10, model="Ridge", future="promo")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prediction_length": 7}, "It is called 'h' here. Type: h=7"),
        ({"level": [80]}, r"It is called 'levels' here. Type: levels=\(80,\)"),
        ({"id_column": "shop"}, "It is called 'id' here. Type: id='shop'"),
        ({"freqq": "D"}, "Did you mean 'freq'?"),
        ({"model": "Rigde"}, "Did you mean 'Ridge'?"),
        ({"model": {"Ridge": {"levl": "none"}}}, "Ridge has no setting 'levl'. Did you mean 'level'?"),
        ({"model": 3}, "model is a forecaster, its name, or"),
        ({"time_limit": -1}, "above 0, or None; got -1"),
        ({"h": 0}, "whole number of at least 1; got 0"),
        ({"levels": 0.8}, "Type levels=80."),
        ({"target": "sodl"}, "sodl"),
    ],
)
def test_slips_are_answered_before_anything_is_fitted(given: dict[str, Any], words: str) -> None:
    with pytest.raises((ConfigError, DataError), match=words):
        ft.forecast(shops(), **given)


# ---------------------------------------------------------------- the model, and how good it is
def test_auto_says_what_it_chose_and_how_good_it_is() -> None:
    lines: list[str] = []
    result = ft.forecast(shops(), 7, model=QUICK, progress=lines.append)
    assert result.leaderboard().candidate.to_list()[0] == "SeasonalES"
    assert result.verdict().startswith("Auto is ")
    assert isinstance(result.model, ft.Auto)
    assert result.card is not None
    assert set(result.card.models) >= {"Auto", "SeasonalES"}
    assert lines[-1] == "forecasting"
    assert any("trying SeasonalNaive (1 of 2)" in line for line in lines)
    assert repr(result).splitlines()[0] == "Forecast of sold: the next 7 days of 2 series"
    assert result.verdict() in repr(result)
    assert "<table" in result._repr_html_()


def test_the_usual_candidates_answer_in_little_time() -> None:
    result = ft.forecast(shops(), 7, time_limit=2)
    board = result.leaderboard()
    assert {"SeasonalNaive", "SeasonalES"} <= set(board.candidate)
    assert result.to_frame().notna().all(axis=None)


@pytest.mark.parametrize(
    "model", ["seasonal-es", {"SeasonalES": {"season": 7}}, ft.SeasonalES(h=7, season=7), ft.SeasonalES(h=3, season=7)]
)
def test_a_model_is_named_described_or_handed_in(model: Any) -> None:
    result = ft.forecast(shops(), 7, model=model)
    assert result.model.is_fitted
    assert result.model.h == 7
    assert result.card is not None
    assert {"SeasonalES", "SeasonalNaive"} <= set(result.leaderboard().model)
    assert result.leaderboard().model.is_unique
    assert not any(name.endswith("-baseline") for name in result.leaderboard().model)
    assert result.verdict()


def test_settings_reach_the_model() -> None:
    call = Call.of(shops(), Ask(7, seed=5, season=7, time_limit=10), ROLES, {})
    assert call.model.settings()["seed"] == 5
    assert call.model.settings()["season"] == 7
    assert call.model.settings()["time_limit"] == 9.5
    assert call.config.models[0].settings == {"season": 7, "seed": 5, "time_limit": 9.5}
    assert Call.of(shops(), Ask(7, time_limit=None), ROLES, {}).model.settings()["time_limit"] is None
    assert ft.forecast(shops(), model=ft.Drift(h=4)).h == 4
    assert ft.forecast(shops(), model={"Drift": {"h": 5}}).h == 5


def test_series_too_short_to_be_judged_are_forecast_all_the_same() -> None:
    result = ft.forecast(shops()[:4], 4, model="Drift")
    assert result.card is None
    assert result.verdict() == "Drift: the series are too short to say how good it is."
    assert len(result.leaderboard()) == 0
    assert len(result.to_frame()) == 4


def test_it_draws_itself() -> None:
    result = ft.forecast(shops(), 7, model="SeasonalNaive")
    figure = result.plot()
    assert sorted(axes.get_title(loc="left") or axes.get_title() for axes in figure.axes) == ["1", "3"]
    assert len(result.plot("3").axes) == 1


# ---------------------------------------------------------------- the folder
@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Path]:
    """A forecast, its table, and the folder it was kept in."""
    place = tmp_path_factory.mktemp("kept")
    table, folder = place / "sales.csv", place / "out"
    shops().to_csv(table, index=False, sep=";", decimal=",")
    result = ft.forecast(table, 7, model=QUICK)
    assert result.report(folder) == folder / "report.html"
    return result, table, folder


def test_a_folder_holds_the_forecast_and_what_is_to_be_known_of_it(kept: Any) -> None:
    result, _, folder = kept
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "forecast.parquet"), result.to_frame())
    exported = pd.read_csv(folder / "forecast.csv", parse_dates=["day"])
    pd.testing.assert_frame_equal(exported, result.to_frame(), check_dtype=False, rtol=1e-8)
    facts = json.loads((folder / "run.json").read_text())
    assert (facts["kind"], facts["verdict"]) == ("forecast", result.verdict())
    assert facts["notes"] == list(result.notes)
    assert pd.read_parquet(folder / "tables" / "leaderboard.parquet").candidate[0] == "SeasonalES"
    assert json.loads((folder / "status.json").read_text())["status"] == "finished"


def test_a_folder_predicts_and_reports_in_another_process(kept: Any) -> None:
    result, table, folder = kept
    command = [sys.executable, "-m", "foretide", "predict", str(folder), str(table)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    again = pd.read_csv(io.StringIO(done.stdout))
    np.testing.assert_allclose(again["Auto"], result.to_frame().sold)
    np.testing.assert_allclose(again["Auto-lo-80"], result.to_frame()["sold-lo-80"])
    page = folder / "report.html"
    page.unlink()
    assert write_report(folder) == page
    assert page.is_file()


def test_nothing_of_the_users_is_overwritten(kept: Any, tmp_path: Path) -> None:
    result, _, folder = kept
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists and is not a run folder"):
        result.report(mine)
    assert [p.name for p in mine.iterdir()] == ["notes.txt"]
    before = (folder / "forecast.csv").read_bytes()
    with pytest.raises(ConfigError, match="holds a finished run, which is not overwritten"):
        ft.forecast(shops(), 2, model="Drift").report(folder)
    assert (folder / "forecast.csv").read_bytes() == before


def test_the_folder_of_a_frame_takes_new_tables(tmp_path: Path) -> None:
    result = ft.forecast(pl.from_pandas(shops()), 7, model="SeasonalNaive", levels=80)
    result.report(tmp_path / "out")
    shops().to_csv(tmp_path / "new.csv", index=False)
    assert len(predict_with(tmp_path / "out", tmp_path / "new.csv")) == 14
    with pytest.raises(ConfigError, match=r"no file that could be read again\. Name one: foretide predict .*out TABLE"):
        predict_with(tmp_path / "out")


def test_an_index_becomes_columns_of_files() -> None:
    frame = shops().astype({"shop": "category"}).set_index(["shop", "day"])
    assert ft.forecast(frame, 7, model="Drift").outcome().table.columns[:3].to_list() == ["shop", "day", "sold"]


def test_the_model_is_saved_and_loaded_as_any_other(tmp_path: Path) -> None:
    frame = shops()
    result = ft.forecast(frame, 7, model=QUICK)
    result.model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model").predict(frame)
    np.testing.assert_array_equal(again.mean, result.forecast.mean)
    same = ft.forecast(frame, 7, model=QUICK)
    np.testing.assert_array_equal(same.forecast.mean, result.forecast.mean)
