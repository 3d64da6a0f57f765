"""What a person fits: every model that learns from a panel and predicts from cutoffs."""
