"""What is wrong in a configuration: every mistake with its place and what to type, in one message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foretide.errors import ConfigError, ForetideError
from foretide.text import phrase

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

    from foretide.jobs.settings import Loc


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong.

    Attributes
    ----------
    loc : tuple
        Where it stands: keys and places of lists, from the top; empty for the configuration as a whole.
    text : str
        What was expected, what came, what to type.
    error : ForetideError, optional
        What was raised.
    """

    loc: Loc
    text: str
    error: ForetideError | None = None

    @property
    def where(self) -> str:
        """The place in words."""
        return ".".join(map(str, self.loc)) or "whole"

    @property
    def sentence(self) -> str:
        """Place and text; the text alone where it begins with its place."""
        return self.text if not self.loc or self.text.startswith(self.where) else f"{self.where}: {self.text}"


class MistakesError(ConfigError):
    """Several settings cannot work.

    Parameters
    ----------
    mistakes : sequence of Mistake
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(mistake.sentence for mistake in mistakes))
        self.mistakes = tuple(mistakes)


def mistakes_of(error: ForetideError, loc: Loc) -> list[Mistake]:
    """Return what an error holds as mistakes.

    Parameters
    ----------
    error : ForetideError
    loc : tuple
        Where it stands, if the error itself does not say.

    Returns
    -------
    list of Mistake
    """
    if isinstance(error, MistakesError):
        return list(error.mistakes)
    found = re.match(r"(\w+(?:\.\w+)*): ", str(error))
    if found is not None and found[1].split(".")[0] == loc[0]:  # it names its place itself
        loc = tuple(found[1].split("."))
    return [Mistake(loc, str(error), error)]


@dataclass(frozen=True)
class Origin:
    """Where a configuration was written, to name the line of a mistake. All are equal, as it is no part of a job.

    Attributes
    ----------
    title : str
        The file.
    text : str
        Its content; empty for a dictionary.
    typed : mapping
        Place -> the setting of the command that stands there.
    """

    title: str = field(default="the configuration", compare=False)
    text: str = field(default="", compare=False)
    typed: Mapping[Loc, str] = field(default_factory=dict, compare=False)

    def line_of(self, loc: Loc) -> str:
        """Return ``"line 7"``, the setting of the command that stands there, or nothing.

        Parameters
        ----------
        loc : tuple

        Returns
        -------
        str
        """
        for place, text in self.typed.items():
            if _keys(place)[: len(loc)] == _keys(loc)[: len(place)]:
                return text
        if not self.text or not loc:
            return ""
        from ruamel.yaml import YAML

        node = YAML(typ="safe", pure=True).compose(self.text)
        depth, line = _deepest(node, [part for part in loc if part != "settings"])
        return f"line {line + 1}" if depth else ""

    def told(self, mistakes: Sequence[Mistake]) -> ConfigError:
        """Return one error that says all of them.

        Parameters
        ----------
        mistakes : sequence of Mistake

        Returns
        -------
        ConfigError
        """
        lines: dict[str, int] = {}
        for mistake in mistakes:
            line = self.line_of(mistake.loc)
            text = mistake.sentence.replace("\n", "\n    ")
            number = int(line.removeprefix("line ")) if line.startswith("line ") else 0
            lines.setdefault(f"  {line}, {text}" if line else f"  {text}", number)
        ordered = sorted(lines, key=lines.__getitem__)
        return ConfigError("\n".join([f"{self.title} has {phrase('problem', len(lines))}:", *ordered]))


def _keys(loc: Loc) -> Loc:
    """Without the places of models in their list and the key ``settings``, which both may be left out."""
    if loc[:1] != ("models",):
        return loc
    return tuple(part for k, part in enumerate(loc) if not (k == 1 and isinstance(part, int)) and part != "settings")


def _deepest(node: Node, keys: Sequence[int | str]) -> tuple[int, int]:
    """Return how many keys lead on from a node, and the line that they lead to."""
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    best = (0, node.start_mark.line)
    if not keys:
        return best
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == str(keys[0]):
                depth, line = _deepest(value, keys[1:])
                best = max(best, (depth + 1, line if depth else key.start_mark.line), key=lambda pair: pair[0])
    elif isinstance(node, SequenceNode) and isinstance(keys[0], int):
        if keys[0] < len(node.value):
            depth, line = _deepest(node.value[keys[0]], keys[1:])
            best = (depth + 1, line)
    elif isinstance(node, SequenceNode):
        best = max((_deepest(entry, keys) for entry in node.value), key=lambda pair: pair[0], default=best)
    elif getattr(node, "value", None) == str(keys[0]):
        best = (1, node.start_mark.line)
    return best
