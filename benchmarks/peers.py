"""The same work by foretide and by its peers, in one run, on one thread, on the same series.

Makes an environment of its own (a temporary folder, or ``--environment FOLDER``, which is kept and used again) with
foretide, neuralforecast, darts, statsforecast and mlforecast, and runs itself there. A package that cannot be installed
is left out, and the result says so. 100 series of 1,000 days with a weekly season and noise, 14 days ahead:

- ``lstm_step``: one training step of an LSTM, 32 wide, one layer, lookback 56, 64 windows, Adam: the difference of two
  fits divided by the steps between them, so that starts do not count. foretide's and neuralforecast's have a decoder
  (foretide's feeds its forecasts back), that of darts has none; calendar columns, which the peers do not read, and
  corrections of single steps, which foretide trains beside it by default, are left out.
- ``windows``: 10,000 forecasts (100 origins of each series) of the fitted LSTM.
- ``backtest``: 100 folds, one day apart, of a ridge regression on 28 lags that is fitted once.
- ``seasonal``: the same folds of seasonal naive, seasonal mean and seasonal exponential smoothing. darts has the first
  alone and is asked for that.

Processor seconds, medians over repetitions in which all take turns; ``ratio``: a peer's seconds over foretide's in the
same repetition, the median.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ("neuralforecast", "darts", "statsforecast", "mlforecast")
N, T, H, SEASON, LOOKBACK, FOLDS = 100, 1000, 14, 7, 56, 100
Timed = Callable[[], object]


def prepared(folder: Path) -> Path:
    """Make or complete the environment; return its Python."""
    if not (folder / "pyvenv.cfg").exists():
        venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [str(python), "-m", "pip", "install", "--quiet", "torch==2.13.0"]
    for wanted in (["-e", str(ROOT)], *([peer] for peer in PEERS)):
        done = subprocess.run([*pip, *wanted], check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"{wanted[-1]} is left out: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return python


def long_frame():
    """100 daily series with a weekly season and noise, by id and day."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    level, swing = rng.uniform(20, 50, (N, 1)), rng.uniform(0, 10, (N, 1))
    y = level + swing * np.sin(2 * np.pi * np.arange(T) / SEASON) + rng.normal(size=(N, T))
    ids = np.repeat([f"s{i:03d}" for i in range(N)], T)
    days = np.tile(pd.date_range("2022-01-01", periods=T), N)
    return pd.DataFrame({"unique_id": ids, "ds": days, "y": y.ravel().astype("float32")})


def ours(frame: object, steps: int) -> dict[str, Timed]:
    """foretide."""
    import foretide as ft

    panel = ft.Panel.from_frame(frame)
    last = panel.grid.output_times(range(T - H - FOLDS, T - H))
    until = panel.grid.output_times([T - H - FOLDS])[0]
    settings = {"input_size": LOOKBACK, "hidden": 32, "layers": 1, "batch_size": 64, "patience": None,
                "by_step": False, "calendar": None}  # fmt: skip

    def fitted(n: int) -> object:
        return ft.LSTM(H, epochs=1, steps_per_epoch=n, **settings).fit(panel, until=until)

    model = cache(lambda: fitted(1))
    simple = [ft.SeasonalNaive(H, SEASON), ft.SeasonalMean(H, SEASON, 4), ft.SeasonalES(H, SEASON, 0.3)]

    def folds(models: list) -> object:
        return ft.backtest(models, panel, h=H, step=1, n_windows=FOLDS, baselines=False)

    return {
        "lstm_step": lambda: fitted(steps), "lstm_step base": lambda: fitted(1),
        "windows": lambda: model().predict(panel, cutoffs=last),
        "backtest": lambda: folds([ft.Ridge(H, input_size=28)]), "seasonal": lambda: folds(simple),
    }  # fmt: skip


