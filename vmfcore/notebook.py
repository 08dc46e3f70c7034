"""What the pages share: figures in files, images side by side, schemes of networks, sliders, and error bars.

matplotlib is imported here and nowhere else in the package, so that ``import vmfcore`` does without it.
"""

import ast
import inspect
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from IPython import get_ipython
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.data.digits import SIDE
from vmfcore.data.shipped import shipped
from vmfcore.files.storage import load_results

FORMATS = ("png", "pdf")  # of every figure


def check_parameter_names() -> None:
    """Refuse parameters that papermill gives to a page and that the page does not have, as after a misspelt ``-p``.

    Papermill itself runs on with the default.  It writes what it is given into a cell between the page's parameters
    and their check, from which this is called.  Where there is no such cell nothing is looked at.
    """
    shell = get_ipython()
    cells = shell.user_ns["In"][-3:] if shell else []  # the last is the one that runs
    if len(cells) < 3 or not cells[1].startswith("# Parameters\n"):
        return
    known, given = (_assigned_names(cell) for cell in cells[:2])
    for name in given:
        if name not in known and not name.startswith("PAPERMILL_"):
            (nearest,) = get_close_matches(name, known, n=1, cutoff=0.0)
            raise ValueError(f"{name} is not a parameter of this page, did you mean {nearest}?")


def _assigned_names(source):
    """Names to which the lines of a cell give values."""
    lines = ast.parse(source).body
    targets = [getattr(line, "target", None) or line.targets[0] for line in lines]
    return [target.id for target in targets]


