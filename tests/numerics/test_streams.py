import numpy as np

from vmfcore.numerics.streams import Stream, generator, stream_key


def test_streams_of_one_seed_are_independent():
    draws = np.array([generator(9, stream).random(5003) for stream in Stream])
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), k=1)]
    # five standard errors of a correlation of independent numbers
    assert np.abs(correlations).max() < 5 / np.sqrt(5003)


def test_streams_are_those_of_numpy_and_repeat():
    expected = np.random.default_rng([7, 2]).random(11)
    np.testing.assert_array_equal(generator(7, Stream.SAMPLES).random(11), expected)
    assert stream_key(7, Stream.SAMPLES) == stream_key(7, Stream.SAMPLES)
    keys = {int(stream_key(7, stream, *path)) for stream in Stream for path in ((), (0,), (1,))}
    assert len(keys) == 3 * len(Stream) - len(Stream)  # numpy takes no branch and the branch 0 for the same
