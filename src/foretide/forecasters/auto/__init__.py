"""The forecaster that chooses among the others."""
