from pathlib import Path

import numpy as np
import pytest
from small import same, small_machine

import vmfcore as vmf
from vmfcore.files import archives, storage
from vmfcore.machines.machine import Machine, check_machine

HERE = Path(__file__).parent  # where files of vmfcore 0.6 are


@pytest.mark.parametrize("name", ["machine.npz", "machine"])
@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.float64])
def test_round_trip(dtype, name, rng, tmp_path):
    weights = rng.choice([-1, 1], size=(13, 5)).astype(np.int8)
    if dtype != np.int8:
        weights = rng.uniform(-1, 1, size=(13, 5)).astype(dtype)
    machine = small_machine(rng, 13, 5, weights)
    metadata = {"data": "digits √", "empty": "", "epochs": 7, "rate": 0.1, "done": True, "nan": np.nan}
    history = rng.normal(size=(3, 2)).astype(np.float32)
    vmf.save_machine(tmp_path / name, machine, history=history, **metadata)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    loaded, found = vmf.load_machine(str(tmp_path / name))
    assert same(loaded, machine)
    np.testing.assert_array_equal(found.pop("history"), history)
    assert list(found) == list(metadata)
    for key, value in metadata.items():
        assert type(found[key]) is type(value)
        assert found[key] == value or key == "nan"
    with np.load(tmp_path / name, allow_pickle=False) as archive:
        assert str(archive["vmfcore_version"]) == vmf.__version__


def test_a_synapse_takes_a_bit(tmp_path, rng):
    sizes = []
    for n_visible in (1009, 2017):
        vmf.save_machine(tmp_path / "machine", Machine(rng.choice([-1, 1], size=(n_visible, 101)), 1.0))
        sizes.append((tmp_path / "machine").stat().st_size)
    # besides the bits, 8 bytes a field; what numpy writes around the arrays is padded to 64 bytes
    assert sizes[1] - sizes[0] == pytest.approx(1008 * 101 / 8 + 8 * 1008, abs=64)


