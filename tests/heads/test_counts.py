from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.heads import nbinom
from foretide.heads.counts import CountDistribution, Counted, NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from foretide.seeding import numpy_generator, torch_generator

GRID = (1e-8, 1e-4, 1.0, 1e4, 1e8)
COUNTS = (0.0, 1.0, 10.0, 1e3, 1e6)
M, T, Y = (torch.tensor(a) for a in zip(*product(GRID, GRID, COUNTS), strict=True))


def distribution_of(
    kind: str, mu: torch.Tensor, theta: torch.Tensor, pi: torch.Tensor | None = None
) -> CountDistribution:
    if kind == "poisson":
        return Poisson(mu)
    if kind == "nb":
        return NegativeBinomial(mu, theta)
    return ZeroInflatedNegativeBinomial(torch.full_like(mu, 0.3) if pi is None else pi, mu, theta)


KINDS = ("poisson", "nb", "zinb")
each = pytest.mark.parametrize("kind", KINDS)


@each
def test_log_prob_is_the_one_in_numpy(kind: str) -> None:
    # Which is SciPy's, see test_nbinom.
    got = distribution_of(kind, M.double(), T.double()).log_prob(Y.double()).numpy()
    theta = np.inf if kind == "poisson" else T.double().numpy()
    pi = float(torch.tensor(0.3)) if kind == "zinb" else None
    expected = nbinom.log_pmf(Y.numpy(), M.double().numpy(), theta, 0.3 if pi else None)
    np.testing.assert_allclose(got, expected, rtol=1e-6 if kind == "zinb" else 1e-9)


def test_log_prob_is_scipys() -> None:
    m, t, y = M.double().numpy(), T.double().numpy(), Y.double().numpy()
    fine = (m / t > 1e-6) & (m / t < 1e15)
    got = NegativeBinomial(M.double(), T.double()).log_prob(Y.double()).numpy()
    np.testing.assert_allclose(got[fine], stats.nbinom.logpmf(y, t, t / (t + m))[fine], rtol=1e-6)
    np.testing.assert_allclose(Poisson(M.double()).log_prob(Y).numpy(), stats.poisson.logpmf(y, m), rtol=1e-9)


