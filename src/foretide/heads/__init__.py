"""Hidden features in, predictive law out; :mod:`foretide.heads.table` names the heads."""
