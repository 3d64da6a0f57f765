"""What a run is made from: a YAML file or a dictionary, checked whole before anything starts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self, get_args

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator, model_validator

from foretide.data.files import at_home, file_name, is_no_path, read_text, storing
from foretide.data.tables.source import STDIN, holds_files
from foretide.errors import ConfigError, MissingExtraError, nearest
from foretide.forecasters.levels import DEFAULT_LEVELS, YAML, interval_levels, quantile_levels
from foretide.jobs.mistakes import Mistake, Origin
from foretide.jobs.sections import (
    BacktestConfig,
    CalendarConfig,
    DataConfig,
    ModelConfig,
    SearchConfig,
    Section,
    SplitConfig,
)
from foretide.jobs.settings import changed, read_pairs
from foretide.jobs.yaml import read_settings as read_settings
from foretide.jobs.yaml import read_yaml as read_yaml
from foretide.jobs.yaml import write_yaml as write_yaml
from foretide.parallel import Where, executor_of
from foretide.typing import Json


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
    starts : bool
        Whether the closed-form starts of the networks run beside them, so that it can be said what training added.
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
    ablations : dict
        Title -> names of models, the simplest first: a table shows what each gains on the one before it.
    attention_windows : int
        At most so many test windows, evenly spread, have their attention kept.
    explain : bool
        Whether what attention and latent state of the networks say is worked out and tested too, as by
        ``foretide explain``, which adds the inputs.
    threads : int
        PyTorch threads while the run lasts.
    executor : str or {name: options}, optional
        Where fits, trials and candidates run side by side: ``ray``, or ``{ray: {address: "10.0.0.5:6379"}}``. See
        :func:`foretide.parallel.using`. It changes no result, and an executor opened around the job goes before it.
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
    starts: bool = True
    season: int | None = Field(default=None, ge=1)
    levels: tuple[float, ...] = DEFAULT_LEVELS
    quantiles: tuple[float, ...] | None = None
    stride: int = Field(default=1, ge=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    ablations: dict[str, Annotated[tuple[str, ...], Field(min_length=2)]] = Field(default_factory=dict)
    attention_windows: int = Field(default=200, ge=0)
    explain: bool = True
    threads: int = Field(default=1, ge=1)
    executor: str | dict[str, dict[str, object] | None] | None = None
    output: str | None = None
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where it was written, for messages."""
        return self._origin

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

    @field_validator("executor")
    @classmethod
    def _known_executor(cls, value: Where | None) -> Where | None:
        if value is not None:
            try:
                executor_of(value)
            except MissingExtraError as error:
                raise ValueError(str(error)) from error
        return value

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


# ---------------------------------------------------------------- reading
def load_config(
    source: str | os.PathLike[str] | Mapping[str, object] | Config, settings: Iterable[str] = ()
) -> Config:  # fmt: skip
    """Return a checked configuration from a YAML file, a dictionary, or one that is checked already.

    Parameters
    ----------
    source : path, mapping or Config
        ``-`` is standard input.
    settings : iterable of str
        ``key=value`` each, which stand above what the source says; see :func:`foretide.jobs.settings.changed`.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        Names every key that is wrong, where it stands, what was expected, and the nearest known key. Where there is
        one, models, data and parts are looked at too, so that all mistakes are said at once.

    Examples
    --------
    >>> from foretide.jobs import load_config
    >>> load_config({"data": {"synthetic": {}}, "h": 7}, ["h=3", "Attention.epochs=5"]).models[0].settings
    {'epochs': 5}
    """
    changes = read_pairs(settings)
    if isinstance(source, Config) and not changes:
        return source
    raw, folder, origin = _read(source)
    if changes:
        raw, typed = changed(raw, changes, Config.model_fields)
        origin = replace(origin, typed=typed)
    config, mistakes = _validated(raw)
    if config is not None and config.data.path is not None:
        try:
            data = config.data.model_copy(update={"path": str(find_data(config.data.path, folder))})
            config = config.model_copy(update={"data": data})
        except ConfigError as error:
            mistakes.append(Mistake(("data", "path"), str(error), error))
    if mistakes:
        if config is not None:
            from foretide.jobs.checking import further_mistakes

            mistakes += further_mistakes(config, without=mistakes)
        only = mistakes[0].error
        if len(mistakes) == 1 and only is not None:
            raise only
        raise origin.told(mistakes)
    assert config is not None
    config._origin = origin
    return config


def kept_config(path: Path) -> Config:
    """Return the configuration that a job kept in its folder; the table it names need not be there any more.

    Parameters
    ----------
    path : path

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        For what is no configuration, with the lines that are wrong.
    """
    raw, _, origin = _read(path)
    config, mistakes = _validated(raw)
    if config is None or mistakes:
        raise origin.told(mistakes)
    config._origin = origin
    return config


