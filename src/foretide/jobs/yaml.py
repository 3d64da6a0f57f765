"""YAML as configurations are written in: read and written as plain data."""

from __future__ import annotations

import io

from foretide.errors import ConfigError
from foretide.typing import Json


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
