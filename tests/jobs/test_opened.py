"""Folders of Parquet files in the place of a table: in Python, in configurations and commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import foretide as ft
from foretide.cli.app import app
from foretide.data.scratch import mapped_file
from foretide.errors import DataError
from foretide.jobs.config import load_config
from foretide.jobs.deploy import fit_model
from foretide.jobs.prepare import prepare, read_panel
from foretide.jobs.tables import examine_any, read_any

ROLES = dict.fromkeys(("id", "time", "target", "past", "future", "static"))


@pytest.fixture
def sales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A table, which lies in ``sales/region=…/``; the working folder is the one around."""
    monkeypatch.setenv("FORETIDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng, parts = np.random.default_rng(0), []
    for shop in ("a", "b", "c"):
        days = pd.date_range("2024-01-01", periods=60)
        parts.append(pd.DataFrame({"shop": shop, "day": days, "sold": rng.poisson(5, 60), "rain": rng.random(60)}))
    rows = pd.concat(parts, ignore_index=True)
    for shop, part in rows.groupby("shop"):
        folder = tmp_path / f"sales/region={'north' if shop < 'c' else 'south'}"
        folder.mkdir(parents=True, exist_ok=True)
        part.to_parquet(folder / f"{shop}.parquet", index=False)
    return rows.assign(region=np.where(rows["shop"] < "c", "north", "south"))


def test_roles_are_guessed_as_of_a_frame(sales: pd.DataFrame) -> None:
    found, expected = read_any("sales", ROLES, {}), read_any(sales, ROLES, {})
    panel, other = found.panel, expected.panel
    assert mapped_file(panel.values) is not None
    assert (panel.ids, panel.targets, panel.past, panel.static.names) == (
        other.ids, other.targets, other.past, other.static.names,
    )  # fmt: skip
    np.testing.assert_array_equal(panel.values, other.values)
    again = read_panel(found.section)
    np.testing.assert_array_equal(again.values, panel.values)


@pytest.mark.usefixtures("sales")
def test_the_one_call_takes_a_folder() -> None:
    found = pd.DataFrame(ft.forecast("sales", h=7, model="SeasonalNaive", target="sold", past=(), static=()).to_frame())
    assert list(found)[:3] == ["shop", "day", "sold"]
    assert (found["shop"].tolist(), str(found["day"].iloc[-1])[:10]) == ([*"aaaaaaabbbbbbbccccccc"], "2024-03-07")
    with pytest.raises(DataError, match="There is no column 'sould'"):
        ft.forecast("sales", h=7, target="sould")


@pytest.mark.parametrize("path", ["sales", "sales/*/*.parquet"])
@pytest.mark.usefixtures("sales")
def test_a_configuration_names_a_folder(path: str, tmp_path: Path) -> None:
    data = {"path": path, "id": "shop", "time": "day", "target": "sold", "past": "rest"}
    config = load_config({"data": data, "h": 7, "models": ["SeasonalNaive"]})
    panel = prepare(config).panel
    assert (panel.n_entities, mapped_file(panel.values) is not None) == (3, True)
    assert Path(str(config.data.path)).is_relative_to(tmp_path)


def foretide(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code, done.output
    return done


def test_check_finds_what_it_finds_in_a_frame(sales: pd.DataFrame) -> None:
    (report, panel), (expected, other) = examine_any("sales", ROLES, {}), examine_any(sales, ROLES, {})
    assert panel is not None
    assert other is not None
    for name in ("rows", "entities", "roles", "freq", "tz", "start", "end", "seasons"):
        assert getattr(report, name) == getattr(expected, name), name
    assert list(map(str, report.columns)) == list(map(str, expected.columns))
    assert set(map(str, report.notes)) == set(map(str, expected.notes))
    done = foretide("check", "sales", "--models", "Ridge", "--input-size", "14", "--h", "7", "--write", "sales.yaml")
    assert "180 rows, 3 series, every D" in done.stdout
    assert prepare(load_config("sales.yaml")).panel.ids == ("a", "b", "c")


def test_check_lists_what_is_wrong_in_a_folder(sales: pd.DataFrame) -> None:
    sales[sales["shop"] == "a"].drop(index=[5, 6]).to_parquet("sales/region=north/a.parquet", index=False)
    report, panel = examine_any("sales", ROLES, {})
    assert panel is None
    assert [(problem.kind, problem.entity, problem.count) for problem in report.errors] == [("gap", "a", 2)]
    done = foretide("check", "sales", code=1)
    assert "2 steps of D are missing, first at 2024-01-06" in done.stdout
    assert "(--fill-gaps)" in done.stdout
    foretide("check", "sales", "--fill-gaps", "--missing", "mask")


@pytest.mark.parametrize("place", ["folder", "saved"])
def test_monitor_and_predict_take_a_folder(place: str, sales: pd.DataFrame) -> None:
    data = {"path": "sales", "id": "shop", "time": "day", "target": "sold"}
    known = sales[sales["day"] < "2024-02-10"]
    model = ft.SeasonalNaive(h=7, season=7)
    panel = ft.Panel.from_frame(known, id="shop", time="day", target="sold")
    if place == "saved":
        model.fit(panel).save("saved")
    else:
        known.to_parquet("known.parquet", index=False)
        config = {"data": {**data, "path": "known.parquet"}, "h": 7, "models": [{"SeasonalNaive": {"season": 7}}]}
        fit_model(config, "folder")
        done = foretide("predict", "folder", "sales")
        assert len(done.stdout.splitlines()) == 22
    from_folder, from_frame = ft.monitor(place, "sales"), ft.monitor(place, _file(sales))
    assert from_folder.to_dict() == from_frame.to_dict()
    assert from_folder.steps > 14
    foretide("monitor", place, "sales", "--quiet", code={"fine": 0, "changed": 3}[from_folder.verdict])


def _file(rows: pd.DataFrame) -> Path:
    rows.to_parquet("all.parquet", index=False)
    return Path("all.parquet")
