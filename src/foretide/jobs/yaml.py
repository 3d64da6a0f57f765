"""YAML as configurations are written in: read and written as plain data."""

from __future__ import annotations

import io
from typing import Any

from foretide.errors import ConfigError
from foretide.typing import Json

LONGEST = 1_000_000
"""Letters of a configuration."""
DEEPEST = 50
MOST = 200_000
"""Values of a configuration, those of aliases counted wherever they stand."""


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
        With the line at which the text stops being YAML; for text, nesting or aliases beyond what configurations need.

    Examples
    --------
    >>> from foretide.jobs.yaml import read_yaml
    >>> read_yaml("{h: 3, rate: 1e-3, use: no}")
    {'h': 3, 'rate': 0.001, 'use': 'no'}
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if len(text) > LONGEST:
        raise ConfigError(f"The configuration has {len(text):,} letters; expected at most {LONGEST:,}.")
    try:
        maker, _ = YAML(typ="safe", pure=True).get_constructor_parser(text)
        _watch_depth(maker.composer)
        node = maker.composer.get_single_node()
        _check_size(node)
        return None if node is None else maker.construct_document(node)
    except YAMLError as error:
        # What follows the eighth line is advice about the parser, not about the text.
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ConfigError("The configuration is not valid YAML:\n" + "\n".join(lines[:8])) from error
    except ConfigError:
        raise
    except Exception as error:  # of a value that is not what its tag or its form says: !!int x, 2024-01-01 99:00
        raise ConfigError(f"The configuration is not valid YAML: {error}. Put such a value in quotes.") from error


def _watch_depth(composer: Any) -> None:
    """Let a parser stop where a text is nested too deeply: it takes time by the square of the depth."""
    own, depth = composer.compose_node, 0

    def compose_node(parent: Any, index: Any) -> Any:
        nonlocal depth
        if depth > DEEPEST:
            raise _too_deep()
        depth += 1
        node = own(parent, index)
        depth -= 1
        return node

    composer.compose_node = compose_node


def _too_deep() -> ConfigError:
    return ConfigError(f"The configuration is nested too deeply; {DEEPEST} levels are the most.")


def _check_size(node: Any) -> None:
    """Refuse what is nested too deeply, holds itself, or grows too large where its aliases are written out."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: Any, depth: int) -> int:
        if isinstance(node, str) or not isinstance(node.value, list):
            return 1
        if id(node) in open_nodes:
            raise ConfigError(f"The configuration holds itself: an alias in line {node.start_mark.line + 1}.")
        if depth > DEEPEST:
            raise _too_deep()
        if id(node) not in sizes:
            open_nodes.add(id(node))
            inner = (n for item in node.value for n in (item if isinstance(item, tuple) else (item,)))
            sizes[id(node)] = 1 + sum(size(n, depth + 1) for n in inner)
            open_nodes.remove(id(node))
        if sizes[id(node)] > MOST:
            raise ConfigError(f"The configuration holds more than {MOST:,} values where its aliases are written out.")
        return sizes[id(node)]

    if node is not None:
        size(node, 0)


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
