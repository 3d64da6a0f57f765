"""Sections of what ``foretide explain`` found: attention, latent state, inputs."""
