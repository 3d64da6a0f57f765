"""``foretide check``: a configuration that reads the same panel and runs, and what models will do with every series."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import foretide as ft
from foretide.cli.app import app
from foretide.data.panel import Panel
from foretide.data.reading.checks import examine
from foretide.errors import ConfigError
from foretide.jobs.config import load_config, read_yaml
from foretide.jobs.prepare import read_panel
from foretide.jobs.readiness import USUAL, look_ahead

CASES = Path(__file__).parents[3] / "shared" / "cases"
RNG = np.random.default_rng(0)
DAYS = pd.date_range("2024-01-01", periods=90)


def shop(name: str, days: pd.DatetimeIndex = DAYS, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"shop": name, "day": days, "sales": RNG.poisson(20, len(days)), **columns})


def items() -> pd.DataFrame:
    parts = [shop(s, item=i, price=RNG.normal(3, 0.1, 90)) for s in ("n", "s") for i in ("007", "NA")]
    return pd.concat(parts).assign(region=lambda f: f["shop"] + "-land", weekday=lambda f: f["day"].dt.day_of_week)


def with_future() -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=110)
    known = np.where(np.arange(110) % 9 == 0, "sale", "")
    frame = pd.concat([shop(name, days, event=known) for name in "ab"], ignore_index=True)
    return frame.assign(sales=frame["sales"].where(frame["day"] <= DAYS[-1]))


TABLES: dict[str, tuple[pd.DataFrame, list[str]]] = {
    "one": (shop("a").drop(columns="shop"), []),
    "long": (pd.concat([shop("a"), shop("b")]), []),
    "two-ids": (items(), []),
    "wide": (pd.DataFrame({"day": DAYS, **{c: RNG.poisson(20, 90) for c in ("Rome", "Oslo")}}), []),
    "known-ahead": (with_future(), []),
    "gaps": (pd.concat([shop("a"), shop("b").drop(index=[5, 6])]), ["--fill-gaps", "--missing", "mask"]),
    "hours": (shop("a", pd.date_range("2024-01-01", periods=2160, freq="h")), ["--resample", "D"]),
    "business-days": (shop("a", pd.bdate_range("2024-01-01", periods=90)), []),
    "months": (shop("a", pd.date_range("2000-01-01", periods=90, freq="MS")), []),
    "integers": (shop("a").assign(day=np.arange(5, 95)), ["--time", "day"]),
    "zone": (shop("a", pd.date_range("2024-03-25", periods=200, freq="h", tz="Europe/Berlin")), []),
    "given-roles": (shop("a", x=RNG.normal(size=90)), ["--target", "x", "--past", "sales"]),
    "left-out": (shop("a", x=RNG.normal(size=90)), ["--past", ""]),
}


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def assert_same(left: Panel, right: Panel) -> None:
    assert (left.ids, left.columns, left.targets, left.future) == (
        right.ids,
        right.columns,
        right.targets,
        right.future,
    )
    assert (left.grid, left.categories) == (right.grid, right.categories)
    assert left.static.names == right.static.names
    np.testing.assert_array_equal(left.values, right.values)
    np.testing.assert_array_equal(left.first, right.first)
    np.testing.assert_array_equal(left.static.values, right.static.values)


RUN = {"gaps", "known-ahead", "zone", "two-ids", "events"}
"""Tables that a whole run is made of; of the others it is planned only."""


def reproduces(table: Path, config: Path, arguments: list[str], panel: Panel | None, *, whole: bool) -> None:
    """The configuration reads the panel that was looked at, and runs on small settings."""
    done = check(table, "--write", config, "--h", "3", "--models", "SeasonalNaive", "--input-size", "7", *arguments)
    assert done.exit_code == 0, done.output
    assert "Ready to use (SeasonalNaive, 3 steps)" in done.output
    assert f"run it: foretide run {config}" in done.output
    checked = load_config(config)
    assert (checked.h, checked.input_size, [m.name for m in checked.models]) == (3, 7, ["SeasonalNaive"])
    assert panel is not None
    assert_same(read_panel(checked.data), panel)
    printed = done.output.partition("(foretide run):\n")[2].partition("\n\n")[0]
    assert read_yaml(printed)["data"] == read_yaml(config.read_text())["data"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a run on so little: one weekday among the cutoffs, short seasons
        planned = [] if whole else ["--dry-run"]
        ran = CliRunner().invoke(app, ["run", str(config), "--out", str(config.parent / "run"), *planned])
    assert ran.exit_code == 0, ran.output
    assert ("best of the baselines" in ran.output) == whole


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_configuration_reproduces_what_was_seen(name: str, tmp_path: Path) -> None:
    frame, arguments = TABLES[name]
    frame.to_csv(tmp_path / "table.csv", index=False)
    given = dict(zip(arguments[::2], arguments[1::2], strict=False)) if name != "gaps" else {}
    options = {"resample": given.get("--resample")} if "--resample" in given else {}
    options |= {"fill_gaps": True, "missing": "mask"} if name == "gaps" else {}
    roles = {k: given[f"--{k}"].split() for k in ("target", "past") if f"--{k}" in given}
    _, panel = examine(tmp_path / "table.csv", {"time": given.get("--time"), **_all_roles(roles)}, **options)
    reproduces(tmp_path / "table.csv", tmp_path / "config.yaml", arguments, panel, whole=name in RUN)


def _all_roles(given: dict[str, Any]) -> dict[str, Any]:
    return {role: given.get(role) for role in ("id", "target", "past", "future", "static")}


@pytest.mark.parametrize("name", ["new_shop", "staggered", "events", "integer_ids", "wide", "thousands", "europe"])
def test_the_configuration_reproduces_the_cases(name: str, tmp_path: Path) -> None:
    if not (CASES / f"{name}.csv").is_file():
        pytest.skip("the small inputs lie beside the repository, and are not here")
    _, panel = examine(CASES / f"{name}.csv", {"time": None, **_all_roles({})})
    reproduces(CASES / f"{name}.csv", tmp_path / "config.yaml", [], panel, whole=name in RUN)


def test_a_file_is_never_overwritten_silently(tmp_path: Path) -> None:
    table, config = tmp_path / "t.csv", tmp_path / "c.yaml"
    shop("a").to_csv(table, index=False)
    config.write_text("mine")
    with pytest.raises(ConfigError, match=r"c.yaml is there already. Name another file, or replace it: --overwrite"):
        raise check(table, "--write", config).exception or AssertionError("no error")
    assert config.read_text() == "mine"
    assert check(table, "--write", config, "--overwrite").exit_code == 0
    assert set(read_yaml(config.read_text())) == {"data"}  # what was not typed is left to the run
    before = table.read_text()
    with pytest.raises(ConfigError, match="is there already"):
        raise check(table, "--write", table, "--overwrite").exception or AssertionError("no error")
    assert table.read_text() == before
    with pytest.raises(ConfigError, match="cannot be written: "):
        raise check(table, "--write", table / "below" / "c.yaml").exception or AssertionError("no error")


def test_nothing_is_written_where_there_are_errors(tmp_path: Path) -> None:
    pd.concat([shop("a"), shop("a").iloc[:1]]).to_csv(tmp_path / "t.csv", index=False)
    done = check(tmp_path / "t.csv", "--write", tmp_path / "c.yaml")
    assert done.exit_code == 1
    assert "Series 'a': 1 time occurs more than once" in done.output
    assert "Ready" not in done.output
    assert not (tmp_path / "c.yaml").exists()


# ---------------------------------------------------------------- what models will do
def mixed() -> pd.DataFrame:
    late = pd.date_range(DAYS[-1] - pd.Timedelta(days=4), DAYS[-1])
    parts = [shop("a"), shop("b"), shop("new", late), shop("one", DAYS[-1:]), shop("ended", DAYS[:60])]
    return pd.concat(parts, ignore_index=True)


def test_every_series_is_spoken_of_beforehand(tmp_path: Path) -> None:
    mixed().to_csv(tmp_path / "t.csv", index=False)
    done = check(tmp_path / "t.csv", "--h", "7", "--models", "ridge,SeasonalNaive", "--input-size", "28")
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "1 of 5 series has one row: 'one' (2024-03-30, 1 row)." in text
    assert "1 of 5 series ends more than 7 steps before the others: 'ended' (2024-02-29, 60 rows)." in text
    assert "1 of 5 series is new: 'new' (2024-03-26, 5 rows)." in text
    assert "Ridge: 2 of 5 series have fewer than 28 rows and get a simple forecast instead: 'new'" in text
    assert "Ready to use (Ridge, SeasonalNaive, 7 steps)" in text


def test_what_is_said_is_what_happens() -> None:
    panel = Panel.from_frame(mixed(), id="shop", time="day", target="sales")
    said = look_ahead(panel, ["Ridge"], h=7, input_size=28)
    assert said.ready
    forecast = ft.Ridge(h=7, input_size=28).fit(panel).predict(panel)
    stood_in = {panel.ids[k] for note in forecast.notes if note.kind == "stand-in" for k in note.windows}
    (short,) = (p for p in said.problems if p.kind == "short")
    assert short.count == len(stood_in) == 2
    assert all(repr(name) in short.message for name in stood_in)
    assert np.isfinite(forecast.mean).all()


def test_a_shorter_lookback_is_said_and_happens() -> None:
    short = [shop(f"short{k}", DAYS[-n:]) for k, n in enumerate((40, 45, 50))]
    panel = Panel.from_frame(pd.concat(short), id="shop", time="day", target="sales")
    said = look_ahead(panel, ["Ridge"], h=5, input_size=60)
    (note,) = (p for p in said.problems if p.kind == "lookback")
    model = ft.Ridge(h=5, input_size=60)
    with pytest.warns(UserWarning, match="looks back at"):
        model.fit(panel)
    assert f"{model.min_history} are read instead" in note.message


def test_too_short_for_a_model_is_not_ready(tmp_path: Path) -> None:
    shop("a", DAYS[:12]).to_csv(tmp_path / "t.csv", index=False)
    done = check(tmp_path / "t.csv", "--h", "14", "--models", "Ridge,SeasonalNaive")
    assert done.exit_code == 1
    assert "Ridge: no series has" in done.output
    assert "Not ready for Ridge, SeasonalNaive, 14 steps." in done.output
    assert "Ready to use" not in done.output
    assert check(tmp_path / "t.csv", "--h", "3", "--models", "SeasonalNaive").exit_code == 0


@pytest.mark.parametrize("name", ["SeasonalNaive", "Ridge", "VAR", "LSTM", "LAVAR"])
def test_ready_means_that_fit_and_predict_go_through(name: str) -> None:
    outcomes = set()
    for lengths in ((4, 5), (8, 9), (16, 17, 3), (90, 12, 1)):
        parts = [shop(f"s{k}", DAYS[-n:]) for k, n in enumerate(lengths)]
        panel = Panel.from_frame(pd.concat(parts), id="shop", time="day", target="sales")
        ready = look_ahead(panel, [name], h=7).ready
        outcomes.add(ready)
        if ready:
            model = getattr(ft, name)(h=7, **({"epochs": 1} if name == "LSTM" else {}))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of short series
                forecast = model.fit(panel).predict(panel)
            assert np.isfinite(forecast.mean).all(), lengths
    assert True in outcomes


def test_a_column_known_ahead_without_a_future_is_said(tmp_path: Path) -> None:
    shop("a", promo=RNG.integers(0, 2, 90)).to_csv(tmp_path / "t.csv", index=False)
    done = check(tmp_path / "t.csv", "--future", "promo", "--models", "LSTM,Ridge")
    assert done.exit_code == 0
    text = " ".join(done.output.split())
    assert (
        "Column 'promo' is known ahead, but for 0 of the 14 steps after the end of 1 of 1 series; LSTM, Ridge "
        "cannot forecast beyond." in text
    )
    assert "or type: past='promo' (--past promo)." in text
    assert "Ready for backtests, not yet for a forecast" in text
    assert "Ready to use" in check(tmp_path / "t.csv", "--past", "promo", "--models", "LSTM").output
    done = check(tmp_path / "t.csv", "--future", "promo", "--models", "SeasonalNaive")
    assert "SeasonalNaive: no use is made of what is known ahead (promo)." in done.output
    assert "Ready to use" in done.output


def test_a_future_that_is_long_enough_is_enough() -> None:
    panel = Panel.from_frame(with_future(), id="shop", time="day", target="sales", future=["event"])
    assert look_ahead(panel, h=20).ready
    short = look_ahead(panel, h=25)
    assert not short.ready
    (warning,) = (p for p in short.problems if p.severity == "warning")
    assert "for 20 of the 25 steps after the end of 2 of 2 series" in warning.message
    assert "lower h to 20" in warning.fix


def test_models_are_looked_at_by_default_and_wrong_names_are_said(tmp_path: Path) -> None:
    shop("a").to_csv(tmp_path / "t.csv", index=False)
    assert f"Ready to use ({', '.join(USUAL)}, 14 steps)" in check(tmp_path / "t.csv").output
    for models, text in (("Rigde", "no forecaster 'Rigde'. Did you mean 'Ridge'"), (",", "no forecaster ','"),
                         ("PerEntity", "PerEntity needs settings .* name them in the configuration")):  # fmt: skip
        with pytest.raises(ConfigError, match=text):
            raise check(tmp_path / "t.csv", "--models", models).exception or AssertionError("no error")
