"""The cases of ``../shared/cases/README.md``, each as a function that says whether the answer is right."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import real_data

import foretide as ft
from foretide.data.reading.checks import inspect
from foretide.errors import ForetideError

Check = Callable[[], bool]
CASES: dict[tuple[int, str], Check] = {}
NET = {"hidden": 16, "epochs": 1}


def case(kind: int, name: str) -> Callable[[Check], Check]:
    """Put a check on the list."""
    return lambda check: CASES.setdefault((kind, name), check)


def file(name: str) -> str:
    return str(real_data().parent / "cases" / name)


def refused(act: Callable[[], Any], *words: str) -> bool:
    """Whether an act ends in one of foretide's errors that holds all the words."""
    try:
        act()
    except ForetideError as error:
        return all(word in str(error) for word in words)
    return False


def one_of(y: Any, start: str = "2023-01-02", freq: str = "D", **columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"unique_id": "a", "ds": pd.date_range(start, periods=len(y), freq=freq), "y": np.asarray(y, float), **columns}
    )


def panel_of(frame: pd.DataFrame, **options: Any) -> ft.Panel:
    return ft.Panel.from_frame(frame, **options)


def equal(model: Any, whole: ft.Panel, *others: ft.Panel) -> bool:
    """Whether the last forecast is the same from other tables."""
    wanted = model.predict(whole).mean
    return all(np.allclose(model.predict(other).mean, wanted, rtol=0, atol=1e-5 * wanted.std()) for other in others)


# ---------------------------------------------------------------- 1
@case(1, "networks from a table without its first rows")
def _() -> bool:
    panel = ft.synthetic.hourly(T=1000, n_series=3, seed=42).panel
    frame = panel.to_frame()
    roles = {"target": panel.targets, "past": panel.past, "future": panel.future, "freq": "h"}
    roles |= {"time": frame.columns[0], "id": None} if panel.ids == ("",) else {}
    parts = [ft.Panel.from_frame(frame.iloc[k:], **roles) for k in (5, len(frame) - 200)]
    models = (ft.LSTM(h=10, **NET), ft.Attention(h=10, **NET))
    return all(equal(model.fit(panel), panel, *parts) for model in models)


@case(1, "AutoETS from a table without its first rows")
def _() -> bool:
    y = 50 + 20 * np.sin(2 * np.pi * np.arange(500) / 7) + np.random.default_rng(0).normal(size=500)
    panel = panel_of(one_of(y), freq="D")
    model = ft.Stats("AutoETS", season=7, h=7).fit(panel)
    return equal(model, panel, *(panel_of(one_of(y).iloc[k:], freq="D") for k in (1, 3)))


# ---------------------------------------------------------------- 2
@case(2, "new_shop.csv")
def _() -> bool:
    panel = ft.Panel.read(file("new_shop.csv"), id="shop", time="day", target="sales", past=["promo"])
    with tempfile.TemporaryDirectory() as folder:
        data = {"path": file("new_shop.csv"), "id": "shop", "time": "day", "target": "sales", "past": ["promo"]}
        done = ft.run({"name": "shops", "data": data, "h": 7, "models": [{"Ridge": {}}]}, output=Path(folder) / "run")
        finished = done.status == "finished"
    good = finished and "newcomer" in str(inspect(file("new_shop.csv"), h=7))
    for model in (ft.Ridge(h=7), ft.LSTM(h=7, **NET), ft.Attention(h=7, **NET), ft.LAVAR(h=7, epochs=1, head_epochs=1)):
        told = model.fit(panel).predict(panel).note_texts()
        stands_in = "forecast by" in told[3]
        good &= not any("forecast by" in text for text in told[:3]) and len(told) == 4 and stands_in
    return good


@case(2, "staggered.csv")
def _() -> bool:
    panel = ft.Panel.read(file("staggered.csv"))
    models = (ft.WithIntervals(ft.Ridge(h=7)), ft.LSTM(h=7, **NET, head="gaussian"), ft.LAVAR(h=7, epochs=1))
    found = [model.fit(panel).predict(panel, levels=(80,)) for model in models]
    return all(len(f.mean) == 3 and np.isfinite(f.quantiles).all() and not any(f.note_texts()) for f in found)


