"""What comes next: a run and a backtest keep the winner's forecast from the end of the table, and the page shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.jobs import contents, run_backtest
from foretide.jobs.ahead import future_table
from foretide.jobs.folder import RunFolder
from foretide.report.content import Content, Future
from foretide.report.sections import report_of

H = 5


def table(*, known_ahead: int = 0) -> pd.DataFrame:
    """Return two shops, integer ids, whose sales follow a promotion; the last rows know the promotion only."""
    rng, n = np.random.default_rng(2), 90
    days = pd.date_range("2024-01-01", periods=n + known_ahead, freq="D")
    parts = []
    for shop in (11, 12):
        promo = (rng.random(len(days)) < 0.3).astype(int)
        sold = shop + 10.0 * promo + rng.normal(0, 0.5, len(days))
        sold[n:] = np.nan
        parts.append(pd.DataFrame({"shop": shop, "day": days, "sold": sold, "promo": promo}))
    return pd.concat(parts, ignore_index=True)


def config(path: Path, frame: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    frame.to_csv(path, index=False)
    data = {"path": str(path), "id": "shop", "time": "day", "target": "sold", "future": ["promo"]}
    return {"name": "shops", "h": H, "input_size": 14, "models": ["Ridge"], "data": data, "explain": False, **changes}


def content_of(folder: Path) -> Content:
    found = contents.read_content(RunFolder(folder))
    assert isinstance(found, Content)
    return found


def ahead_of(folder: Path) -> Future:
    found = content_of(folder).future
    assert found is not None
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ahead")
    return ft.run(config(place / "sales.csv", table(known_ahead=H)), output=place / "run").path


def test_a_run_keeps_what_its_winner_says_of_the_future(run: Path) -> None:
    ahead = ahead_of(run)
    assert ahead.model == content_of(run).ranked[0] == "Ridge"
    panel = ft.Panel.read(run.parent / "sales.csv", id="shop", time="day", target="sold", future=["promo"])
    forecast = ft.load(run / "models" / "Ridge").predict(panel)
    assert ahead.table["mean"].to_numpy() == pytest.approx(forecast.mean.reshape(-1))
    assert ahead.table["series"].tolist() == ["11"] * H + ["12"] * H
    assert ahead.table["time"].min() == pd.Timestamp("2024-03-31")  # the day after the last one that was sold on
    assert ahead.history.groupby("series")["time"].max().tolist() == [pd.Timestamp("2024-03-30")] * 2
    sold = table(known_ahead=H).dropna()
    part = ahead.history[ahead.history["series"] == "12"]
    assert part["y"].to_numpy() == pytest.approx(sold[sold["shop"] == 12]["sold"].to_numpy()[-len(part) :])
    assert ahead.fitted_until == content_of(run).facts["parts"]["val_until"].removesuffix(" 00:00:00")


def test_the_numbers_are_a_csv_and_the_page_offers_them(run: Path) -> None:
    numbers = pd.read_csv(run / "forecast.csv")
    assert numbers.columns[:4].tolist() == ["shop", "day", "cutoff", "Ridge"]
    assert numbers["Ridge"].to_numpy() == pytest.approx(ahead_of(run).table["mean"].to_numpy())
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.index('<section id="future"') < page.index('<section id="summary"') < page.index('<section id="data"')
    assert "Download the numbers (CSV)" in page
    summary = (run / "summary.md").read_text(encoding="utf-8")
    assert summary.index("## What comes next") < summary.index("## Verdict")
    assert "![What comes next](future.png)" in summary


def test_without_values_that_are_known_ahead_there_is_a_note_instead(tmp_path: Path) -> None:
    folder = ft.run(config(tmp_path / "sales.csv", table()), output=tmp_path / "run").path
    found = content_of(folder)
    assert found.future is None
    report = report_of(found)
    assert report.sections[0].id == "summary"
    (note,) = [fact for fact in report.sections[-1].facts if "from the end of the table" in fact]
    assert note.startswith("Note: Ridge cannot forecast from the end of the table. Known-future column 'promo'")
    assert "cannot forecast from the end" in (folder / "run.log").read_text()
    assert not (folder / "forecast.csv").exists()


def test_a_backtest_looks_ahead_with_the_last_fit_of_a_winner_that_was_asked_for(tmp_path: Path) -> None:
    folds = {"n_windows": 4, "step": 3, "refit": False}
    asked = config(tmp_path / "sales.csv", table(known_ahead=H), backtest=folds)
    folder = run_backtest(asked, output=tmp_path / "won").path
    ahead = ahead_of(folder)
    assert ahead.model == "Ridge"
    assert ahead.fitted_until == content_of(folder).facts["folds"]["first_cutoff"]  # one fit for all folds
    lost = run_backtest({**asked, "models": ["Drift"], "baselines": True}, output=tmp_path / "lost").path
    assert content_of(lost).ranked[0] != "Drift"  # a baseline that is not kept
    assert content_of(lost).future is None
    assert "future" not in json.loads((lost / "run.json").read_text())


def test_several_targets_of_an_entity_stand_by_series() -> None:
    made = ft.synthetic.hourly(T=200, n_series=2, seed=3)
    panel = ft.Panel.from_wide(made.panel.to_frame(), time="ds", target=["x1", "x2"])
    forecast = ft.WithIntervals(ft.SeasonalNaive(h=3, season=24)).fit(panel).predict(panel, levels=(50, 90))
    found = future_table(forecast)
    assert found.columns.tolist() == ["series", "time", "mean", "lo-50", "hi-50", "lo-90", "hi-90"]
    assert found["series"].tolist() == ["x1"] * 3 + ["x2"] * 3
    assert found["mean"].tolist() == forecast.mean[0].T.reshape(-1).tolist()
    assert found["lo-90"].tolist() == forecast.quantile(0.05)[0].T.reshape(-1).tolist()
