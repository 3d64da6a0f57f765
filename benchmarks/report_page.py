"""Size of the report as one page, seconds to write it, and to open it in Chromium.

Folders of the full demos, and of a backtest of 40 series with two networks. Each page is opened cold (a new browser)
several times: until the load event, until the pictures in view are drawn, until all are; medians. Needs selenium,
chromium, chromedriver.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import arguments, save

import foretide as ft
from foretide.cli.demo import demo_config, supplies_config
from foretide.jobs import run_backtest
from foretide.jobs.reporting import write_report

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,900")


def many_series(folder: Path) -> Path:
    """Backtest Attention and LSTM beside the baselines on 40 hourly series."""
    t, rng = np.arange(900), np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=len(t), freq="h")
    parts = [
        pd.DataFrame({
            "unique_id": f"series {k:02d}", "ds": times,
            "y": 20 + k + 5 * np.sin(2 * np.pi * (t + k) / 24) + rng.normal(0, 1, len(t)),
        })
        for k in range(40)
    ]  # fmt: skip
    pd.concat(parts).to_parquet(folder / "many.parquet", index=False)
    config = {
        "name": "many", "h": 24, "input_size": 96, "data": {"path": str(folder / "many.parquet"), "id": "unique_id"},
        "models": [{"Attention": {"epochs": 2}}, {"LSTM": {"epochs": 2, "head": "gaussian"}}],
        "backtest": {"n_windows": 12},
    }  # fmt: skip
    return run_backtest(config, output=folder / "many").path


def opened(page: Path) -> tuple[float, float, float, int]:
    """Seconds to the load event, to the pictures in view, to the last picture, and how many, in a new browser."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for flag in FLAGS:
        options.add_argument(flag)
    driver: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get("data:,")
        begun = time.perf_counter()
        driver.get(page.as_uri())
        seconds = []
        for what in ("shown", "ready"):
            while driver.execute_script(f"return document.documentElement.dataset.{what}") != "yes":
                time.sleep(0.01)
            seconds.append(time.perf_counter() - begun)
        load = driver.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
        return load, *seconds, int(driver.execute_script("return document.querySelectorAll('.plot').length"))
    finally:
        driver.quit()


def main() -> None:
    """Measure the three pages."""
    chosen = arguments(__doc__, repeats={"type": int, "default": 5})
    rows = []
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        folders: dict[str, Callable[[], Path]] = {
            "demo": lambda: ft.run(demo_config(), output=base / "demo").path,
            "demo supplies": lambda: ft.run(supplies_config(), output=base / "supplies").path,
            "backtest, 40 series": lambda: many_series(base),
        }
        for what, make in folders.items():
            folder = make()
            begun = time.perf_counter()
            page = write_report(folder)
            seconds = time.perf_counter() - begun
            found = [opened(page) for _ in range(chosen.repeats)]
            load, shown, drawn, plots = (float(v) for v in np.median(found, axis=0))
            rows.append(
                {
                    "page": what, "megabytes": page.stat().st_size / 1e6, "write_s": seconds, "pictures": plots,
                    "load_event_s": load, "in_view_s": shown, "all_drawn_s": drawn,
                    "worst_drawn_s": max(f[2] for f in found),
                }
            )  # fmt: skip
            print(rows[-1], flush=True)
    save("report_page", rows, chosen.threads)


if __name__ == "__main__":
    main()
