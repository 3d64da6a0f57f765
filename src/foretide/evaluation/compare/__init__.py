"""Whether one model is better than another by more than chance."""
