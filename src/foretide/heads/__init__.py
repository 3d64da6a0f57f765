"""Hidden features in, predictive distribution out; :mod:`foretide.heads.table` names the heads."""
