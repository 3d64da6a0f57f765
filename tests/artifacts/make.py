"""Make the saved forecasters of this version that the tests load for ever, and what they forecast.

    python tests/artifacts/make.py

It writes a folder of the version beside itself: ``table.csv``, a saved forecaster per case, and ``expected.json`` with
their forecasts. It refuses a version that is there: what a released foretide wrote is never written again.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import foretide as ft
from foretide.forecasters.base import Forecaster
from foretide.forecasters.table import FORECASTERS, forecaster_class

H, ROWS = 3, 56
HERE = Path(__file__).parent
FURTHER: dict[str, tuple[str, dict[str, Any]]] = {
    "Attention-gaussian": ("Attention", {"head": "gaussian"}),
    "LSTM-nb": ("LSTM", {"head": "nb", "calendar": "auto", "known": "on"}),
    "LSTM-base": ("LSTM", {"level": "base"}),
    "LAVAR-gaussian": ("LAVAR", {"heads": ("gaussian",) * 3}),
    "Theta": ("Stats", {"model": "Theta"}),
    "CalendarES-de": ("CalendarES", {"calendar": {"features": ["weekday"], "country": "DE"}}),
    "Ensemble-networks": ("Ensemble", {"models": [{"VAR": {"order": 1}}, {"LSTM": {"epochs": 1, "hidden": 4}}]}),
    "Conformal-adaptive": ("Conformal", {"method": "adaptive"}),
    "PerEntity-VAR": ("PerEntity", {"model": {"VAR": {"order": 1}}}),
    "Sklearn": ("Sklearn", {"model": "LinearRegression", "input_size": 7}),
}


def table() -> pd.DataFrame:
    """Return two shops with a week, a promotion known ahead, a text column, a gap, and three days to come."""
    rng, parts = np.random.default_rng(7), []
    for k, shop in enumerate(("Köln", "Ulm")):
        days = np.arange(ROWS + H)
        sold = np.rint(20 + 6 * k + 5 * np.sin(2 * np.pi * days / 7) + 2 * rng.normal(size=len(days)))
        promo = (days % 9 == 4).astype(int)
        weather = np.where(rng.random(len(days)) < 0.4, "rain", "dry")
        frame = pd.DataFrame({
            "unique_id": shop, "ds": pd.date_range("2024-01-01", periods=len(days)), "y": sold + 4 * promo,
            "weather": weather, "promo": promo,
        })  # fmt: skip
        frame.loc[frame.index[-H:], ["y", "weather"]] = None
        parts.append(frame)
    whole = pd.concat(parts, ignore_index=True)
    whole.loc[11, "y"] = None
    return whole


def read(path: Path) -> ft.Panel:
    """Return the table of a version as a panel."""
    return ft.Panel.read(path, id="unique_id", past="weather", future="promo", missing="mask")


def made(name: str, settings: dict[str, Any]) -> Forecaster:
    """Return an unfitted forecaster, quick but for these settings."""
    kind = forecaster_class(name)
    return kind(**{"h": H, **kind.quick, **settings})


def figures(model: Forecaster, panel: ft.Panel) -> dict[str, Any]:
    """Return what a model forecasts, rounded to what a file can show."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forecast = model.predict(panel, levels=80)
    found = {"mean": forecast.mean} | ({} if forecast.quantiles is None else {"quantiles": forecast.quantiles})
    return {name: [float(f"{value:.9g}") for value in array.reshape(-1)] for name, array in found.items()}


def main() -> None:
    folder = HERE / ".".join(ft.__version__.split(".")[:2])
    if (folder / "expected.json").exists():
        sys.exit(f"{folder} is there. Files of a version are never made again.")
    folder.mkdir(exist_ok=True)
    table().to_csv(folder / "table.csv", index=False)
    panel, expected = read(folder / "table.csv"), {}
    for case, (name, settings) in ({name: (name, dict[str, Any]()) for name in FORECASTERS} | FURTHER).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = made(name, settings).fit(panel)
        model.save(folder / case)
        expected[case] = figures(model, panel)
    lines = [f"{json.dumps(case)}: {json.dumps(found)}" for case, found in expected.items()]
    (folder / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
