"""Choices for a purpose, as arguments of `vmfcore.fit`: ``vmf.fit(spins, P, beta, **vmf.PAPER, seed=0)``."""

from vmfcore.bounds.model_term import Annealed, Quenched
from vmfcore.bounds.objective import Objective
from vmfcore.learning.parameters import Learn
from vmfcore.learning.rules import Adam, Natural
from vmfcore.networks.solvers import Cavity, Gibbs

# the algorithm of Huang, arXiv:1911.07662: λ starts uniform in ±1, Adam takes 200 steps of size 0.4
PAPER = {
    "objective": Objective(model_term=Quenched(Cavity())),
    "rule": Adam(step_size=0.4),
    "init": "random",
    "n_steps": 200,
}

# one-bit machines of images: fields and temperatures are learnt, chains see the many states of the dual network
IMAGES = {
    "objective": Objective(model_term=Annealed(Gibbs(n_chains=100, n_temperatures=1000)), kl_weight=0.3),
    "rule": Natural(step_size=0.02, schedule="linear"),
    "learn": Learn(fields=True, beta="unit", step_size=0.02),
    "batch_size": 100,
    "n_steps": 8000,
    "dtype": "float32",
}
