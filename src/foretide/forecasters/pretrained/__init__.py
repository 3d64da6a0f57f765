"""A small network trained on synthetic series, and the filters it weighs."""