@case(2, "a shop that was not there at fit")
def _() -> bool:
    rng, days = np.random.default_rng(0), np.arange(400)
    frame = pd.concat(
        [one_of(30 + 10 * k + 9 * np.sin(2 * np.pi * days / 7) + rng.normal(size=400)).assign(unique_id=name)
         for k, name in enumerate("ABCD")]
    )  # fmt: skip
    learned, whole = (panel_of(part, freq="D") for part in (frame[frame.unique_id != "D"], frame))
    models = (
        ft.Ridge(h=7), ft.LSTM(h=7, **NET), ft.Attention(h=7, **NET), ft.LAVAR(h=7, epochs=1), ft.CalendarES(h=7),
        ft.WithIntervals(ft.Ridge(h=7)), ft.Conformal(ft.CalendarES(h=7)), ft.Ensemble([ft.Ridge(h=7), ft.Drift(h=7)]),
        ft.PerEntity(ft.Ridge(h=7)),
    )  # fmt: skip
    return all(abs(model.fit(learned).predict(whole).mean[3].mean() - 60) < 6 for model in models)


# ---------------------------------------------------------------- 3
@case(3, "a static text column")
def _() -> bool:
    rng = np.random.default_rng(0)
    frame = pd.concat(
        [one_of(rng.normal(20 * k, 1, 200)).assign(unique_id=f"s{k}", region=region) for k, region in enumerate("ABC")]
    )
    panel = panel_of(frame, freq="D", static=["region"])
    model = ft.LSTM(h=7, **NET).fit(panel)
    alone = panel_of(frame[frame.region == "C"], freq="D", static=["region"])
    other = panel_of(frame.rename(columns={"region": "size"}), freq="D", static=["size"])
    return np.allclose(model.predict(panel).mean[2], model.predict(alone).mean[0], rtol=1e-5) and refused(
        lambda: model.predict(other), "region", "size"
    )


@case(3, "events.csv")
def _() -> bool:
    panel = ft.Panel.read(file("events.csv"), future=["event"])
    model = ft.CalendarES(h=7).fit(panel, until="2023-11-30")
    factors = model.factors().iloc[:, 0]
    payday, delivery = (
        10 * (float(factors[factors.index.str.contains(n)].iloc[0]) - 1) for n in ("payday", "delivery")
    )
    others = (ft.Ridge(h=7), ft.LSTM(h=7, **NET), ft.LAVAR(h=7, epochs=1))
    finite = all(
        np.isfinite(m.fit(panel, until="2023-11-30").predict(panel, ["2023-12-20"]).mean).all() for m in others
    )
    return abs(payday - 20) < 4 and abs(delivery + 8) < 3 and finite


@case(3, "a promotion known ahead")
def _() -> bool:
    rng = np.random.default_rng(0)
    promo = (rng.random(307) < 0.2).astype(float)
    frame = one_of(20 + 10 * promo + rng.normal(size=307), promo=promo)
    frame.loc[300:, "y"] = np.nan
    with_it = panel_of(frame, freq="D", future=["promo"])
    uses = (ft.ARIMA(h=7), ft.Stats("AutoARIMA", h=7), ft.Ridge(h=7), ft.CalendarES(h=7))
    follow = [np.corrcoef(m.fit(with_it).predict(with_it).mean[0, :, 0], promo[300:])[0, 1] for m in uses]
    told = ft.SeasonalNaive(h=7).fit(with_it).predict(with_it).note_texts()[0]
    return min(follow) > 0.8 and "does not use promo" in told


# ---------------------------------------------------------------- 4
@case(4, "resampling to months")
def _() -> bool:
    days = one_of(np.where(np.arange(60) < 29, 2.0, 3.0), "2024-02-01")
    found = panel_of(days, resample="ME").to_frame()
    summed = panel_of(days, resample="ME", aggregate="sum").to_frame()
    return found.y.tolist() == [2, 3] and str(found.ds.iloc[0])[:10] == "2024-02-29" and summed.y.tolist() == [58, 93]


