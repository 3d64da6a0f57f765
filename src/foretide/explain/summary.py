"""What every explanation obeys: it gives its own tables, sentences and arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from html import escape
from typing import TYPE_CHECKING, Self

from foretide.data.reading.frames import as_backend

if TYPE_CHECKING:
    import pandas as pd

    from foretide.typing import Floats, Frame


class Summary(ABC):
    """What one side of a fitted model says; reports, pages and pictures are made from this alone."""

    _backend: str = "pandas"

    @abstractmethod
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of a report by its name."""

    @abstractmethod
    def sentences(self) -> list[str]:
        """What the figures say, in plain words."""

    def brief(self) -> list[str]:
        """The one or two :meth:`sentences` that say most."""
        return self.sentences()[:2]

    def findings(self) -> list[str]:
        """All sentences of a report: :meth:`sentences`, and those that take another pass over the windows."""
        return self.sentences()

    def arrays(self) -> dict[str, Floats]:
        """Arrays that pictures are drawn from besides the tables, by name."""
        return {}

    def named(self, windows: str) -> Self:
        """Return the summary with other words for its windows, where sentences name them.

        Parameters
        ----------
        windows : str
            Such as ``"after what the model was fitted on"``.

        Returns
        -------
        Summary
        """
        return self

    def text(self) -> str:
        """Return the sentences as one paragraph."""
        return " ".join(self.sentences())

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences())
        return f"<p>{escape(repr(self))}</p><ul>{items}</ul>"

    def _pandas(self, *names: str) -> dict[str, pd.DataFrame]:
        """What some methods return, by their names, always as pandas."""
        plain = copy(self)
        object.__setattr__(plain, "_backend", "pandas")
        return {name: getattr(plain, name)() for name in names}

    def _frame(self, table: pd.DataFrame) -> Frame:
        """A table of the kind (pandas or polars) that the panel was made from."""
        frame: Frame = as_backend(table, self._backend)
        return frame
