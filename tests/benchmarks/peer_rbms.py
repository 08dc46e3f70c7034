"""What a training step and a Gibbs sweep of rbms cost, in a process of its own: `make bench-peers` installs it.

Its machine of binary data has units 0 and 1.  Run with the file of the digits (.npy, ±1) as argument: every line of
JSON on stdin, ``{"step": [P, b]}`` or ``{"sweep": [P, K]}``, is answered by the median time in seconds on stdout.
"""

import json
import os
import sys
import time

import numpy as np
import torch
from rbms.bernoulli_bernoulli import BBRBM
from rbms.dataset.dataset_class import RBMDataset
from rbms.training.pcd import fit_batch_pcd

N_WARM, N_TIMED = 10, 30
DTYPE = torch.float32
BETA = 6.0  # of the machine that is sampled


def digits(path):
    """The digits as a data set of rbms."""
    pixels = (np.load(path) > 0).astype(np.float32)
    nothing, ones = np.zeros(len(pixels)), np.ones(len(pixels))
    return RBMDataset(pixels, nothing, ones, np.arange(len(pixels)), "digits", is_binary=True, device="cpu")


def median_seconds(function):
    """Median time of a call, once what is compiled at the first calls is compiled."""
    times = []
    for _ in range(N_WARM + N_TIMED):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times[N_WARM:]))


def training_step(data, n_hidden, batch_size):
    """A step of `rbms.training.pcd.train` with one Gibbs step, without what it writes to files and to the screen.

    Persistent contrastive divergence of as many chains as there are samples in the batch, with its defaults otherwise:
    centred, not regularized, plain gradient ascent along the gradient divided by its norm.
    """
    machine = BBRBM.init_parameters(n_hidden, data, torch.device("cpu"), DTYPE)
    machine.init_grad()
    optimizer = torch.optim.SGD(machine.parameters(), lr=0.01, maximize=True)
    chains = machine.init_chains(batch_size)

    def step():
        nonlocal chains
        chosen = torch.randperm(len(data))[:batch_size]
        batch = data.data[chosen], data.weights[chosen]
        optimizer.zero_grad(set_to_none=False)
        chains, _ = fit_batch_pcd(batch, chains, machine, gibbs_steps=1, beta=1.0, centered=True)
        optimizer.step()

    return step


def gibbs_sweep(n_visible, n_hidden, n_chains):
    """A sweep as in `rbms.classes.RBM.sample_state`, of a machine of ±1 units with real couplings and no fields."""
    couplings = BETA / np.sqrt(n_visible) * np.random.default_rng(0).uniform(-1, 1, (n_visible, n_hidden))
    # J (2v - 1)(2h - 1) in units that are 0 and 1
    parts = 4 * couplings, -2 * couplings.sum(axis=1), -2 * couplings.sum(axis=0)
    machine = BBRBM(*(torch.from_numpy(part) for part in parts), dtype=DTYPE)
    chains = machine.init_chains(n_chains)

    def sweep():
        nonlocal chains
        chains = machine.sample_hiddens(chains)
        chains = machine.sample_visibles(chains)

    return sweep


def answer(question, data):
    """Seconds of what one line asks for."""
    if "step" in question:
        return median_seconds(training_step(data, *question["step"]))
    return median_seconds(gibbs_sweep(data.get_num_visibles(), *question["sweep"]))


def main():
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    data = digits(sys.argv[1])
    with torch.no_grad():
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), data)), flush=True)


if __name__ == "__main__":
    main()
