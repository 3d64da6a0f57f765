"""The latent state of LAVAR: dynamics, loadings, shocks."""
