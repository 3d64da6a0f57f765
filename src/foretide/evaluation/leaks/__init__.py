"""Whether a forecaster depends on the future."""
