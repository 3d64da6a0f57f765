"""Simple forecasters: what every model must beat."""
