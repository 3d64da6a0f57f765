"""Gradients written by hand, each behind one class that falls back to autograd; see ``benchmarks/fused.py``."""
