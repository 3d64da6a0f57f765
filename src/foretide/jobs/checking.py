"""All that can be wrong with a job before it begins: models and their settings, data, parts, folds; said at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from foretide.errors import ConfigError, ForetideError
from foretide.jobs.mistakes import Mistake, MistakesError, mistakes_of
from foretide.jobs.prepare import Prepared, prepare
from foretide.jobs.roster import roster, searched

if TYPE_CHECKING:
    from foretide.jobs.config import Config
    from foretide.jobs.settings import Loc

T = TypeVar("T")


class Collected:
    """Errors of several checks, raised together.

    Parameters
    ----------
    config : Config
        What they are about.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.mistakes: list[Mistake] = []

    def attempt(self, check: Callable[[], T], loc: Loc) -> T | None:
        """Return what a check gives; None where it finds mistakes, which are kept.

        Parameters
        ----------
        check : callable
        loc : tuple
            What in the configuration it is about.

        Returns
        -------
        object or None
        """
        try:
            return check()
        except ForetideError as error:
            self.mistakes += mistakes_of(error, loc)
            return None

    def raise_any(self) -> None:
        """Raise what was found: a single error as it was, of a model with its line; several as one with all places."""
        if len(self.mistakes) == 1:
            (only,) = self.mistakes
            if only.error is not None and (only.loc[:1] != ("models",) or not isinstance(only.error, ConfigError)):
                raise only.error
            line = self.config.origin.line_of(only.loc)
            raise MistakesError([Mistake((), f"{line}, {only.sentence}" if line else only.sentence)])
        if self.mistakes:
            raise self.config.origin.told(self.mistakes)


def checked_data(config: Config, check: Callable[[Prepared], T]) -> tuple[Prepared, T]:
    """Read the data of a job and check all that it needs.

    Parameters
    ----------
    config : Config
    check : callable
        Of the data; what it returns is returned.

    Returns
    -------
    Prepared, object

    Raises
    ------
    ConfigError, DataError
        With everything that cannot work.
    """
    found = Collected(config)
    _check_models(config, found)
    data = found.attempt(lambda: prepare(config), ("data",))
    result = None if data is None else found.attempt(lambda: (data, check(data)), ("split",))
    found.raise_any()
    assert result is not None
    return result


def further_mistakes(config: Config, without: Sequence[Mistake]) -> list[Mistake]:
    """Return what else is wrong in a configuration whose keys and values are wrong themselves.

    Parameters
    ----------
    config : Config
        Without what is known to be wrong.
    without : sequence of Mistake
        That. Sections that hold one of them are not looked at again.

    Returns
    -------
    list of Mistake
    """
    found, wrong = Collected(config), {str(mistake.loc[0]) for mistake in without if mistake.loc}
    _check_models(config, found, search="search" not in wrong and "models" not in wrong)
    if "data" not in wrong:
        data = found.attempt(lambda: prepare(config), ("data",))
        if data is not None and not wrong & {"split", "h"}:
            found.attempt(lambda: data.split, ("split",))
    return found.mistakes


def _check_models(config: Config, found: Collected, *, search: bool = True) -> None:
    found.attempt(lambda: roster(config), ("models",))
    if search and config.search is not None:
        found.attempt(lambda: searched(config), ("search",))
