"""What names of columns say: words of several languages for ids, times, targets, covariates and events."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMES = """
ds date datetime timestamp time day month period week quarter year index t datum tag zeit zeitpunkt monat woche jahr
jour mois fecha dia mes ano data giorno mese dato zeitstempel ts unix epoch step
"""
_IDS = """
uniqueid id series item sku product article store shop entity sensor key name station site location meter warehouse
branch outlet plant machine device customer account department dept family category brand region state city country
ticker symbol filiale artikel produkt markt kunde standort lager werk geschaft laden gerat zahler magasin produit client
tienda producto almacen cliente negozio prodotto magazzino loja produto winkel butik vare sklep
"""
_TARGETS = """
y target label sales sale sold demand revenue turnover quantity qty units consumption orders load users visitors
umsatz absatz verkauf verkaufe nachfrage bedarf menge verbrauch stuckzahl ventes demande quantite consommation ventas
demanda cantidad unidades consumo ingresos vendite domanda quantita fatturato vendas procura quantidade faturamento
receita verkoop omzet vraag aantal forsaljning efterfragan sprzedaz value wert valeur valor valore waarde count cnt
anzahl amount ot close volume price preis prix precio prezzo preco
"""
_AHEAD = """
promo promotion promotions campaign event events holiday holidays vacation school workingday bankholiday aktion werbung
feiertag ferien urlaub ereignis ferie vacances conge fete promocion festivo evento promozione festivita promocao feriado
aktie feestdag vakantie open closed closure closing geschlossen ferme cerrado chiuso fechado gesloten
"""
_COVARIATES = """
price preis prix precio prezzo preco cost discount rabatt lag rolling temp temperature temperatur humidity rain rainfall
regen precipitation wind windspeed snow weather wetter pressure cloud clouds dew solar radiation cpi fuel oil
unemployment index lat lon latitude longitude flag
"""
_CALENDAR = {
    "year": "year yr jahr annee ano anno",
    "quarter": "quarter qtr quartal trimestre",
    "month": "month mnth monat mois mes mese",
    "week": "week weekofyear isoweek kw woche semaine semana settimana",
    "day": "day dayofmonth tag jour dia giorno",
    "dayofyear": "dayofyear doy",
    "weekday": "weekday dayofweek dow wochentag joursemaine diasemana",
    "weekend": "weekend isweekend wochenende",
    "hour": "hour hr stunde heure hora ora",
    "minute": "minute",
}

TIMES, IDS, TARGETS = (tuple(text.split()) for text in (_TIMES, _IDS, _TARGETS))
"""Most likely first."""
AHEAD, COVARIATES = (frozenset(text.split()) for text in (_AHEAD, _COVARIATES))
CALENDAR = {word: part for part, text in _CALENDAR.items() for word in text.split()}
_LONG = 5
"""Words of at least so many letters are also found at the end of a compound, such as Nettoumsatz."""
_LOOKED_AT = 200
"""Characters of a name; a damaged file may have one of millions."""


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name: lower case, without accents, digits apart.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from foretide.data.reading.words import words_of
    >>> words_of("Store_ID"), words_of("Größe2")
    (('store', 'id'), ('grosse', '2'))
    """
    letters = unicodedata.normalize("NFKD", name[:_LOOKED_AT])
    plain = "".join(c for c in letters if not unicodedata.combining(c)).replace("ß", "ss")
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    return tuple(word.lower() for word in re.findall(r"[^\W\d_]+|\d+", plain))


def said(name: str, known: Sequence[str] | frozenset[str]) -> str | None:
    """Return the word of a list that a name says, None where it says none; the whole name counts first.

    Parameters
    ----------
    name : str
    known : sequence of str

    Returns
    -------
    str or None

    Examples
    --------
    >>> from foretide.data.reading.words import TARGETS, said
    >>> said("Nettoumsatz", TARGETS)
    'umsatz'
    """
    words = words_of(name)
    for word in ("".join(words), *words):
        if word in known:
            return word
    ends = [k for word in words for k in known if len(k) >= _LONG and word.endswith(k)]
    return max(ends, key=len) if ends else None


def rank(name: str, known: Sequence[str]) -> int:
    """Return the position of what a name says in a list, the end of the list where it says nothing of it.

    Parameters
    ----------
    name : str
    known : sequence of str

    Returns
    -------
    int
    """
    word = said(name, known)
    return len(known) if word is None else known.index(word)


def stem(name: str) -> tuple[str, ...]:
    """Return the words of a name without its digits and single letters at the end: alike for shop1 and shop2.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from foretide.data.reading.words import stem
    >>> stem("shop1") == stem("shop_2") == ("shop",)
    True
    """
    words = [word for word in words_of(name) if not word.isdigit()]
    while len(words) > 1 and len(words[-1]) == 1:
        words.pop()
    return tuple(words)
