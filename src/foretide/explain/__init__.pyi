# Signatures for editors and type checkers; the names are those of EXPLAINERS (tests/explain/test_table.py).
from foretide.explain.importance.gradients import input_gradients as input_gradients
from foretide.explain.importance.importance import inputs as inputs
from foretide.explain.latent.summary import dynamics as dynamics
from foretide.explain.weights.summary import attention as attention

__all__ = ["attention", "dynamics", "input_gradients", "inputs"]
