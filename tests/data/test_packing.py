import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.bounds import data_term as data_terms
from vmfcore.data import packing
from vmfcore.data.packing import pack_spins


def samples(rng, n_samples=37, n_visible=13):
    return rng.choice([-1, 1], size=(n_samples, n_visible)).astype(np.int8)


@pytest.mark.parametrize("n_visible", [1, 7, 8, 13, 101])
def test_round_trip(rng, n_visible):
    spins = samples(rng, n_visible=n_visible)
    packed = pack_spins(spins)
    assert packed.shape == spins.shape
    assert packed.bits.shape == (37, -(-n_visible // 8))
    np.testing.assert_array_equal(packed.dense(), spins)
    assert packed.dense().dtype == np.int8
    for dtype in (np.float64, np.float32):
        assert packed.dense(dtype).dtype == dtype
        np.testing.assert_array_equal(packed.dense(dtype), spins)
    for which in (slice(3, 11), np.array([5, 2, 31])):
        np.testing.assert_array_equal(packed.take(which).dense(), spins[which])
    assert pack_spins(packed).bits is packed.bits


def test_bits_beyond_the_last_spin_are_ignored(rng):
    clean = pack_spins(samples(rng))
    dirty = clean._replace(bits=clean.bits | np.array([0, 0b111], np.uint8))
    assert (dirty.bits != clean.bits).any()
    np.testing.assert_array_equal(dirty.dense(), clean.dense())
    means = rng.uniform(-0.9, 0.9, size=(13, 3))
    for objective in map(vmf.Objective, data_terms.DATA_TERMS):
        assert vmf.bound(dirty, means, 1.1, objective) == vmf.bound(clean, means, 1.1, objective)
        one, other = (vmf.bound_gradient(data, means, 1.1, objective) for data in (dirty, clean))
        np.testing.assert_array_equal(one, other)
    for init in ("random", "pca"):
        one, other = (vmf.fit(data, 3, 1.1, n_steps=5, init=init, seed=0) for data in (dirty, clean))
        np.testing.assert_array_equal(one.means, other.means)


@pytest.mark.parametrize("size", [1, 5, 36, 37, 38, None])
def test_blocks_are_all_samples_in_their_order(rng, size, monkeypatch):
    monkeypatch.setattr(packing, "IN_SHARED_CACHE", 7 * 13 + 1)  # None: seven samples at once
    spins = samples(rng)
    packed = pack_spins(spins)
    for dtype in (np.int8, np.float32):
        blocks = list(packed.blocks(dtype, size))
        assert {len(block) for block in blocks[:-1]} <= {size or 7}
        assert 1 <= len(blocks[-1]) <= (size or 7)
        assert all(block.dtype == dtype for block in blocks)
        np.testing.assert_array_equal(np.concatenate(blocks), spins)


def test_sums_and_fields_of_pixels(rng, monkeypatch):
    monkeypatch.setattr(packing, "IN_SHARED_CACHE", 7 * 13 + 1)
    spins = samples(rng)
    spins[:, 2] = 1
    packed = pack_spins(spins)
    total = packing.total_spins(packed)
    assert total.dtype == np.float64
    np.testing.assert_array_equal(total, spins.sum(axis=0))
    # Laplace: 38 of 39 samples are up
    assert packing.pixel_fields(packed)[2] == pytest.approx(0.5 * np.log(38))
    np.testing.assert_allclose(np.tanh(packing.pixel_fields(packed)), total / 39, atol=1e-15)


@pytest.mark.parametrize(
    "options", [{"init": "pca"}, {"batch_size": 11}, {"dtype": np.float32, "objective": vmf.Objective("calibrated")}]
)
def test_a_file_is_as_good_as_an_array(rng, tmp_path, options):
    spins = samples(rng)
    packed = pack_spins(spins)
    np.save(tmp_path / "bits.npy", packed.bits)
    mapped = vmf.PackedSpins(np.load(tmp_path / "bits.npy", mmap_mode="r"), 13)
    strided = vmf.PackedSpins(np.repeat(packed.bits, 2, axis=0)[::2], 13)
    results = [vmf.fit(data, 3, 1.1, n_steps=5, seed=0, **options) for data in (spins, packed, mapped, strided)]
    for result in results[1:]:
        np.testing.assert_array_equal(result.means, results[0].means)
        assert result.bound == results[0].bound
    assert vmf.infer_weights(mapped, 1, 0.3, seed=0).bound == vmf.infer_weights(spins, 1, 0.3, seed=0).bound
