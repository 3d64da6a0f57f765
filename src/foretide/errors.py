"""Every error says what was expected, what came, and what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from numbers import Integral, Real


class ForetideError(Exception):
    """Base of all errors raised on purpose by foretide."""


class DataError(ForetideError, ValueError):
    """The data handed in cannot be used as it is."""


class ConfigError(ForetideError, ValueError):
    """A setting has a value that cannot work."""


class NotFittedError(ForetideError, RuntimeError):
    """A forecaster was asked to predict before it was fitted."""


class LeakageError(ForetideError, RuntimeError):
    """A forecast was found to depend on values after its cutoff."""


class TrainingError(ForetideError, FloatingPointError):
    """Training produced a loss that is not a finite number."""


class ArtifactError(ForetideError, OSError):
    """A saved model or run folder cannot be read."""


class StorageError(ForetideError, OSError):
    """A file or folder could not be read, written or removed; the message says what is kept."""


class WorkerDiedError(ForetideError, RuntimeError):
    """A worker process ended in the middle of a task, again and again."""


class ServiceError(ForetideError, ConnectionError):
    """A forecasting service refused a request, or did not answer."""


class MissingExtraError(ForetideError, ImportError):
    """A package is needed and not installed: one of an extra, or without one PyTorch, which only networks need."""

    def __init__(self, package: str, extra: str | None, purpose: str) -> None:
        wanted = f"'foretide[{extra}]'" if extra else package
        super().__init__(f"{purpose} needs the package {package!r}, which is not installed. Type: pip install {wanted}")


_ELSEWHERE = {
    "h": "horizon prediction_length forecast_horizon fh steps n_periods output_chunk_length max_prediction_length",
    "input_size": "context_length input_chunk_length max_encoder_length lookback lags n_lags window_size",
    "levels": "level prediction_intervals coverage",
    "quantiles": "quantile_levels",
    "panel": "df data train_data train_df X ts series frame dataset",
    "season": "season_length seasonal_periods seasonality sp",
    "seed": "random_state random_seed",
    "epochs": "max_epochs n_epochs num_epochs max_steps",
    "lr": "learning_rate",
    "hidden": "hidden_size hidden_dim encoder_hidden_size d_model",
    "heads": "n_head n_heads num_heads num_attention_heads",
    "n_windows": "n_folds num_val_windows cv",
    "step": "step_size stride",
    "id": "id_col id_column item_id unique_id group_ids",
    "time": "time_col timestamp_column timestamp ds time_idx",
    "target": "target_col target_column y",
    "past": "hist_exog_list past_covariates past_covariates_names",
    "future": "futr_exog_list future_covariates known_covariates_names futr_df X_df known_covariates",
    "static": "stat_exog_list static_covariates static_df static_features",
    "n_trials": "num_samples max_trials",
    "timeout": "time_limit",
    "n_jobs": "num_workers",
}
FOREIGN = {foreign: own for own, names in _ELSEWHERE.items() for foreign in names.split()}
"""Name of an argument in another library -> its name here."""


def nearest(name: object, known: Iterable[object]) -> str:
    """Return a sentence that names the closest known name, or all of them when none is close.

    What another library calls so is closest.
    """
    names = [str(k) for k in known]
    if (own := FOREIGN.get(str(name))) in names and str(name) not in names:
        return f"It is called {own!r} here."
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if not close:
        lowered = {n.lower(): n for n in names}
        close = [lowered[c] for c in difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)]
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}." if names else "None is known."


def check_choice(name: str, value: object, known: Iterable[object]) -> None:
    """Refuse a setting that is none of the names it can have.

    Parameters
    ----------
    name : str
        The setting.
    value : object
        What was given.
    known : iterable
        What it can be.

    Raises
    ------
    ConfigError
        With all it can be, the nearest one among them.
    """
    names = list(known)
    if value not in names:
        raise ConfigError(f"{name} is one of {', '.join(map(repr, names))}; got {value!r}. {nearest(value, names)}")


def check_settings(config: object, fine: Mapping[str, bool], where: str = "") -> None:
    """Refuse the first field of a dataclass of settings that cannot work, and name its default.

    Parameters
    ----------
    config : dataclass
    fine : mapping
        Name of a field -> whether its value can work.
    where : str
        What stands behind "cannot work" in the message, e.g. ``" in stage 1"``.

    Raises
    ------
    ConfigError
        When one cannot.
    """
    for name, works in fine.items():
        if not works:
            value, default = getattr(config, name), getattr(type(config), name)
            raise ConfigError(f"{name}={value!r} cannot work{where}. Try the default, {name}={default!r}.")


_NUMBERS: dict[str, type] = {"int": Integral, "float": Real}


def check_numbers(config: object, where: str = "") -> None:
    """Refuse the first field of a dataclass of settings that is declared as a number and holds something else.

    Parameters
    ----------
    config : dataclass
        Fields of the type ``int`` or ``float``, or one of these or None, are looked at; text and booleans are none.
    where : str
        As for :func:`check_settings`.

    Raises
    ------
    ConfigError
        With the default.
    """
    fine = {}
    for field in fields(config):  # type: ignore[arg-type]
        declared, _, rest = str(field.type).partition(" | ")
        if declared in _NUMBERS and field.default is not MISSING:
            value = getattr(config, field.name)
            number = isinstance(value, _NUMBERS[declared]) and not isinstance(value, bool)
            fine[field.name] = number or (rest == "None" and value is None)
    check_settings(config, fine, where)
