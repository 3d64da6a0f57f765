"""What a shell can complete beside commands and flags: names of models, and keys of settings."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer


def models(incomplete: str) -> list[str]:
    """Return the names of forecasters that a list with commas can go on with.

    Parameters
    ----------
    incomplete : str

    Returns
    -------
    list of str

    Examples
    --------
    >>> from foretide.cli.completion import models
    >>> models("Ridge,SeasonalM")
    ['Ridge,SeasonalMean']
    """
    from foretide.forecasters.table import EVERY

    last = incomplete.rpartition(",")[2]
    return [f"{incomplete}{name[len(last) :]}" for name in EVERY if name.lower().startswith(last.lower())]


def settings(incomplete: str) -> list[str]:
    """Return the keys that a setting can begin with: those of a configuration, and those of a model behind its name.

    Parameters
    ----------
    incomplete : str

    Returns
    -------
    list of str

    Examples
    --------
    >>> from foretide.cli.completion import settings
    >>> settings("strid"), settings("SeasonalES.al"), settings("split.train")
    (['stride='], ['SeasonalES.alpha=', 'SeasonalES.alias='], ['split.train_until='])
    """
    from foretide.forecasters.table import EVERY, as_typed, forecaster_class
    from foretide.jobs.config import Config, keys_below

    first, dot, _ = incomplete.partition(".")
    if not dot:
        names = [f"{key}." if keys_below(key) else f"{key}=" for key in Config.model_fields]
        names += [f"{name}." for name in EVERY]
    elif as_typed(first) in EVERY:
        names = [f"{first}.{key}=" for key in forecaster_class(as_typed(first)).parameters() if key != "h"]
    else:
        names = [f"{first}.{key}=" for key in keys_below(first)]
    # As it was typed so far: shells take nothing else, and case does not matter for models.
    return [incomplete + name[len(incomplete) :] for name in names if name.lower().startswith(incomplete.lower())]


Models: TypeAlias = Annotated[
    str | None, typer.Option(help="Classes to search, with commas: lstm,attention,ridge.", autocompletion=models)
]
