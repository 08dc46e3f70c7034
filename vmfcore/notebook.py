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


def committed(name: str):
    """Results of a long study, which lie in the repository's folder data/ as ``make sweep`` has written them.

    Parameters
    ----------
    name : str
        Of the file, without ending.

    Returns
    -------
    table, values
        As `vmfcore.load_results` has them.

    Examples
    --------
    >>> from vmfcore.notebook import committed
    >>> table, values = committed("digits_at_full_scale")
    >>> sorted(set(table["machine"].tolist()))[:2]
    ['full precision', 'rounded to 1 bit']
    """
    return load_results(DIGITS.with_name(f"{name}.npz"))


def draw_machines(axes, table, name: str, style: str, *, is_line: bool) -> None:
    """Test likelihood of one kind of machine, against storage and against P.

    Parameters
    ----------
    axes : two Axes
    table : dict of columns
        machine, n_hidden, log_likelihood, lowest and highest, bits: a row a machine, of one or more seeds.
    name : str
        With which the name of the machine begins.
    style : str
        Colour, marker and line, such as "C0o-".
    is_line : bool
        Lines with the spread over the seeds; or points with the bracket of ln Z.
    """
    kinds = [kind for kind in dict.fromkeys(table["machine"].tolist()) if kind.split(" to ")[0] == name]
    for kind in kinds:
        rows = table["machine"] == kind
        widths = np.unique(table["n_hidden"][rows])
        of_width = [rows & (table["n_hidden"] == width) for width in widths]
        mean = np.array([table["log_likelihood"][row].mean() for row in of_width])
        kilobytes = np.array([table["bits"][row].mean() for row in of_width]) / 8e3
        label = f"{name}, all digits" if is_line and kind == kinds[0] else None
        for ax, x in zip(axes, (kilobytes, widths), strict=True):
            if is_line:
                spread = [table["log_likelihood"][row].std() for row in of_width]
                ax.errorbar(x, mean, spread, fmt=style, markersize=4, label=label)
            else:
                ends = [[table[end][row].mean() for row in of_width] for end in ("lowest", "highest")]
                bars = np.abs(np.array(ends) - mean)
                ax.errorbar(x, mean, bars, fmt=style[:3], linestyle="none", fillstyle="none", markersize=8)


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
