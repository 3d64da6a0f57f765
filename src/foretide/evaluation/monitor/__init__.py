"""Whether a model at work still does what it did: forecasts beside what came, and columns beside what they were."""
