"""What a finished machine still needs before it is sampled: states that are about as frequent as in the data."""

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.bounds.model_term import Annealed
from vmfcore.bounds.objective import Objective
from vmfcore.learning.fit import fit
from vmfcore.learning.parameters import Learn
from vmfcore.learning.presets import IMAGES
from vmfcore.learning.rules import Natural
from vmfcore.machines.machine import Machine, check_data
from vmfcore.networks import Gibbs

STEP_SIZE = 0.01  # of fields, in natural steps; it falls to 0
N_TEMPERATURES = 1000  # from independent pixels to the machine, where the chains start


def settled(
    machine: Machine, spins: ArrayLike, *, n_chains: int = 500, n_steps: int = 3000, progress: bool = False, seed: int
) -> Machine:
    """The same synapses with fields and temperatures that bring each state closer to the weight it has in the data.

    While a machine learns, its couplings push the chains on before they have seen all states.  Here the synapses stay,
    fields and temperatures follow their derivatives with a step that falls to 0, many chains start from noise and have
    all the time: what they visit too often becomes less likely.  On digits χ² still tells the classes of samples from
    those of the data, by far less than before (page 03).

    Parameters
    ----------
    machine : Machine
        Of one-bit synapses (`Machine.binarized`).
    spins : (M, N) array, ±1, PackedSpins or GreyPixels
        What it has learnt from.
    n_chains : int in [2, M]
        Chains, and samples a step.
    n_steps : int >= 1
        One sweep each.  More than the autocorrelation time (`autocorrelation_time`), or nothing is gained.
    progress : bool
        Show a progress bar.
    seed : int >= 0

    Returns
    -------
    Machine

    Warns
    -----
    ConvergenceWarning
        If few chains carry the estimate of ln Z at the end (`fit`).

    Notes
    -----
    O(n_steps n_chains N P).  Same bits for any number of threads.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> spins = vmf.sample(vmf.planted(20, 2, beta=2.0, seed=1), 500, seed=1)
    >>> result = vmf.fit(spins, 2, **vmf.recipe(spins, 2, n_steps=200), seed=1)
    >>> machine = vmf.settled(result.machine.binarized, spins, n_chains=100, n_steps=200, seed=1)
    >>> bool((machine.weights == result.weights).all())
    True
    """
    data, machine = check_data(spins, machine)
    weights = np.asarray(machine.weights)
    if not (np.abs(weights) == 1).all():
        raise ValueError("machine must have synapses that are ±1 (Machine.binarized), got others")
    if checks.integer(2, n_chains=n_chains) > len(data.bits):
        raise ValueError(f"n_chains must be at most the number of samples, {len(data.bits)}, got {n_chains}")
    result = fit(
        spins,
        weights.shape[1],
        np.maximum(machine.beta, 1.001 * checks.MIN_BETA),  # of units of which nothing is left
        Objective(model_term=Annealed(Gibbs(n_chains, N_TEMPERATURES))),
        Natural(schedule="linear"),
        learn=Learn(fields=True, beta="unit", step_size=STEP_SIZE, synapses=False),
        fields=(machine.visible_fields, machine.hidden_fields),
        init=weights,
        n_steps=n_steps,
        batch_size=n_chains,
        dtype=IMAGES["dtype"] if np.max(machine.beta) <= checks.MAX_SINGLE_BETA else np.float64,
        progress=progress,
        seed=seed,
    )
    return result.machine.binarized