def of_neuralforecast(frame: object, steps: int) -> dict[str, Timed]:
    """neuralforecast: each window as a series of its own."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM
    from pandas import concat

    quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False,
             "enable_model_summary": False, "accelerator": "cpu"}  # fmt: skip

    def fitted(n: int) -> NeuralForecast:
        model = LSTM(
            h=H, input_size=LOOKBACK, encoder_n_layers=1, encoder_hidden_size=32, decoder_layers=1,
            decoder_hidden_size=32, max_steps=n, batch_size=N, windows_batch_size=64, val_check_steps=10**6,
            inference_windows_batch_size=1024, **quiet,
        )  # fmt: skip
        made = NeuralForecast([model], freq="D")
        made.fit(frame, val_size=0)
        return made

    made, begins = cache(lambda: fitted(1)), range(T - H - FOLDS - LOOKBACK + 1, T - H - LOOKBACK + 1)
    parts = [frame.groupby("unique_id").nth(slice(low, low + LOOKBACK)) for low in begins]
    windows = concat([part.assign(unique_id=part["unique_id"] + f"/{k:03d}") for k, part in enumerate(parts)])
    return {"lstm_step": lambda: fitted(steps), "lstm_step base": lambda: fitted(1),
            "windows": lambda: made().predict(windows)}  # fmt: skip


def of_darts(frame: object, steps: int) -> dict[str, Timed]:
    """darts: windows and folds by ``historical_forecasts`` without training again."""
    from darts import TimeSeries
    from darts.models import BlockRNNModel, LinearRegressionModel, NaiveSeasonal

    series = TimeSeries.from_group_dataframe(
        frame, group_cols="unique_id", time_col="ds", value_cols="y", freq="D", drop_group_cols="unique_id"
    )
    part = [one[: T - H - FOLDS + 1] for one in series]
    quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False,
             "enable_model_summary": False, "accelerator": "cpu"}  # fmt: skip

    def fitted(n: int) -> BlockRNNModel:
        model = BlockRNNModel(
            LOOKBACK, H, model="LSTM", hidden_dim=32, n_rnn_layers=1, batch_size=64, n_epochs=1,
            pl_trainer_kwargs={**quiet, "max_steps": n, "max_epochs": -1},
        )  # fmt: skip
        model.fit(part)
        return model

    def folds(model: object, **options: object) -> object:
        return model.historical_forecasts(
            series, start=-(FOLDS + H - 1), start_format="position", forecast_horizon=H, stride=1, verbose=False,
            last_points_only=False, **options,
        )  # fmt: skip

    made = cache(lambda: fitted(1))

    def regression() -> object:
        model = LinearRegressionModel(lags=28, output_chunk_length=H)
        return folds(model.fit(part), retrain=False)

    return {
        "lstm_step": lambda: fitted(steps), "lstm_step base": lambda: fitted(1),
        "windows": lambda: folds(made(), retrain=False), "backtest": regression,
        "seasonal": lambda: folds(NaiveSeasonal(SEASON), retrain=True),
    }  # fmt: skip


def of_statsforecast(frame: object, steps: int) -> dict[str, Timed]:
    """statsforecast: folds by ``cross_validation``."""
    from statsforecast import StatsForecast
    from statsforecast.models import SeasonalExponentialSmoothing, SeasonalNaive, SeasonalWindowAverage

    models = [SeasonalNaive(SEASON), SeasonalWindowAverage(SEASON, 4), SeasonalExponentialSmoothing(SEASON, 0.3)]
    folds = StatsForecast(models, freq="D", n_jobs=1)
    return {"seasonal": lambda: folds.cross_validation(df=frame, h=H, step_size=1, n_windows=FOLDS)}


def of_mlforecast(frame: object, steps: int) -> dict[str, Timed]:
    """mlforecast: folds by ``cross_validation`` of scikit-learn's ridge regression, fitted once."""
    from mlforecast import MLForecast
    from sklearn.linear_model import Ridge

    def folds() -> object:
        model = MLForecast({"ridge": Ridge()}, freq="D", lags=list(range(1, 29)), num_threads=1)
        return model.cross_validation(frame, n_windows=FOLDS, h=H, step_size=1, refit=False)

    return {"backtest": folds}


def seconds(work: Timed) -> float:
    """Processor seconds of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measured(repeats: int, steps: int, only: list[str]) -> list[dict]:
    """Run all operations, packages taking turns."""
    frame = long_frame()
    makers = {"foretide": ours, "neuralforecast": of_neuralforecast, "darts": of_darts,
              "statsforecast": of_statsforecast, "mlforecast": of_mlforecast}  # fmt: skip
    works = {name: maker(frame, steps) for name, maker in makers.items() if find_spec(name)}
    rows: list[dict] = []
    for operation in only:
        spent: dict[str, list[float]] = {name: [] for name, own in works.items() if operation in own}
        for name in spent:
            works[name][operation]()  # compiled functions and imports are no part of the work
        for _ in range(repeats):
            for name, taken in spent.items():
                base = works[name].get(f"{operation} base")
                once = seconds(works[name][operation])
                taken.append((once - seconds(base)) / (steps - 1) if base else once)
        for name, taken in spent.items():
            ratio = statistics.median(a / b for a, b in zip(taken, spent["foretide"], strict=True))
            rows.append({"operation": operation, "package": name, "version": version(name),
                         "cpu_s": statistics.median(taken), "ratio": ratio, "repeats": repeats})  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Make the environment, or measure inside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=301)
    parser.add_argument("--only", nargs="*", default=["lstm_step", "windows", "backtest", "seasonal"])
    chosen = parser.parse_args()
    if not chosen.inside:
        with tempfile.TemporaryDirectory() as folder:
            python = prepared(chosen.environment or Path(folder))
            one = dict.fromkeys(
                ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
            )
            subprocess.run([str(python), __file__, *sys.argv[1:], "--inside"], check=True, env={**os.environ, **one})
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import torch
    from common import RESULTS, save
    from pandas import DataFrame, read_csv

    torch.set_num_threads(1)
    rows = measured(chosen.repeats, chosen.steps, chosen.only)
    missing = [peer for peer in PEERS if not _installed(peer)]
    file = RESULTS / "peers.csv"
    before = read_csv(file) if file.exists() else DataFrame({"operation": []})
    others = before[~before["operation"].isin([*chosen.only, "left out"])].to_dict("records")
    save("peers", [*others, *rows, *({"operation": "left out", "package": peer} for peer in missing)], 1)


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    main()
