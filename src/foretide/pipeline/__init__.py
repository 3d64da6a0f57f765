"""The main job: configuration in, run folder out."""

from foretide.pipeline.backtesting import run_backtest
from foretide.pipeline.config import Config, load_config
from foretide.pipeline.deploy import fit_model, predict_with
from foretide.pipeline.folder import RunFolder
from foretide.pipeline.job import run

__all__ = ["Config", "RunFolder", "fit_model", "load_config", "predict_with", "run", "run_backtest"]
