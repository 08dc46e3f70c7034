"""What notebook 03 needs beside vmfcore: images side by side, and its baseline, an RBM with real couplings."""

import numpy as np

import vmfcore as vmf

SIDE = 28  # pixels


def show(ax, columns, n_rows, title):
    """Columns (784, K) with values in [-1, 1] as K images in ``n_rows`` rows; what ``ax.imshow`` returns."""
    tiles = np.pad(columns.T.reshape(-1, SIDE, SIDE).astype(float), ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    tiles = tiles.reshape(n_rows, -1, SIDE + 2, SIDE + 2).swapaxes(1, 2)
    ax.set_title(title)
    ax.set_axis_off()
    return ax.imshow(tiles.reshape(n_rows * (SIDE + 2), -1), vmin=-1, vmax=1, interpolation="none")


def train_full_precision(spins, n_hidden, *, n_steps, batch_size, n_chains, step_size, seed):
    """A `vmfcore.Machine` with real couplings, by persistent contrastive divergence in centred coordinates.

    The step falls linearly to 0; couplings start at 0.01 Normal(0, 1), fields at those of independent pixels.

    References
    ----------
    T. Tieleman, ICML (2008); G. Montavon, K.-R. Müller, LNCS 7700, 621 (2012).
    """
    rng, (n_samples, n_visible) = np.random.default_rng(seed), spins.shape
    spins = spins.astype(np.float32)
    draw = lambda means: np.where(2 * rng.random(means.shape, np.float32) - 1 < means, np.float32(1), np.float32(-1))  # noqa: E731
    pixels, centre = spins.mean(axis=0), np.zeros(n_hidden, np.float32)
    couplings = (0.01 * rng.normal(size=(n_visible, n_hidden))).astype(np.float32)
    a = np.arctanh(spins.sum(axis=0) / (n_samples + 2))
    b, chains = centre, spins[rng.integers(n_samples, size=n_chains)]
    for step in range(n_steps):
        batch, rate = spins[rng.integers(n_samples, size=batch_size)], np.float32(step_size * (1 - step / n_steps))
        clamped, free = np.tanh(batch @ couplings + b), np.tanh(chains @ couplings + b)
        hidden = draw(free)
        centre = 0.99 * centre + 0.01 * clamped.mean(axis=0)
        data = (batch - pixels).T @ (clamped - centre) / batch_size
        change = rate * (data - (chains - pixels).T @ (free - centre) / n_chains)
        couplings += change
        a = a + rate * (batch.mean(axis=0) - chains.mean(axis=0)) - change @ centre
        b = b + rate * (clamped.mean(axis=0) - free.mean(axis=0)) - pixels @ change
        chains = draw(np.tanh(hidden @ couplings.T + a))
    scale = np.abs(couplings).max(axis=0)
    return vmf.Machine(couplings / scale, scale * np.sqrt(n_visible), a, b)
