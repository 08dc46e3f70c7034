import naive
import numpy as np
import pytest

from vmfcore.numerics.draws import uniform, word, words_of

KEY = np.uint64(0xFEDCBA9876543210)


def test_words_are_those_that_are_published():
    # the first outputs of SplitMix64 for the seed 1234567, as other implementations are checked against
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [int(word(np.uint64(1234567), n)) for n in range(4)] == published
    assert [naive.random_word(1234567, n) for n in range(4)] == published


@pytest.mark.parametrize("n", [1, 2, 7, 64, 101])
@pytest.mark.parametrize("first", [0, 3, 2**40])
def test_uniform_numbers_equal_naive(n, first):
    numbers = np.full(n, np.nan, np.float32)
    uniform(KEY, first, numbers)
    np.testing.assert_array_equal(numbers, naive.uniform_numbers(int(KEY), first, n))
    assert words_of(n) == (n + 1) // 2


def test_numbers_are_uniform_and_independent():
    n = 100_003
    numbers = np.empty(n, np.float32)
    uniform(KEY, 0, numbers)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, bins=64, range=(0, 1))[0]
    # chi squared of 63 degrees of freedom: mean 63, standard deviation 11.2, five of them
    assert abs(((counts - n / 64) ** 2 / (n / 64)).sum() - 63) < 5 * np.sqrt(2 * 63)
    half = (n + 1) // 2
    for other in (np.roll(numbers, 1), np.roll(numbers, half)):
        assert abs(np.corrcoef(numbers, other)[0, 1]) < 5 / np.sqrt(n)
    # a neighbouring key
    neighbour = np.empty(n, np.float32)
    uniform(KEY + np.uint64(1), 0, neighbour)
    assert abs(np.corrcoef(numbers, neighbour)[0, 1]) < 5 / np.sqrt(n)
