"""What a run is made from: a YAML file or a dictionary, checked whole before anything starts."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Self, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from foretide.data.files import file_name, is_no_path, read_text, storing
from foretide.data.reading.options import Options
from foretide.data.tables.source import STDIN
from foretide.errors import ConfigError, nearest
from foretide.forecasters.levels import DEFAULT_LEVELS, YAML, interval_levels, quantile_levels
from foretide.jobs.sections import (
    BacktestConfig,
    CalendarConfig,
    DataConfig,
    ModelConfig,
    SearchConfig,
    Section,
    SplitConfig,
)
from foretide.text import phrase
from foretide.typing import Json

READING = tuple(f.name for f in fields(Options) if "help" in f.metadata)
"""Options of reading a table, which stand in the section data and are flags of the commands."""


class Config(Section):
    """Everything a run needs.

    Attributes
    ----------
    name : str
        Name of the run, no path; its folder under ``runs`` unless ``output`` is given.
    data, calendar, split, backtest : sections
    search : section, optional
        Settings of the models are searched for first; off by default.
    h, input_size : int
        Steps forecast and steps looked back at.
    models : tuple of ModelConfig
        Written as a list of names or of ``{name: settings}``.
    baselines : bool
        Whether the simple baselines run by default.
    season : int, optional
        Season of baselines and scaled metrics; found on the training part by default.
    levels : float, or tuple of float
        Central interval levels in percent, for models that have a predictive distribution.
    quantiles : float, or tuple of float, optional
        Further quantiles, as fractions, which become columns ``<Model>-ql0.1``. Where none is given, those that the
        weighted quantile loss of counts needs, 0.1 to 0.9, are forecast and not written. CRPS needs at least 49.
    stride : int
        Steps between the test cutoffs.
    seeds : tuple of int
        Networks are trained once per seed.
    attention_windows : int
        At most so many test windows, evenly spread, have their attention kept.
    explain : bool
        Whether what attention and latent state of the networks say is worked out and tested too, as by
        ``foretide explain``, which adds the inputs.
    threads : int
        PyTorch threads while the run lasts.
    output : str, optional
        Folder of the run.
    """

    name: str = "run"
    data: DataConfig
    calendar: CalendarConfig = CalendarConfig()
    split: SplitConfig = SplitConfig()
    backtest: BacktestConfig = BacktestConfig()
    search: SearchConfig | None = None
    h: int = Field(default=10, ge=1)
    input_size: int = Field(default=60, ge=1)
    models: tuple[ModelConfig, ...] = (ModelConfig(name="Attention"),)
    baselines: bool = True
    season: int | None = Field(default=None, ge=1)
    levels: tuple[float, ...] = DEFAULT_LEVELS
    quantiles: tuple[float, ...] | None = None
    stride: int = Field(default=1, ge=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    attention_windows: int = Field(default=200, ge=0)
    explain: bool = True
    threads: int = Field(default=1, ge=1)
    output: str | None = None

    @field_validator("models", mode="before")
    @classmethod
    def _normal_models(cls, value: object) -> list[object]:
        entries = [{k: v} for k, v in value.items()] if isinstance(value, Mapping) else value
        if isinstance(entries, str) or not isinstance(entries, (list, tuple)):
            raise ValueError(f"expected a list such as [Attention, {{LSTM: {{hidden: 64}}}}], got {value!r}")
        return [_normal_model(entry) for entry in entries]

    @field_validator("name")
    @classmethod
    def _one_folder(cls, value: str) -> str:
        if is_no_path(value):
            return value
        last = re.split(r"[/\\]", value.rstrip("/\\. "))[-1]
        raise ValueError(
            "`name` is the name of one folder under runs, and no path. "
            f"Type name: {file_name(last) if last.strip('. ') else 'run'}, and output: a/path for another place"
        )

    @field_validator("levels", mode="before")
    @classmethod
    def _read_levels(cls, value: object) -> tuple[float, ...]:
        return interval_levels(value, typed=YAML)

    @field_validator("quantiles", mode="before")
    @classmethod
    def _read_quantiles(cls, value: object) -> tuple[float, ...] | None:
        return None if value is None else quantile_levels(value, typed=YAML)

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if not self.models and not self.baselines:
            raise ValueError("nothing to run: name a model in `models`, or leave `baselines` on")
        return self


def _normal_model(entry: object) -> object:
    if isinstance(entry, str):
        return {"name": entry}
    if isinstance(entry, Mapping) and len(entry) == 1 and "name" not in entry:
        ((name, settings),) = entry.items()
        return {"name": name, "settings": settings or {}}
    return entry


# ---------------------------------------------------------------- reading and writing
def read_yaml(text: str) -> object:
    """Read YAML 1.2: ``1e-3`` is a number, ``no`` is text, a key given twice is an error.

    Parameters
    ----------
    text : str

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        With the line at which the text stops being YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        # What follows the eighth line is advice about the parser, not about the text.
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ConfigError("The configuration is not valid YAML:\n" + "\n".join(lines[:8])) from error


