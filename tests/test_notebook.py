"""What notebook 03 has beside vmfcore: the images, and the baseline with real couplings."""

import runpy
from pathlib import Path

import matplotlib as mpl
import numpy as np

import vmfcore as vmf

mpl.use("Agg")
TOOLS = runpy.run_path(str(Path(__file__).resolve().parents[1] / "notebooks" / "digits.py"))


def test_images_are_shown_in_rows_with_a_gap():
    from matplotlib import pyplot as plt

    columns = np.arange(6) / 10 * np.ones((784, 1))
    columns[1, 4] = -1.0  # second pixel of the first row of the fifth image
    shown = TOOLS["show"](plt.figure().subplots(), columns, 2, "six images").get_array().filled(np.nan)
    plt.close()
    assert shown.shape == (60, 90)
    assert shown[31, 32] == -1.0
    assert shown[10, 70] == 0.2
    assert np.isnan(shown[[0, 29, 30], 10]).all()


def test_the_baseline_comes_close_to_the_machine_behind_the_data(rng):
    truth = vmf.Machine(rng.uniform(-1, 1, size=(13, 3)), 4.0, rng.normal(size=13), 0.3 * rng.normal(size=3))
    data, test = np.split(vmf.sample(truth, 9000, seed=1), [7000])
    options = {"n_steps": 3000, "batch_size": 100, "n_chains": 100, "step_size": 0.1, "seed": 0}
    learnt = TOOLS["train_full_precision"](data, 3, **options)
    best, got = (vmf.log_likelihood(test, machine, seed=0).mean for machine in (truth, learnt))
    pixels = vmf.Machine(np.zeros((13, 1)), 1.0, np.arctanh(data.mean(axis=0)))
    independent = vmf.log_likelihood(test, pixels, seed=0).mean
    # 55 parameters from 7000 samples cost 55/14,000 nats; the noise of the last steps leaves a few per cent
    assert best - got < 0.1 * (best - independent)
    assert best - independent > 0.2  # else there is nothing to learn