def _read(source: str | os.PathLike[str] | Mapping[str, object] | Config) -> tuple[Json, Path, Origin]:
    """Return a configuration as it was written, the folder that its paths begin from, and where it was written."""
    if isinstance(source, Config):
        return source.model_dump(mode="json", exclude_unset=True), Path.cwd(), source.origin
    if isinstance(source, Mapping):
        return dict(source), Path.cwd(), Origin()
    if not isinstance(source, (str, os.PathLike)):
        raise ConfigError(f"Expected a YAML file or a dictionary of keys and values, got {type(source).__name__}.")
    path, folder, name = Path(source), Path.cwd(), "run"
    if str(source) == STDIN:
        title, text = "the configuration from standard input", sys.stdin.read()
    else:
        with storing(path, deed="read"):
            if path.is_dir() or not path.exists():
                there = "is a folder" if path.is_dir() else "is not there"
                raise ConfigError(
                    f"No configuration at {path}, which {there}. Expected a YAML file; see examples/etth1.yaml."
                )
            title, text, folder = str(path), read_text(path), path.resolve().parent
        name = path.stem if is_no_path(path.stem) else file_name(path.stem)
    raw = read_yaml(text)
    if not isinstance(raw, dict):
        raise ConfigError(f"Expected {title} to hold keys and values (data: …, h: …), got {type(raw).__name__}.")
    return {"name": name, **raw}, folder, Origin(title, text)


def _validated(raw: Json) -> tuple[Config | None, list[Mistake]]:
    """Return a configuration with all that is wrong in it; what is wrong is left out of it, if it can be."""
    mistakes: list[Mistake] = []
    for _ in range(len(Config.model_fields)):
        try:
            return Config.model_validate(raw), mistakes
        except ValidationError as error:
            known = {mistake.loc for mistake in mistakes}
            mistakes += [mistake for mistake in _explain(error) if mistake.loc not in known]
            locs = [problem["loc"] for problem in error.errors()]
            if not all(locs):
                return None, mistakes
            for loc in sorted(locs, key=str, reverse=True):  # of a list, its last entries first
                raw = _without(raw, loc)
    return None, mistakes


def _without(raw: Json, loc: tuple[int | str, ...]) -> Json:
    """Return a configuration without a value that cannot work; without data it makes its own."""
    first, *rest = loc
    if first == "data" and (not rest or rest[0] in ("path", "synthetic")):
        return {**raw, "data": {"synthetic": {}}}
    below = raw.get(str(first))
    if rest and isinstance(below, Mapping) and rest[0] in below:
        return {**raw, str(first): _without(dict(below), tuple(rest))}
    if rest and first == "models" and isinstance(below, (list, tuple)) and isinstance(rest[0], int):
        return {**raw, "models": [entry for k, entry in enumerate(below) if k != rest[0]]}
    return {key: value for key, value in raw.items() if key != first}


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
        raise Origin("the command").told(_explain(error)) from error
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
    wanted = at_home(path)
    tried = [wanted] if wanted.is_absolute() else [folder / wanted, folder.parent / wanted, Path.cwd() / wanted]
    if os.environ.get("FORETIDE_DATA"):
        tried.append(Path(os.environ["FORETIDE_DATA"]) / wanted.name)
    for candidate in tried:
        with storing(candidate, deed="read"):
            if candidate.is_file() or holds_files(candidate):
                return candidate.resolve()
    places = "\n".join(f"  {p}" for p in dict.fromkeys(os.path.normpath(t) for t in tried))
    raise ConfigError(
        f"No data file {path!r}. Looked for\n{places}\nGive data.path relative to the configuration, or set "
        "FORETIDE_DATA to the folder that holds the file."
    )


def _explain(error: ValidationError) -> list[Mistake]:
    mistakes = []
    for problem in error.errors():
        loc = problem["loc"]
        if problem["type"] == "extra_forbidden":
            text = f"no such key. {nearest(loc[-1], _known_keys(loc[:-1]))}"
        elif problem["type"] == "missing":
            text = "is missing."
        else:
            got = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
            text = f"{problem['msg'].removeprefix('Value error, ')}{got}"
        mistakes.append(Mistake(loc, text))
    return mistakes


def keys_below(key: str) -> list[str]:
    """Return the keys of a section of a configuration.

    Parameters
    ----------
    key : str
        Its name.

    Returns
    -------
    list of str
        Empty for a key that is no section.
    """
    field = Config.model_fields.get(key)
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))
    section = next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)
    return [] if section is None else list(section.model_fields)


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Config
    for part in loc:
        if part not in section.model_fields:
            return list(ModelConfig.model_fields)
        kind = section.model_fields[part].annotation
        options = [kind, *get_args(kind)]
        section = next(k for k in options if isinstance(k, type) and issubclass(k, BaseModel))
    return list(section.model_fields)