@case(4, "months in a zone")
def _() -> bool:
    return str(panel_of(one_of(range(4), "2024-01-01", "MS").assign(
        ds=pd.date_range("2024-01-01", periods=4, freq="MS", tz="Europe/Berlin"))).grid.freq) == "MS"  # fmt: skip


@case(4, "fixed_offset.parquet")
def _() -> bool:
    panel = ft.Panel.read(file("fixed_offset.parquet"))
    return bool(repr(panel)) and len(ft.Drift(h=3).fit(panel).predict(panel).to_frame()) == 3


@case(4, "year_2270.parquet")
def _() -> bool:
    try:
        return "2270" in str(ft.Panel.read(file("year_2270.parquet")).to_frame().ds.iloc[0])
    except ForetideError as error:
        return "2270-01-01" in str(error)


@case(4, "a row off the grid, an ambiguous date")
def _() -> bool:
    frame = one_of(range(6))
    frame.loc[3, "ds"] += pd.Timedelta(hours=12)
    panel = panel_of(one_of(range(200)))
    return refused(lambda: panel_of(frame, fill_gaps=True)) and refused(
        lambda: ft.Drift(h=3).fit(panel, until="05/06/2023"), "05/06/2023"
    )


# ---------------------------------------------------------------- 5
@case(5, "europe.csv, thousands.csv")
def _() -> bool:
    europe = ft.Panel.read(file("europe.csv"), id="Filiale", time="Datum", target="Umsatz", past=["Aktion"])
    thousands = ft.Panel.read(file("thousands.csv"), id="shop", time="day", target="sales", past=["promo"])
    guessed = inspect(file("thousands.csv")).roles["target"] == ("sales",)
    one_line = europe.origin is not None and "\n" not in europe.origin.text()
    first = str(europe.to_frame().Datum.iloc[1])[:10]
    large = 1000 < europe.values[0, 0] < 1100 and thousands.values[0, 0] > 2000
    return large and first == "2023-01-03" and guessed and one_line


@case(5, "exponent.csv")
def _() -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "foretide", "check", file("exponent.csv")], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    return done.returncode == 1 and "1e29984191646" in said and "Traceback" not in said


@case(5, "several ids, frames with an index, ids like NA")
def _() -> bool:
    frame = pd.concat([one_of(range(9)).assign(store=s, item=i) for s in "ns" for i in ("NA", "007")])
    frame = frame.drop(columns="unique_id")
    several = ft.Panel.from_frame(frame, id=["store", "item"])
    indexed = ft.Panel.from_frame(frame.set_index(["store", "item", "ds"]), id=["store", "item"])
    return several.n_entities == indexed.n_entities == 4 and several.ids[0] == "n/NA"


@case(5, "levels and quantiles")
def _() -> bool:
    panel = panel_of(one_of(np.random.default_rng(0).normal(9, 1, 90)))
    model = ft.ARIMA(h=3).fit(panel)
    columns = set(model.predict(panel, levels=80, quantiles=(0.1, 0.5, 0.9)).to_frame().columns)
    wanted = {"ARIMA-lo-80", "ARIMA-hi-80", "ARIMA-ql0.1", "ARIMA-ql0.5", "ARIMA-ql0.9"}
    return refused(lambda: model.predict(panel, levels=(0.8, 0.95)), "80", "95") and wanted <= columns


# ---------------------------------------------------------------- 6
@case(6, "integer_ids.csv, one_duplicate.csv, wide.csv")
def _() -> bool:
    ids, twice, wide = (inspect(file(f"{name}.csv")) for name in ("integer_ids", "one_duplicate", "wide"))
    shop = ids.roles["id"] == twice.roles["id"] == ("shop",)
    return shop and wide.entities == 3 and any(p.kind == "duplicate" for p in twice.problems)


@case(6, "a promotion without rows after the end; counts")
def _() -> bool:
    from foretide.data.counts import count_like

    said = str(inspect(file("new_shop.csv")))
    rng = np.random.default_rng(0)
    many, large = (panel_of(one_of(y)) for y in (rng.poisson(35, 200), rng.normal(1e12, 1e11, 200).round()))
    return "no values after the end" in said and not count_like(many).any() and not count_like(large).any()


