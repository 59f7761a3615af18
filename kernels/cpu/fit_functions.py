"""Fits the polynomials of kernels/cpu/math.h: minimax in relative error by iteratively reweighted least squares."""
import numpy as np
from scipy.special import erfcx


def fit(variable, target, degree, rounds=200, per_error=None):
    basis = np.vander(variable, degree + 1, increasing=True)
    per_error = np.abs(1 / target if per_error is None else per_error)
    weight = np.ones_like(variable)
    for _ in range(rounds):
        scale = np.sqrt(weight) * per_error
        c, *_ = np.linalg.lstsq(basis * scale[:, None], target * scale, rcond=None)
        error = np.abs(basis @ c - target) * per_error
        weight *= 0.5 + error / error.max()
        weight /= weight.mean()
    return c, error.max()


r = np.cos(np.linspace(0, np.pi, 4001)) * np.log(2) / 2
# exp(r) = 1 + r + r^2 p(r)
c, _ = fit(r, np.where(np.abs(r) < 1e-4, 0.5 + r / 6 + r * r / 24, (np.expm1(r) - r) / np.where(r == 0, 1, r * r)), 4)
p = 1 + r + r * r * np.polyval(c[::-1], r)
print("exp", [float(np.float32(v)) for v in c], "relative error", np.abs(p / np.exp(r) - 1).max())

r = np.cos(np.linspace(0, np.pi, 4002)) / 2
# 2^r = 1 + r p(r): p is weighted by r, so that the error is that of the whole
c, _ = fit(r, np.expm1(r * np.log(2)) / r, 4, per_error=r / 2**r)
p = 1 + r * np.polyval(c.astype(np.float32).astype(float)[::-1], r)
print("exp2", [float(np.float32(v)) for v in c], "relative error", np.abs(p / 2**r - 1).max())

z = np.linspace(0, 9.5, 40001)
for k in (0.4, 0.5, 0.6):
    t = 1 / (1 + k * z)
    c, e = fit(t, erfcx(z), 9)
    c32 = c.astype(np.float32).astype(np.float64)
    print("erfcx", k, [float(v) for v in c32], e, np.abs(np.polyval(c32[::-1], t) / erfcx(z) - 1).max())
