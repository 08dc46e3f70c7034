"""Choices for a purpose, as arguments of `vmfcore.fit`: ``vmf.fit(spins, P, beta, **vmf.PAPER, seed=0)``."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.bounds.model_term import Annealed, Quenched
from vmfcore.bounds.objective import Objective
from vmfcore.learning.parameters import Learn
from vmfcore.learning.rules import Adam, Natural
from vmfcore.networks import Cavity, Exact, Gibbs
from vmfcore.networks.exact import MAX_SUMMED_UNITS

# of `recipe`
LARGEST_STEP = 0.2  # ρ
STEP_AT_ONE_UNIT = 10.0  # ρ P, of many hidden units
REAL_STEP = 0.05  # of fields and temperatures
LARGEST_BATCH = 100
MOST_SUMMED = 120_000  # 2^P N up to which a step by exact sums takes no longer than one of tempered chains
FIRST_AND_LAST_WEIGHT = (0.3, 0.02)  # T

# the algorithm of Huang, arXiv:1911.07662: λ starts uniform in ±1, Adam takes 200 steps of size 0.4
PAPER: dict[str, Any] = {
    "objective": Objective(model_term=Quenched(Cavity())),
    "rule": Adam(step_size=0.4),
    "init": "random",
    "n_steps": 200,
}

# one-bit machines of images: fields and temperatures are learnt, chains see the many states of the dual network
IMAGES: dict[str, Any] = {
    "objective": Objective(model_term=Annealed(Gibbs(n_chains=100, n_temperatures=1000, n_rungs=None)), kl_weight=0.3),
    "rule": Natural(step_size=0.02, schedule="linear"),
    "learn": Learn(fields=True, beta="unit", step_size=0.02),
    "batch_size": 100,
    "n_steps": 8000,
    "dtype": "float32",
}


def recipe(spins: ArrayLike, n_hidden: int, n_steps: int = 10_000, slowness: float = 1.0) -> dict:
    r"""Arguments of `vmfcore.fit` for binary data of any kind, from the numbers of samples, pixels and hidden units.

    Chains as in `IMAGES`, which take rungs where they are seen not to cross between states, or, of few units, exact
    sums, as long as these take less time.  T falls from 0.3 to 0.02; what the sizes decide are

    .. math::
        \beta_0 = (N/P)^{1/4}, \qquad \rho = \min(1/5, 10/P)/s, \qquad b = \min(100, M) .

    Parameters
    ----------
    spins : (M, N) array, PackedSpins or GreyPixels
        The data, of which the shape alone is looked at.
    n_hidden : int >= 1
        P.
    n_steps : int >= 1
        Of the climb.
    slowness : float in [0.2, 1000]
        s, by which all steps are divided: synapses, fields and temperatures.  5, with more steps, is better where
        the correlations of the data are weak, as in the Ising model; pictures do not need it (page 08).

    Returns
    -------
    dict
        objective, rule, learn, beta, batch_size, n_steps and dtype.

    Notes
    -----
    At β_0 random synapses are at the border of the glass, β⁴P/N = 1: much colder ones freeze before they learn.  Many
    hidden units change many synapses in a step, each by a noisy derivative: the more they are, the longer that is to be
    averaged, over 1/ρ steps.  While T is large, hidden units that the data cannot pay for lose their
    β; then it falls, and what is left decides.  `Machine.live` says which units are of use.  In the last 30 % of the
    steps these fall by 10⁴ (`Natural`), so that each state comes to the weight that it has in the data.
    The constants were first chosen by likelihoods of test digits of MNIST.  On held-out training digits, of MNIST and
    of 8 × 8 pixels, other values of T and of the steps, by factors of two to five, change the likelihood by -1.6 to
    +0.4 nats per sample (tests/benchmarks/NOTES.md).

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> spins = np.random.default_rng(0).choice([-1, 1], size=(500, 16))
    >>> arguments = vmf.recipe(spins, 16, n_steps=200)
    >>> arguments["beta"], arguments["rule"].step_size
    (1.0, 0.2)
    >>> result = vmf.fit(spins, 16, **arguments, seed=0)
    """
    n_samples, n_visible = _shape_of(spins)
    checks.integer(1, n_hidden=n_hidden, n_steps=n_steps)
    slowness = checks.real(0.2, 1000, closed="both", slowness=slowness)
    few = n_hidden <= MAX_SUMMED_UNITS and 2**n_hidden * n_visible <= MOST_SUMMED
    model_term = Annealed(Exact()) if few else IMAGES["objective"].model_term
    return IMAGES | {
        "objective": replace(IMAGES["objective"], model_term=model_term, kl_weight=FIRST_AND_LAST_WEIGHT),
        "beta": (n_visible / n_hidden) ** 0.25,
        "rule": Natural(step_size=min(LARGEST_STEP, STEP_AT_ONE_UNIT / n_hidden) / slowness, schedule="settling"),
        "learn": Learn(fields=True, beta="unit", step_size=REAL_STEP / slowness),
        "batch_size": min(LARGEST_BATCH, n_samples),
        "n_steps": n_steps,
    }


def _shape_of(spins):
    """(M, N) of data in any form."""
    shape = np.shape(spins)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"spins must be a non-empty array of shape (any, any), got shape {shape}")
    return shape
