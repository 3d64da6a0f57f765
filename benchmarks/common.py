"""Shared by the benchmarks: threads, real data, result files with versions."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

RESULTS = Path(__file__).parent / "results"


def arguments(description: str | None, **extra: dict) -> argparse.Namespace:
    """Parse ``--threads`` and whatever a benchmark adds, and set the threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=1)
    for name, options in extra.items():
        parser.add_argument(f"--{name}", **options)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def real_data() -> Path:
    """Folder of the real data sets: ``FORETIDE_DATA``, or ``../shared/data`` beside the project."""
    return Path(os.environ.get("FORETIDE_DATA") or Path(__file__).parents[2] / "shared" / "data")


def save(name: str, rows: Sequence[dict], threads: int, *, show: bool = True) -> pd.DataFrame:
    """Write ``results/<name>.csv`` with the versions and thread count in every row, and print it."""
    frame = pd.DataFrame(rows)
    frame["threads"] = threads
    for package in ("foretide", "torch", "numpy"):
        frame[package] = version(package)
    frame["python"] = platform.python_version()
    RESULTS.mkdir(exist_ok=True)
    frame.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.5g")
    if show:
        print(frame.drop(columns=["torch", "numpy", "python", "foretide"]).to_string(index=False), flush=True)
    return frame


def rmse(error: np.ndarray) -> float:
    """Root mean squared error over everything."""
    return float(np.sqrt(np.nanmean(np.square(error))))