# ---------------------------------------------------------------- 7
@case(7, "aliases and subclasses")
def _() -> bool:
    class Mine(ft.Persistence):
        pass

    class VAR(ft.LSTM):
        pass

    panel = panel_of(one_of(20 + np.random.default_rng(0).normal(size=120)))
    models = [
        ft.LSTM(h=3, alias="Ridge", **NET),
        ft.Ridge(h=3, alias="ridge48"),
        ft.SeasonalNaive(h=3, alias="naive24"),
    ]
    cutoff = panel.grid.output_times(np.array([110]))[0]
    scores = ft.score([model.fit(panel, until=cutoff).predict(panel, [cutoff]) for model in models])
    return scores.best_model == "Ridge" and Mine(3).baseline and VAR(h=3, **NET).neural and not VAR(h=3, **NET).baseline


# ---------------------------------------------------------------- 8
@case(8, "VAR after many zeros")
def _() -> bool:
    panel = panel_of(one_of(np.concatenate([np.zeros(130), np.random.default_rng(0).poisson(5, 20)])))
    found = ft.VAR(h=7).fit(panel).predict(panel, levels=(80,))
    return bool((np.abs(found.mean - 5) < 4).all() and (np.abs(found.quantiles) < 25).all())


@case(8, "a silent series that sells; a base of zero; 1e300")
def _() -> bool:
    rng, ds = np.random.default_rng(0), np.arange(300)
    silent = np.where(ds < 260, 0, rng.poisson(10, 300))
    frame = pd.concat([one_of(silent), *(one_of(rng.poisson(9, 300)).assign(unique_id=k) for k in "bc")])
    panel, until = panel_of(frame, freq="D"), "2023-09-18"
    nets = [m(h=7, head="nb", input_size=28, **NET).fit(panel, until=until) for m in (ft.LSTM, ft.Attention)]
    awake = all(abs(net.predict(panel).mean[0].mean() - 10) < 3 for net in nets)
    zero = panel_of(one_of(np.append(rng.poisson(10, 200), 0)))
    lavar = ft.LAVAR(h=7, base="last").fit(zero).predict(zero).mean
    huge = panel_of(one_of([*rng.normal(9, 1, 100), 1e300, *rng.normal(9, 1, 20)]))
    found = ft.ARIMA(h=3).fit(huge).predict(huge)
    return awake and lavar.max() > 0 and np.isfinite(found.mean).all()


@case(8, "empty rows at the end are not filled forward")
def _() -> bool:
    panel = panel_of(one_of([*range(20), *[np.nan] * 5]), freq="D", missing="ffill")
    return int(panel.observed[0]) == 20


# ---------------------------------------------------------------- 9
def _config(**more: Any) -> dict[str, Any]:
    data = {"path": file("new_shop.csv"), "id": "shop", "time": "day", "target": "sales", "past": ["promo"]}
    return {"name": "shops", "data": data, "h": 7, "models": [{"SeasonalNaive": {}}], **more}


@case(9, "a folder beside the run's")
def _() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "out.previous"
        own.mkdir()
        (own / "mine.txt").write_text("mine")
        ft.run(_config(), output=Path(folder) / "out")
        return (own / "mine.txt").read_text() == "mine"


@case(9, "names that share a folder, names that leave it")
def _() -> bool:
    models = [{"Ridge": {"alias": "A/B"}}, {"SeasonalNaive": {"alias": "A-B"}}]
    with tempfile.TemporaryDirectory() as folder:
        try:
            kept = ft.run(_config(models=models), output=Path(folder) / "out")
            apart = len({p.name for p in (Path(kept.path) / "models").iterdir()}) >= 2
        except ForetideError:
            apart = not (Path(folder) / "out").exists()
    return apart and refused(lambda: ft.run(_config(name="../../x")))


@case(9, "a place that cannot be written")
def _() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "taken").write_text("a file, no folder")
        return refused(lambda: ft.run(_config(), output=Path(folder) / "taken" / "run"), "taken")
