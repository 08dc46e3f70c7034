import numba
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.data.packing import pack_spins

LEVELS = np.random.default_rng(0).integers(0, 256, (37, 29)).astype(np.uint8)


def test_spins_are_drawn_with_their_grey_values_as_probabilities():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None], 4000, axis=0)
    up = vmf.GreyPixels(levels).draw().dense() > 0
    assert not up[:, 0].any()
    assert up[:, 255].all()
    # of 4000 draws each: five standard deviations, which chance leaves once in 7,000 runs of 256 levels
    p = np.arange(256) / 255
    assert (np.abs(up.mean(axis=0) - p) <= 5 * np.sqrt(p * (1 - p) / 4000)).all()
    # and independently of their neighbours, by the covariances of pixels next to each other
    x = (up - p) / np.sqrt(np.maximum(p * (1 - p), 1e-9))
    assert np.abs((x[:, 1:254] * x[:, 2:255]).mean(axis=0)).max() < 5 / np.sqrt(4000)


def test_epochs_differ_and_repeat():
    grey = vmf.GreyPixels(LEVELS, seed=3)
    first = grey.draw(0).bits
    np.testing.assert_array_equal(grey.draw(0).bits, first)
    assert (grey.draw(1).bits != first).any()
    assert (vmf.GreyPixels(LEVELS, seed=4).draw(0).bits != first).any()
    np.testing.assert_array_equal(np.asarray(grey), pack_spins(grey).dense())
    np.testing.assert_array_equal(pack_spins(grey).bits, first)


def test_a_part_has_the_spins_that_it_has_in_the_whole():
    grey, part = vmf.GreyPixels(LEVELS, seed=3), np.array([2, 3, 31])
    np.testing.assert_array_equal(grey.draw(5, part).bits, grey.draw(5).bits[part])
    assert grey[5:9].shape == (4, 29)


def test_bits_do_not_depend_on_the_number_of_threads():
    grey = vmf.GreyPixels(np.tile(LEVELS, (40, 3)), seed=1)
    before, runs = numba.get_num_threads(), []
    for n_threads in (1, before):
        numba.set_num_threads(n_threads)
        runs.append(grey.draw(2).bits)
    np.testing.assert_array_equal(*runs)


def test_levels_in_a_file(tmp_path):
    np.save(tmp_path / "levels.npy", LEVELS)
    stored = np.load(tmp_path / "levels.npy", mmap_mode="r")
    np.testing.assert_array_equal(vmf.GreyPixels(stored).draw(1).bits, vmf.GreyPixels(LEVELS).draw(1).bits)


def test_levels_that_are_not_grey_values_are_refused():
    with pytest.raises(TypeError, match=r"^levels must be an array of dtype uint8, got float64"):
        vmf.GreyPixels(LEVELS / 255)
    with pytest.raises(ValueError, match=r"^levels must be a non-empty array of shape \(any, any\)"):
        vmf.GreyPixels(LEVELS[0])
    with pytest.raises(ValueError, match=r"^seed must"):
        vmf.GreyPixels(LEVELS, seed=-1)
    with pytest.raises(ValueError, match=r"^copy must not be False"):
        np.array(vmf.GreyPixels(LEVELS), copy=False)


def fitted(spins, batch_size=None, **options):
    return vmf.fit(spins, 2, 1.0, rule=vmf.Natural(step_size=0.05), batch_size=batch_size, seed=7, **options)


@pytest.mark.parametrize("batch_size", [None, 11])
def test_pixels_that_are_never_grey_are_learnt_as_spins(batch_size):
    spins = vmf.sample(vmf.planted(29, 2, 1.0, seed=1), 37, seed=2)
    grey = vmf.GreyPixels(np.where(spins > 0, 255, 0).astype(np.uint8))
    # fifteen steps: a fit of spins may come to rest, that of grey values takes all of its steps
    plain, drawn = (fitted(data, batch_size, n_steps=15) for data in (spins, grey))
    np.testing.assert_array_equal(plain.means, drawn.means)
    assert plain.bound == drawn.bound


@pytest.mark.parametrize("batch_size", [None, 11])
def test_every_epoch_has_its_own_spins(batch_size):
    grey = vmf.GreyPixels(LEVELS, seed=3)
    once, anew = fitted(pack_spins(grey), batch_size, n_steps=9), fitted(grey, batch_size, n_steps=9)
    assert (once.means != anew.means).any()
    # the bound is that of epoch 0, at other means
    again = vmf.bound(grey, anew.means, 1.0)
    assert anew.bound.total == pytest.approx(again.total, rel=1e-9)


@pytest.mark.parametrize("batch_size", [None, 11])
def test_a_climb_goes_on_with_the_spins_of_its_epoch(batch_size, tmp_path):
    grey, stop_after = vmf.GreyPixels(LEVELS, seed=3), 8
    whole = fitted(grey, batch_size, n_steps=13)

    def stop(step, *_):
        if step == stop_after:
            raise KeyboardInterrupt

    checkpoint = vmf.Checkpoint(tmp_path / "fit.npz", every=1)
    with pytest.raises(KeyboardInterrupt):
        fitted(grey, batch_size, n_steps=13, checkpoint=checkpoint, callback=stop)
    resumed = fitted(grey, batch_size, n_steps=13, checkpoint=checkpoint)
    np.testing.assert_array_equal(whole.means, resumed.means)
    with pytest.raises(ValueError, match="spins"):
        fitted(vmf.GreyPixels(LEVELS, seed=4), batch_size, n_steps=13, checkpoint=checkpoint)
