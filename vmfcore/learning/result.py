"""What every learner returns."""

from typing import NamedTuple

import numpy as np

from vmfcore.bounds.beliefs import Prior
from vmfcore.bounds.objective import Bound, Objective
from vmfcore.learning.parameters import Learn
from vmfcore.learning.rules import Rule
from vmfcore.machines.machine import Machine, check_machine
from vmfcore.networks.chains import Crossing


class History(NamedTuple):
    """One entry for each step that was asked for, the start and the end among them."""

    step: np.ndarray  # 0 at the start
    bound: np.ndarray  # nats
    data_term: np.ndarray
    model_term: np.ndarray
    kl: np.ndarray
    entropy: np.ndarray  # of the synapses, nats
    n_iter: np.ndarray  # message-passing sweeps of the slowest dual network
    residual: (
        np.ndarray
    )  # of message passing: largest change of a magnetization; of chains: error of ln Z, if estimated
    distance: np.ndarray  # from a stationary point: root mean square of what an undamped step would change in λ
    beta: np.ndarray  # inverse temperature


class FitResult(NamedTuple):
    """The best restart of a learner, and the choices that it was learnt with."""

    means: np.ndarray  # (N, P), lambda; in the precision of the fit
    weights: np.ndarray  # (N, P) int8, sign of the means
    bound: Bound  # at these means; of `infer_weights` and calibrated data terms an estimate of the log-evidence
    history: History  # of this restart
    converged: bool  # near a stationary point, and message passing has converged
    restart_bounds: np.ndarray  # final bound of every restart
    beta: float | np.ndarray  # (P,) where each hidden unit has its own
    visible_fields: np.ndarray | None  # (N,); None: a model without fields
    hidden_fields: np.ndarray | None  # (P,)
    objective: Objective | None  # with the solver that was chosen; of `infer_weights` None, as the next
    rule: Rule | None
    learn: Learn
    prior: Prior
    crossing: Crossing | None = None  # of the chains, how they crossed between states; None without chains
    # (P,), of `infer_weights`: de Almeida's and Thouless' Λ, beyond 1 where a hidden unit cannot come to rest
    stability: np.ndarray | None = None

    @property
    def machine(self) -> Machine:
        """The machine of the posterior means; ``machine.binarized`` that of one-bit synapses."""
        return check_machine(Machine(self.means, self.beta, self.visible_fields, self.hidden_fields))