def save(fig: Figure, name: str, out: str) -> None:
    """Write a figure into a folder, as PNG and PDF; where its parts stand is settled by the first and stays.

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
        fig.set_layout_engine("none")  # what the next picture would compute anew


def show(ax: Axes, columns: ArrayLike, n_rows: int, title: str) -> AxesImage:
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


def draw_network(
    ax: Axes,
    couplings: ArrayLike,
    hidden_fields: ArrayLike | None = None,
    *,
    visible: str = "σ",
    hidden: str = "h",
    title: str = "",
) -> None:
    """The scheme of a network of two layers: units, couplings, and fields that act on hidden units.

    Parameters
    ----------
    ax : Axes
        Loses its axes.
    couplings : (N, P) array
        Positive ones are drawn as full lines, negative ones dashed; the largest is the widest, zeros are left out.
    hidden_fields : (P,) array or None
        Arrows from above, up where they are positive.
    visible, hidden : str
        Letters of the units, which get their numbers as subscripts.
    title : str
    """
    weights = checks.array((None, None), couplings=couplings)
    n_visible, n_hidden = weights.shape
    fields = np.zeros(n_hidden) if hidden_fields is None else checks.array((n_hidden,), hidden_fields=hidden_fields)
    # both layers are centred, the hidden one above
    x_visible, x_hidden = (np.arange(n) - (n - 1) / 2 for n in (n_visible, n_hidden))
    x_hidden = x_hidden * max(1.0, 0.6 * n_visible / n_hidden)
    widths = 3 * np.abs(weights) / max(np.abs(weights).max(), 1e-300)
    for (i, mu), width in np.ndenumerate(widths):
        colour, dashes = ("C0", "-") if weights[i, mu] > 0 else ("C1", (0, (2, 1)))
        if width > 0:
            ends = [x_visible[i], x_hidden[mu]], [0.0, 1.0]
            ax.plot(*ends, color=colour, linestyle=dashes, marker="", linewidth=width, zorder=1)
    for letter, y, xs in ((visible, 0.0, x_visible), (hidden, 1.0, x_hidden)):
        ax.scatter(xs, np.full(len(xs), y), s=420, facecolor="white", edgecolor="k", zorder=2)
        for k, x in enumerate(xs, start=1):
            ax.text(x, y, f"${letter}_{k}$", ha="center", va="center", zorder=3)
    for x, field in zip(x_hidden, fields, strict=True):
        if field:
            tip, tail = ((x, 1.55), (x, 1.2)) if field > 0 else ((x, 1.2), (x, 1.55))
            ax.annotate("", tip, tail, arrowprops={"arrowstyle": "-|>", "color": "C2", "lw": 2})
    ax.set(title=title, xlim=(min(x_visible[0], x_hidden[0]) - 0.6, max(x_visible[-1], x_hidden[-1]) + 0.6))
    ax.set_ylim(-0.3, 1.7)
    ax.set_axis_off()


def sliders(draw: Callable[..., Figure], **ranges: Any) -> None:
    """A picture, and below it sliders that draw it anew in its place.

    In a batch run nobody moves them and the first picture stays.  The cell is over before the first move, so that the
    messages of widgets cannot hold up whoever executes the notebook.

    Parameters
    ----------
    draw : callable
        Returns a figure; the defaults of its arguments are where the sliders start.
    **ranges
        Of each argument: (low, high, step), whole numbers or not, or a list to choose from.
    """
    starts = {name: parameter.default for name, parameter in inspect.signature(draw).parameters.items()}
    if set(starts) != set(ranges):
        raise ValueError(f"ranges must be those of {', '.join(starts)}, got {', '.join(ranges)}")
    controls = {name: _control(name, starts[name], limits) for name, limits in ranges.items()}
    picture = display(draw(**starts), display_id=True)
    plt.close()

    def moved(_):
        picture.update(draw(**{name: control.value for name, control in controls.items()}))
        plt.close()

    for control in controls.values():
        control.observe(moved, names="value")
    display(*controls.values())


def _control(name, start, limits):
    """A slider, or a list to choose from."""
    if isinstance(limits, list):
        return widgets.Dropdown(options=limits, value=start, description=name)
    low, high, step = limits
    kind = widgets.IntSlider if isinstance(start, int) else widgets.FloatSlider
    # drawn anew when it is let go
    return kind(start, min=low, max=high, step=step, description=name, continuous_update=False)


def committed(name: str) -> tuple[dict, dict]:
    """Results of a long study that come with the package: the table and the values of `load_results`.

    Parameters
    ----------
    name : str
        Of the sweep that found them.
    """
    checks.instance(str, name=name)
    return load_results(shipped(f"{name}.npz"))


def draw_machines(axes: Sequence[Axes], table: dict, name: str, **style: Any) -> None:
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


def mean_and_error(values: ArrayLike, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
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


def lies_within(values: ArrayLike, margin: float) -> str:
    r"""Whether the mean over many seeds lies between -margin and margin, as far as these seeds can say.

    Two one-sided tests, each two standard errors wide:

    .. math::
        |\bar x| + 2 s < m: \text{ yes}, \qquad |\bar x| - 2 s > m: \text{ no}, \qquad \text{else open} .

    Parameters
    ----------
    values : (n_seeds,) array
    margin : float > 0
        m, the largest mean that does not matter.

    Returns
    -------
    "yes", "no" or "open"
        Large errors never say yes, and a single seed leaves it open.

    References
    ----------
    D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15, 657 (1987).

    Examples
    --------
    >>> from vmfcore.notebook import lies_within
    >>> [lies_within([x - 0.1, x, x + 0.1], 0.2) for x in (0.05, 0.15, 0.4)]
    ['yes', 'open', 'no']
    """
    of_seeds = checks.array((None,), values=values)
    margin = checks.real(0, np.inf, margin=margin)
    if len(of_seeds) < 2:
        return "open"
    mean, error = mean_and_error(of_seeds)
    if abs(mean) + 2 * error < margin:
        return "yes"
    return "no" if abs(mean) - 2 * error > margin else "open"


def columns_of(rows: Sequence[dict]) -> dict[str, np.ndarray]:
    """A table of rows, column by column; NaN where a row has no such column.

    Parameters
    ----------
    rows : list of dicts

    Returns
    -------
    dict of (n_rows,) arrays

    Examples
    --------
    >>> from vmfcore.notebook import columns_of
    >>> columns_of([{"seed": 0, "bound": -3.5}, {"seed": 1}])
    {'seed': array([0, 1]), 'bound': array([-3.5,  nan])}
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def error_bars(ax: Axes, x: ArrayLike, values: ArrayLike, **style: Any) -> ErrorbarContainer:
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
