"""Error measures of points and of predictive distributions."""
