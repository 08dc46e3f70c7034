"""What the pages share: figures in files, images side by side, and error bars.

matplotlib is imported here and nowhere else in the package, so that ``import vmfcore`` does without it.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from vmfcore import checks
from vmfcore.data.digits import DIGITS, SIDE
from vmfcore.files.storage import load_results

FORMATS = ("png", "pdf")  # of every figure


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


def committed(name: str) -> tuple[dict, dict]:
    """Results of a long study that the repository holds, in data/: the table and the values of `load_results`.

    Parameters
    ----------
    name : str
        Of the sweep that found them.
    """
    checks.instance(str, name=name)
    return load_results(DIGITS.with_name(f"{name}.npz"))


def draw_machines(axes, table, name: str, **style) -> None:
    """Test likelihood of one kind of machine with the brackets of ln Z, against storage and against P.

    Parameters
    ----------
    axes : two Axes
    table : dict of columns
        machine, n_hidden, log_likelihood, lowest, highest, bits: a row a machine.
    name : str
        With which the name of the machine begins.
    **style
        Of `matplotlib.axes.Axes.errorbar`, the label among it.
    """
    rows = np.char.startswith(table["machine"], name)
    mean = table["log_likelihood"][rows]
    bars = np.abs(mean - [table["lowest"][rows], table["highest"][rows]])
    for ax, x in zip(axes, (table["bits"][rows] / 8e3, table["n_hidden"][rows]), strict=True):
        ax.errorbar(x, mean, bars, linestyle="none", **style)


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
