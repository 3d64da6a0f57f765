"""Fitted models as graphs that run without torch and foretide (ONNX)."""
