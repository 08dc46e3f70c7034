"""What the pages share: figures in files, images side by side, error bars, and a baseline of full precision.

matplotlib is imported here and nowhere else in the package, so that ``import vmfcore`` does without it.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from vmfcore import checks
from vmfcore.data.digits import SIDE
from vmfcore.data.packing import pack_spins, pixel_fields, total_spins
from vmfcore.machines.machine import Machine
from vmfcore.numerics.bits import column_sums, transpose
from vmfcore.numerics.passes import to_tanh, turned_over
from vmfcore.numerics.products import multiply

FORMATS = ("png", "pdf")  # of every figure
INITIAL_SPREAD = 0.01  # of the couplings of the baseline
CENTRE_MEMORY = 0.99  # of the running mean of its hidden spins over the data


def save(fig: Figure, name: str, out: str) -> None:
    """Write a figure into a folder, as PNG and PDF.

    Parameters
    ----------
    fig : Figure
    name : str
        Of the files, without ending.
    out : str
        The folder, which must be there; "" writes nothing.
    """
    if out == "":
        return
    for kind in FORMATS:
        fig.savefig(Path(out) / f"{name}.{kind}")


def show(ax: Axes, columns, n_rows: int, title: str) -> AxesImage:
    """Images of 28 x 28 pixels side by side, in one plot without axes.

    Parameters
    ----------
    ax : Axes
    columns : (784, K) array in [-1, 1]
        An image a column, row after row.
    n_rows : int >= 1
        Rows of images; must divide K.
    title : str

    Returns
    -------
    AxesImage
        For a colour bar.  The gaps between the images are nan.
    """
    columns = checks.means(columns, shape=(SIDE**2, None), name="columns")
    n_images = columns.shape[1]
    if n_images % checks.integer(1, n_rows=n_rows):
        raise ValueError(f"n_rows must divide the number of images, {n_images}, got {n_rows}")
    images = columns.T.reshape(n_images, SIDE, SIDE)
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    # a tile for each image, then pixels of one row of tiles together
    tiles = framed.reshape(n_rows, -1, SIDE + 2, SIDE + 2).swapaxes(1, 2)
    ax.set_title(title)
    ax.set_axis_off()
    return ax.imshow(tiles.reshape(n_rows * (SIDE + 2), -1), vmin=-1, vmax=1, interpolation="none")


def mean_and_error(values, axis: int = -1):
    """Mean over the seeds, and its standard error.

    Parameters
    ----------
    values : array, may be masked
        Masked runs are left out.
    axis : int
        The one of the seeds.

    Returns
    -------
    mean, error : arrays without this axis
        error is 0 for a single seed, and masked where all but one are.

    Examples
    --------
    >>> import numpy as np
    >>> from vmfcore.notebook import mean_and_error
    >>> mean, error = mean_and_error(np.array([[1.0, 3.0], [2.0, 2.0]]))
    >>> mean, error
    (array([2., 2.]), array([1., 0.]))
    """
    values = np.asanyarray(values)
    ddof = min(1, values.shape[axis] - 1)
    n_seeds = np.maximum(np.ma.count(values, axis=axis), 1)
    return values.mean(axis=axis), values.std(axis=axis, ddof=ddof) / np.sqrt(n_seeds)


def error_bars(ax: Axes, x, values, **style) -> ErrorbarContainer:
    """Points at the means over the seeds, with bars of one standard error up and down.

    Parameters
    ----------
    ax : Axes
    x : (K,) array
    values : (K, n_seeds) array, may be masked
    **style
        Of `matplotlib.axes.Axes.errorbar`.

    Returns
    -------
    ErrorbarContainer
    """
    return ax.errorbar(x, *mean_and_error(values), **style)


def train_full_precision(
    spins, n_hidden: int, *, n_steps: int, batch_size: int, n_chains: int, step_size: float, seed: int
) -> Machine:
    r"""The baseline of the one-bit machines: real couplings, by persistent contrastive divergence.

    A step goes along <σ_i h_μ> - <σ_i h_μ>_chains, in centred coordinates (`vmfcore.learning.parameters`).

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins
    n_hidden : int >= 1
        P.
    n_steps, batch_size, n_chains : int >= 1
        Steps; samples a step, drawn with replacement; persistent chains.
    step_size : float in (0, 1]
        Of couplings and fields, falling linearly to 0.
    seed : int >= 0

    Returns
    -------
    Machine
        In each column the largest weight is 1 in size; the scale of the couplings is in beta.

    Notes
    -----
    O(n_steps (batch_size + n_chains) N P), in single precision.

    References
    ----------
    T. Tieleman, ICML (2008); G. Montavon, K.-R. Müller, LNCS 7700, 621 (2012).
    """
    data = pack_spins(spins)
    checks.integer(1, n_hidden=n_hidden, n_steps=n_steps, batch_size=batch_size, n_chains=n_chains)
    checks.real(0, 1, closed="right", step_size=step_size)
    rng = np.random.default_rng(checks.integer(0, seed=seed))
    n_samples, n_visible = data.shape

    # couplings start small and random, fields at those of independent pixels, chains in the data
    couplings = (INITIAL_SPREAD * rng.normal(size=(n_visible, n_hidden))).astype(np.float32)
    a = pixel_fields(data)
    b = np.zeros(n_hidden)
    chains = data.take(rng.integers(n_samples, size=n_chains)).bits

    # the origin of the coordinates: the mean image, and a running mean of the hidden spins
    pixels = total_spins(data) / n_samples
    centre = np.zeros(n_hidden)

    for step in range(n_steps):
        batch = data.take(rng.integers(n_samples, size=batch_size)).bits
        rate = np.float32(step_size * (1 - step / n_steps))

        # hidden means given the data, and given the chains, by the same products as those of one-bit machines
        clamped = to_tanh(multiply(batch, couplings), b)
        free = to_tanh(multiply(chains, couplings), b)
        hidden = _drawn(free, rng)
        centre = CENTRE_MEMORY * centre + (1 - CENTRE_MEMORY) * clamped.mean(axis=0)

        # the couplings follow the difference of the correlations, the fields that of the means
        excess, of_visible, of_hidden = _difference((batch, clamped), (chains, free), pixels, centre)
        change = rate * excess
        couplings += change
        # and the fields the couplings, so that the mean fields of both layers stay
        a = a + rate * of_visible - change @ centre.astype(np.float32)
        b = b + rate * of_hidden - pixels.astype(np.float32) @ change

        # a Gibbs step of the chains, at the new couplings
        visible = to_tanh(multiply(hidden, turned_over(couplings)), a)
        chains = _drawn(visible, rng)
    return _machine_of(couplings, a, b)


def _difference(data, chains, pixels, centre):
    """Correlations about the origin, means of pixels and of hidden units: of the data less those of the chains."""
    correlations = []
    visible = []
    hidden = []
    for bits, means in (data, chains):
        by_pixel = transpose(bits, len(pixels))
        correlations.append(multiply(by_pixel, means / len(bits)))
        visible.append(column_sums(by_pixel, len(bits)) / len(bits))
        hidden.append(means.mean(axis=0))
    of_visible = visible[0] - visible[1]
    of_hidden = hidden[0] - hidden[1]
    excess = correlations[0]
    excess -= correlations[1]
    excess -= np.outer(pixels, of_hidden).astype(np.float32)
    excess -= np.outer(of_visible, centre).astype(np.float32)
    return excess, of_visible, of_hidden


def _drawn(means, rng):
    """Packed spins of given means."""
    return np.packbits(2 * rng.random(means.shape, np.float32) - 1 < means, axis=1)


def _machine_of(couplings, visible_fields, hidden_fields):
    """The machine of real couplings J_iμ = β_μ ξ_iμ/√N, with ξ in [-1, 1]."""
    scale = np.abs(couplings).max(axis=0)
    return Machine(couplings / scale, scale * np.sqrt(len(couplings)), visible_fields, hidden_fields)
