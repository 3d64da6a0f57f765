"""LAVAR: latent dynamics for many sparse targets, and the seasonal base that it stands on."""