@each
def test_single_precision_is_finite_everywhere(kind: str) -> None:
    mu, theta, logit = (p.clone().requires_grad_() for p in (M, T, torch.zeros_like(M)))
    loss = distribution_of(kind, mu, theta, logit.sigmoid()).loss(Y)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss).all()
    loss.sum().backward()
    for p in {"poisson": (mu,), "nb": (mu, theta), "zinb": (mu, theta, logit)}[kind]:
        assert p.grad is not None
        assert torch.isfinite(p.grad).all()
    double = distribution_of(kind, M.double(), T.double(), torch.full_like(M, 0.5).double()).loss(Y.double())
    torch.testing.assert_close(loss.detach(), double.float(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("pi", [0.0, 1e-30, 1.0 - 1e-7, 1.0])
def test_extreme_zero_probabilities_are_finite(pi: float) -> None:
    mu, theta, p = (x.clone().requires_grad_() for x in (M, T, torch.full_like(M, pi)))
    loss = ZeroInflatedNegativeBinomial(p, mu, theta).loss(Y)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    for x in (mu, theta, p):
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()


@each
def test_gradients_are_differences(kind: str) -> None:
    mu = torch.tensor([0.3, 2.0, 50.0, 4.0, 900.0], dtype=torch.float64, requires_grad=True)
    theta = torch.tensor([0.5, 3.0, 2000.0, 5e4, 0.1], dtype=torch.float64, requires_grad=True)
    pi = torch.tensor([0.1, 0.3, 0.5, 0.01, 0.8], dtype=torch.float64, requires_grad=True)
    for count in (0.0, 1.0, 7.0, 800.0):
        y = torch.full_like(mu, count)
        assert torch.autograd.gradcheck(
            lambda m, t, p, y=y: distribution_of(kind, m, t, p).log_prob(y), (mu, theta, pi)
        )


@each
def test_moments_samples_and_cdf_agree(kind: str) -> None:
    mu, theta, pi = torch.tensor([0.4, 6.0, 150.0]), torch.tensor([0.8, 3.0, 20.0]), torch.tensor([0.2, 0.5, 0.1])
    distribution = distribution_of(kind, mu, theta, pi)
    drawn = distribution.sample(torch_generator(1), n=40_000)
    assert drawn.shape == (40_000, 3)
    assert drawn.dtype == torch.float32
    variance = {
        "poisson": mu, "nb": mu + mu**2 / theta, "zinb": (1 - pi) * mu * (1 + mu / theta + pi * mu),
    }[kind]  # fmt: skip
    assert ((drawn.mean(dim=0) - distribution.mean()).abs() < 5 * variance.sqrt() / 200).all()
    np.testing.assert_allclose(drawn.var(dim=0), variance, rtol=0.1)
    for k in (0.0, 1.0, 5.0, 120.0):
        np.testing.assert_allclose((drawn <= k).double().mean(dim=0), distribution.cdf(torch.tensor(k)), atol=0.01)
    assert torch.equal(distribution.sample(torch_generator(1)), distribution.sample(torch_generator(1)))
    k = torch.arange(2000.0)[:, None]
    torch.testing.assert_close(
        distribution.log_prob(k).exp().cumsum(dim=0).double(), distribution.cdf(k), rtol=0, atol=2e-4
    )


@settings(max_examples=50)
@given(st.sampled_from(KINDS), st.floats(-4, 4), st.floats(-2, 5), st.floats(0.01, 0.9), st.floats(0.01, 0.99))
def test_quantiles_belong_to_the_cdf(kind: str, mu: float, theta: float, pi: float, level: float) -> None:
    distribution = distribution_of(kind, *(torch.tensor([x], dtype=torch.float64) for x in (10.0**mu, 10.0**theta, pi)))
    q = distribution.quantile(level)
    assert q == q.floor() >= 0
    assert distribution.cdf(q) >= level * (1 - 1e-11)
    assert q == 0 or distribution.cdf(q - 1) < level
    several = distribution.quantiles((0.1, 0.5, 0.9))
    assert several.shape == (1, 3)
    assert (several.diff() >= 0).all()


def test_maximum_likelihood_recovers_the_parameters() -> None:
    rng = numpy_generator(0)
    true = {"pi": 0.35, "mu": 4.0, "theta": 1.8}
    for kind in ("nb", "zinb"):
        pi = true["pi"] if kind == "zinb" else None
        y = torch.from_numpy(nbinom.sample(rng, np.full(30_000, true["mu"]), true["theta"], pi))
        raw = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([raw], max_iter=60, line_search_fn="strong_wolfe")

        def closure(kind: str = kind, y: torch.Tensor = y, raw: torch.Tensor = raw) -> torch.Tensor:
            raw.grad = None
            loss = distribution_of(kind, raw[0].exp(), raw[1].exp(), raw[2].sigmoid()).loss(y).mean()
            loss.backward()
            return loss

        optimizer.step(closure)
        found = raw.detach()
        assert float(found[0].exp()) == pytest.approx(true["mu"], rel=0.03)
        assert float(found[1].exp()) == pytest.approx(true["theta"], rel=0.1)
        if kind == "zinb":
            assert float(found[2].sigmoid()) == pytest.approx(true["pi"], abs=0.02)


@each
def test_counted_speaks_the_networks_units(kind: str) -> None:
    rng = numpy_generator(3)
    mu, theta = torch.tensor([[0.002], [3.0], [200.0]]), torch.tensor(2.0)
    unit = torch.tensor([[0.045], [1.7], [311.3]])
    distribution = distribution_of(kind, mu, theta.expand(3, 1))
    counted = Counted(distribution, unit)
    counts = torch.from_numpy(rng.poisson(np.array([0.5, 3, 1e5]), size=(50, 3)).astype(np.float32))[..., None]
    torch.testing.assert_close(counted.loss(counts / unit), distribution.loss(counts))
    torch.testing.assert_close(counted.cdf(counts / unit), distribution.cdf(counts))
    torch.testing.assert_close(counted.mean() * unit, distribution.mean())
    for q in (counted.quantile(0.9), counted.quantiles((0.9,))[..., 0]):
        np.testing.assert_allclose(q * unit, distribution.quantile(0.9), rtol=1e-6)
    drawn = counted.sample(torch_generator(0), n=4)
    torch.testing.assert_close(drawn * unit, distribution.sample(torch_generator(0), n=4))


@pytest.mark.parametrize("kind", ["nb", "zinb"])
def test_the_layout_in_memory_does_not_matter(kind: str) -> None:
    mu, theta = torch.rand(4, 3, 2) + 0.5, torch.rand(4, 1, 2) + 0.5
    y = torch.poisson(3 * torch.rand(4, 2, 3)).transpose(1, 2)
    grads = []
    for permuted in (False, True):
        m, t = mu.clone(), theta.clone()
        if permuted:
            m = m.transpose(1, 2).contiguous().transpose(1, 2)
        m.requires_grad_()
        t.requires_grad_()
        distribution_of(kind, m, t).loss(y if permuted else y.contiguous()).sum().backward()
        grads.append((m.grad, t.grad))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)
