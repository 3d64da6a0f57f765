"""The main job: configuration in, run folder out."""

from foretide.jobs.config import Config, load_config
from foretide.jobs.deploy import fit_model, predict_with
from foretide.jobs.folder import RunFolder
from foretide.jobs.judging import run, run_backtest

__all__ = ["Config", "RunFolder", "fit_model", "load_config", "predict_with", "run", "run_backtest"]