def read_settings(text: str) -> Json:
    """Return the keys of a configuration as they stand, without a check; none of an empty text.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict

    Raises
    ------
    TypeError
        Where the text holds something else than keys and values.
    """
    found = read_yaml(text) or {}
    if not isinstance(found, dict):
        raise TypeError(f"expected keys and values, got {type(found).__name__}")
    return found


def write_yaml(value: object) -> str:
    """Write plain data as YAML that :func:`read_yaml` reads back.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    from ruamel.yaml import YAML

    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(value, out)
    return out.getvalue()


def load_config(source: str | os.PathLike[str] | Mapping[str, object] | Config) -> Config:
    """Return a checked configuration from a YAML file, a dictionary, or one that is checked already.

    Parameters
    ----------
    source : path, mapping or Config

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        Names every key that is wrong, what was expected, and the nearest known key.
    """
    if isinstance(source, Config):
        return source
    folder, title = Path.cwd(), "the configuration"
    if isinstance(source, Mapping):
        raw: object = dict(source)
    else:
        path = Path(source)
        with storing(path, deed="read"):
            if path.is_dir() or not path.exists():
                there = "is a folder" if path.is_dir() else "is not there"
                raise ConfigError(
                    f"No configuration at {path}, which {there}. Expected a YAML file; see examples/etth1.yaml."
                )
            raw, folder, title = read_yaml(read_text(path)), path.resolve().parent, str(path)
        if isinstance(raw, dict):
            raw.setdefault("name", path.stem if is_no_path(path.stem) else file_name(path.stem))
    if not isinstance(raw, dict):
        raise ConfigError(f"Expected {title} to hold keys and values (data: …, h: …), got {type(raw).__name__}.")
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(error, title)) from error
    if config.data.path is None:
        return config
    data = config.data.model_copy(update={"path": str(find_data(config.data.path, folder))})
    return config.model_copy(update={"data": data})


def with_reading(config: Config, given: Mapping[str, object]) -> Config:
    """Return the configuration with other options of reading its table; a wrong one is a :class:`ConfigError`.

    Parameters
    ----------
    config : Config
    given : mapping

    Returns
    -------
    Config
    """
    if config.data.path is None:
        raise ConfigError(f"{next(iter(given))} is for tables that are read, and this configuration makes its data.")
    try:
        data = type(config.data).model_validate({**config.data.model_dump(), **given})
    except ValidationError as error:
        raise ConfigError(_explain(error, "the command")) from error
    return config.model_copy(update={"data": data})


def find_data(path: str, folder: Path) -> Path:
    """Return where a data file is: beside the configuration, above it, in the working folder or ``$FORETIDE_DATA``.

    Parameters
    ----------
    path : str
    folder : path

    Returns
    -------
    path
    """
    if path == STDIN:
        raise ConfigError("data.path: a run reads its table again later, which standard input does not allow. Save it.")
    wanted = Path(path).expanduser()
    tried = [wanted] if wanted.is_absolute() else [folder / wanted, folder.parent / wanted, Path.cwd() / wanted]
    if os.environ.get("FORETIDE_DATA"):
        tried.append(Path(os.environ["FORETIDE_DATA"]) / wanted.name)
    for candidate in tried:
        with storing(candidate, deed="read"):
            if candidate.is_file():
                return candidate.resolve()
    places = "\n".join(f"  {p}" for p in dict.fromkeys(os.path.normpath(t) for t in tried))
    raise ConfigError(
        f"No data file {path!r}. Looked for\n{places}\nGive data.path relative to the configuration, or set "
        "FORETIDE_DATA to the folder that holds the file."
    )


def _explain(error: ValidationError, title: str) -> str:
    lines = [f"{title} has {phrase('problem', error.error_count())}:"]
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "whole"
        if problem["type"] == "extra_forbidden":
            known = _known_keys(problem["loc"][:-1])
            lines.append(f"  {where}: no such key. {nearest(problem['loc'][-1], known)}")
        elif problem["type"] == "missing":
            lines.append(f"  {where}: is missing.")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            got = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
            lines.append(f"  {where}: {message}{got}")
    return "\n".join(lines)


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Config
    for part in loc:
        if part not in section.model_fields:
            return list(ModelConfig.model_fields)
        kind = section.model_fields[part].annotation
        options = [kind, *get_args(kind)]
        section = next(k for k in options if isinstance(k, type) and issubclass(k, BaseModel))
    return list(section.model_fields)