def test_every_changed_byte_is_noticed(rng, tmp_path):
    path = tmp_path / "machine.npz"
    vmf.save_machine(path, small_machine(rng), epochs=7)
    content = path.read_bytes()
    damaged = [content[:n] for n in (0, 1, 63, 64, 65, len(content) // 2, len(content) - 1)] + [content + b"\0"]
    for where in [*rng.integers(len(content), size=211), 0, len(content) - 1]:
        damaged.append(content[:where] + bytes([content[where] ^ rng.integers(1, 256)]) + content[where + 1 :])
    for wrong in damaged:
        path.write_bytes(wrong)
        with pytest.raises(
            ValueError, match=r"^path must be a machine that save_machine wrote, and whole, got .*\.npz"
        ):
            vmf.load_machine(path)


def test_files_that_are_something_else(rng, tmp_path, monkeypatch):
    path = tmp_path / "machine.npz"
    with pytest.raises(FileNotFoundError, match=r"^path must be a machine .*, nothing is at .*machine\.npz"):
        vmf.load_machine(path)
    np.savez(path, weights=np.ones(3))
    with pytest.raises(ValueError, match=r"^path must be a machine that save_machine wrote"):
        vmf.load_machine(path)
    monkeypatch.setattr(storage, "FORMAT", 2)
    vmf.save_machine(path, small_machine(rng))
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"^path must be a machine of format 1, got .* of format 2"):
        vmf.load_machine(path)


def test_results_come_back(rng, tmp_path):
    path = tmp_path / "results.npz"
    table = {"seed": [1, 2, 3], "rule": ["adam", "natural", "√"], "overlap": rng.normal(size=3).astype(np.float32)}
    vmf.save_results(path, table=table, curve=rng.normal(size=(2, 5)), beta=1.5, init="pca", alphas=[1.0, 2.0])
    columns, values = vmf.load_results(str(path))
    assert list(columns) == list(table)
    for name, column in table.items():
        np.testing.assert_array_equal(columns[name], column)
    assert columns["overlap"].dtype == np.float32
    assert (values["beta"], values["init"], values["vmfcore_version"]) == (1.5, "pca", vmf.__version__)
    assert values["alphas"].tolist() == [1.0, 2.0]
    assert values["numpy_version"] == np.__version__
    vmf.save_results(path, seed=3)
    columns, values = vmf.load_results(path)
    assert (columns, values["seed"]) == ({}, 3)
    with pytest.raises(ValueError, match=r"^path must be a machine that save_machine wrote, got .*, which is results"):
        vmf.load_machine(path)


def test_every_changed_byte_of_results_is_noticed(rng, tmp_path):
    path = tmp_path / "results.npz"
    vmf.save_results(path, table={"x": rng.normal(size=11)}, seed=3)
    content = path.read_bytes()
    for where in [*rng.integers(len(content), size=101), 0, len(content) - 1]:
        path.write_bytes(content[:where] + bytes([content[where] ^ rng.integers(1, 256)]) + content[where + 1 :])
        with pytest.raises(ValueError, match=r"^path must be results that save_results wrote, and whole, got .*npz"):
            vmf.load_results(path)


def test_a_failure_leaves_the_file_that_was_there(rng, tmp_path, monkeypatch):
    path, machine = tmp_path / "machine.npz", check_machine(small_machine(rng))
    vmf.save_machine(path, machine)

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(archives.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        vmf.save_machine(path, machine.binarized, epochs=3)
    assert [p.name for p in tmp_path.iterdir()] == ["machine.npz"]
    loaded, metadata = vmf.load_machine(path)
    assert same(loaded, machine)
    assert metadata == {}
    with pytest.raises(FileNotFoundError, match=r"^path must be in a folder that exists, got .*nowhere"):
        vmf.save_machine(tmp_path / "nowhere" / "machine", machine)


def test_machines_of_version_0_6_are_read():
    bits, metadata = vmf.load_machine(HERE / "machine_06_bits.npz")
    real, same_metadata = vmf.load_machine(HERE / "machine_06_real.npz")
    assert isinstance(bits.weights, vmf.PackedSpins)
    assert bits.weights.shape == (61, 5)
    assert (real.weights.shape, real.weights.dtype) == ((61, 5), np.float64)
    # both were made from the same means: one keeps them, the other their signs
    np.testing.assert_array_equal(bits.weights, real.binarized.weights)
    np.testing.assert_array_equal(bits.weights.dense().sum(axis=0), [3, 7, 5, -1, 5])
    np.testing.assert_array_equal(bits.weights.dense()[0], [1, 1, -1, 1, 1])
    first = [0.9083022059240091, 0.5358641812711986, -0.7480585064235958, 0.6539761718614896, 0.698144146862391]
    np.testing.assert_array_equal(real.weights[0], first)
    assert real.weights[60, 4] == 0.2807300656320364
    # the other parts are the same in both, to the last bit
    for machine in (bits, real):
        assert [part.dtype for part in machine[1:]] == 3 * [np.float64]
        assert [part.shape for part in machine[1:]] == [(5,), (61,), (5,)]
        beta = [1.0609197050803643, 0.8175101294555986, 0.8080118347496867, 1.1356850330044121, 1.0348572190352234]
        np.testing.assert_array_equal(machine.beta, beta)
        np.testing.assert_array_equal(machine.visible_fields[[0, 60]], [0.1830017542472281, 0.11052312743075898])
        np.testing.assert_array_equal(machine.hidden_fields[[0, 4]], [0.164373629133578, -0.24349359126741027])
        assert same(check_machine(machine), machine)
    for found in (metadata, same_metadata):
        np.testing.assert_array_equal(found.pop("history"), np.arange(4.0) / 3)
        assert found == {"dataset": "planted", "seed": 7, "bound": -1.25, "trained": True}
        assert [type(value) for value in found.values()] == [str, int, float, bool]


def test_results_of_version_0_6_are_read():
    table, values = vmf.load_results(HERE / "results_06.npz")
    assert [*table] == ["alpha", "rule", "n"]
    np.testing.assert_array_equal(table["alpha"], [0.5, 1.0, 2.0])
    np.testing.assert_array_equal(table["rule"], ["natural", "adam", "natural"])
    np.testing.assert_array_equal(table["n"], [1, 2, 3])
    assert (table["alpha"].dtype, table["n"].dtype) == (np.float64, np.int64)
    np.testing.assert_array_equal(values.pop("grid"), np.arange(6.0).reshape(2, 3) / 7)
    versions = {"vmfcore_version": "0.6.0", "numpy_version": "2.4.6", "numba_version": "0.68.1"}
    expected = {"seed": 3, "beta": 1.5, "title": "overlaps, α", "on": True}
    assert values == expected | versions
    for name, value in expected.items():
        assert type(values[name]) is type(value)


def test_what_version_0_6_wrote_is_written_again(tmp_path):
    for name in ("machine_06_bits.npz", "machine_06_real.npz"):
        machine, metadata = vmf.load_machine(HERE / name)
        vmf.save_machine(tmp_path / name, machine, **metadata)
        again, _ = vmf.load_machine(tmp_path / name)
        assert same(again, machine)
        assert (tmp_path / name).stat().st_size == (HERE / name).stat().st_size
