"""Public names listed once, in a package's stub, and resolved on first use.

``lazy_loader`` does the same, but has no place for names that are added later and no nearest name in its error.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from pathlib import Path

from foretide.errors import nearest


def names_in(stub: Path, package: str) -> dict[str, str]:
    """Read the public names of a package from its stub.

    Parameters
    ----------
    stub : Path
        A ``.pyi`` of lines such as ``from .room.file import Name as Name``, or ``from . import room as room``.
    package : str
        Its dotted name.

    Returns
    -------
    dict
        Name -> ``module:name``, or ``module:`` for a module itself, in the order of the stub; without star imports.

    Examples
    --------
    >>> from pathlib import Path
    >>> import foretide as ft
    >>> names_in(Path(ft.__file__).with_suffix(".pyi"), "foretide")["Panel"]
    'foretide.data.panel:Panel'
    """
    lines = [line for line in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(line, ast.ImportFrom)]
    return {
        alias.name: f"{package}.{line.module}:{alias.name}" if line.module else f"{package}.{alias.name}:"
        for line in lines
        if line.level
        for alias in line.names
        if alias.name != "*"
    }


def resolve(package: str, name: str, names: Mapping[str, str]) -> object:
    """Import what a public name stands for.

    Parameters
    ----------
    package : str
        For the error.
    name : str
    names : mapping
        As of :func:`names_in`.

    Returns
    -------
    object

    Raises
    ------
    AttributeError
        For a name that is not listed, with the nearest one.

    Examples
    --------
    >>> resolve("foretide", "Square", {"Square": "math:sqrt"})(9.0)
    3.0
    """
    if name not in names:
        # Programs that look around (doctest, inspect, notebooks) ask for hundreds of private names.
        hint = "" if name.startswith("_") else f". {nearest(name, names)}"
        raise AttributeError(f"{package} has no {name!r}{hint}")
    module, _, attribute = names[name].partition(":")
    found = importlib.import_module(module)
    if not attribute:
        return found
    return getattr(found, attribute) if hasattr(found, attribute) else importlib.import_module(f"{module}.{attribute}")
