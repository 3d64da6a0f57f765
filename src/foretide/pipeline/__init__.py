"""The main job: configuration in, run folder out."""

from foretide.pipeline.config import Config, load_config



__all__ = ["Config", "RunFolder", "load_config", "run"]
