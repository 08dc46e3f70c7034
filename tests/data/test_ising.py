"""The Ising model on a small torus, against the sum over all of its states."""

import naive
import numpy as np
import pytest

from vmfcore.data.ising import ising_energies, ising_spins, ising_thermodynamics


def enumerated(side, temperature):
    """All states, their energies bond by bond, and their probabilities."""
    states = naive.states(side**2)
    energies = np.zeros(len(states))
    for x in range(side):
        for y in range(side):
            site = states[:, side * x + y]
            energies -= site * states[:, side * x + (y + 1) % side]
            energies -= site * states[:, side * ((x + 1) % side) + y]
    weights = np.exp(-energies / temperature)
    return states, energies, weights


@pytest.mark.parametrize(("side", "temperature"), [(3, 1.7), (3, 4.0), (4, 2.5)])
def test_averages_are_those_of_all_states(side, temperature):
    states, energies, weights = enumerated(side, temperature)
    p = weights / weights.sum()
    exact = ising_thermodynamics(side, temperature)
    assert exact.log_partition == pytest.approx(np.log(weights.sum()), rel=1e-12)
    assert exact.energy == pytest.approx(p @ energies, rel=1e-12)
    variance = p @ energies**2 - (p @ energies) ** 2
    assert exact.specific_heat == pytest.approx(variance / temperature**2, rel=1e-9)
    assert exact.entropy(temperature) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-10)
    for d, correlation in enumerate(exact.correlations):
        assert correlation == pytest.approx(p @ (states[:, 0] * states[:, d]), rel=1e-10)


def test_samples_follow_the_distribution():
    states, energies, weights = enumerated(3, 2.5)
    p = weights / weights.sum()
    spins = ising_spins(3, 2.5, 40_000, seed=1)
    numbers = ((spins > 0) @ 2 ** np.arange(9)[::-1]).astype(int)
    of_states = ((states > 0) @ 2 ** np.arange(9)[::-1]).astype(int)
    seen = np.bincount(numbers, minlength=512)[of_states] / 40_000
    # five standard errors of a frequency, and a count
    assert (np.abs(seen - p) < 5 * np.sqrt(p / 40_000) + 1 / 40_000).all()
    np.testing.assert_allclose(np.sort(np.unique(ising_energies(spins))), np.unique(energies))
    # another temperature is told from this one
    colder = ising_energies(ising_spins(3, 2.0, 40_000, seed=1)).mean()
    assert abs(colder - p @ energies) > 20 * energies.std() / np.sqrt(40_000)


def test_energies_of_known_states():
    up = np.ones((1, 64), np.int8)
    stripes = np.tile([1, -1], 32)[None]
    np.testing.assert_array_equal(ising_energies(np.concatenate([up, -up, stripes])), [-128, -128, 0])


def test_it_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"^side must be at most 10, got 11"):
        ising_thermodynamics(11, 2.0)
    with pytest.raises(ValueError, match=r"^temperature must be"):
        ising_spins(8, 0.0, 5, seed=0)
    with pytest.raises(ValueError, match=r"^spins must have a square number of columns, got 5"):
        ising_energies(np.ones((2, 5)))
