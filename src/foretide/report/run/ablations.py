"""The section of ablations: improvements switched on one after the other, and what each is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretide.report.run.boards import NAME, column_of
from foretide.report.section import Column, Section, Table, text_of

if TYPE_CHECKING:
    import pandas as pd

    from foretide.report.content import Content

FIGURES = {
    "gain": Column("gain", "share of the error of the row before that is saved", "change"),
    "gain_in_all": Column("gain in all", "share of the first row's error that is saved", "change"),
    "p_value": Column("p", "Diebold–Mariano against the row before, two-sided", "p"),
    "fit_seconds": Column("fit seconds", "time of all fits"),
}


def ablations(content: Content) -> Section | None:
    """Return one table per ablation, or None for a run without any."""
    found = content.ablations
    if found is None or not len(found):
        return None
    said, tables = [], []
    for k, (title, rows) in enumerate(found.groupby("ablation", sort=False)):
        said.append(ablation_words(str(title), rows, content.metric))
        columns = {"model": NAME, content.metric: column_of(content.metric), **FIGURES}
        caption = f"{title}: each row beside the one before it."
        tables.append(Table.of(f"ablation-{k}", caption, rows, columns))
    return Section("ablations", "What each change adds", said, tables=tables)


def ablation_words(title: str, rows: pd.DataFrame, metric: str) -> str:
    """Say from where to where the error goes, and which row does most of it.

    Parameters
    ----------
    title : str
    rows : DataFrame
        As :meth:`foretide.evaluation.cards.scorecard.Scorecard.ablation` returns them.
    metric : str

    Returns
    -------
    str
    """
    first, last = rows.iloc[0], rows.iloc[-1]
    most = rows.iloc[int((rows[metric].shift() - rows[metric]).argmax())]
    way = f"{text_of(first[metric], 'number')} to {text_of(last[metric], 'number')}"
    text = f"{title}: from {first['model']} to {last['model']} the {metric.upper()} goes from {way}"
    if most["gain"] <= 0:
        return f"{text}; no row is better than the one before it."
    return (
        f"{text}; the largest step down is {most['model']} ({text_of(most['gain'], 'share')} of the error before it)."
    )
