"""What the pages share: files of figures, images, error bars."""

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import matplotlib as mpl
import numpy as np
import papermill
import pytest
from matplotlib import pyplot as plt
from papermill.exceptions import PapermillExecutionError

from vmfcore import notebook

mpl.use("Agg")


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_matplotlib_is_loaded_by_the_pages_alone():
    code = "import sys, vmfcore; assert 'matplotlib' not in sys.modules; assert 'vmfcore.notebook' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_figures_are_saved_as_png_and_pdf_and_nowhere_where_there_is_no_folder(ax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook.save(ax.figure, "line", "")
    assert list(tmp_path.iterdir()) == []
    notebook.save(ax.figure, "line", str(tmp_path))
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "line.pdf").read_bytes().startswith(b"%PDF")
    assert len(list(tmp_path.iterdir())) == 2


def test_images_are_shown_in_rows_with_a_gap(ax):
    columns = np.arange(6) / 10 * np.ones((784, 1))
    columns[1, 4] = -1.0  # second pixel of the first row of the fifth image
    shown = notebook.show(ax, columns, 2, "six images").get_array().filled(np.nan)
    assert shown.shape == (60, 90)
    assert shown[31, 32] == -1.0
    assert shown[10, 70] == 0.2
    assert np.isnan(shown[[0, 29, 30], 10]).all()
    assert ax.get_title() == "six images"


def test_images_that_do_not_fit_are_refused(ax):
    with pytest.raises(ValueError, match=r"columns must be a non-empty array of shape \(784, any\), got shape"):
        notebook.show(ax, np.zeros((783, 4)), 2, "")
    with pytest.raises(ValueError, match="n_rows must divide the number of images, 4, got 3"):
        notebook.show(ax, np.zeros((784, 4)), 3, "")


def test_errors_are_those_of_a_mean_over_the_seeds(rng, ax):
    values = rng.normal(size=(5, 7))
    mean, error = notebook.mean_and_error(values)
    np.testing.assert_allclose(mean, [sum(row) / 7 for row in values])
    np.testing.assert_allclose(error, [np.sqrt(sum((row - row.mean()) ** 2) / 6 / 7) for row in values])
    other_way = notebook.mean_and_error(values.T, axis=0)
    np.testing.assert_allclose(other_way, (mean, error))
    points, *_ = notebook.error_bars(ax, range(5), values, marker="o")
    np.testing.assert_array_equal(points.get_ydata(), mean)
    # one seed tells nothing about the scatter
    np.testing.assert_array_equal(notebook.mean_and_error(values[:, :1]), (values[:, 0], np.zeros(5)))


def test_runs_that_are_left_out_count_in_neither_mean_nor_error(rng):
    values = np.ma.masked_array(rng.normal(size=(3, 4)), [[0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 0]])
    mean, error = notebook.mean_and_error(values)
    np.testing.assert_allclose(mean, [values[0].data.mean(), values[1].data[::2].mean(), values[2, 3]])
    assert error[1] == pytest.approx(values[1].data[::2].std(ddof=1) / np.sqrt(2))
    assert np.ma.getmaskarray(error).tolist() == [False, False, True]


def test_large_errors_never_say_that_a_mean_is_small(rng):
    noise = rng.normal(size=100)
    noise = (noise - noise.mean()) / noise.std(ddof=1)  # of standard error 0.1
    said = [notebook.lies_within(mean + noise, 0.5) for mean in (0.0, 0.29, -0.29, 0.31, 0.69, 0.71, -0.71)]
    assert said == ["yes", "yes", "yes", "open", "open", "no", "no"]
    # the more they scatter, the less they say
    assert [notebook.lies_within(0.1 + scale * noise, 0.5) for scale in (1, 3, 100)] == ["yes", "open", "open"]
    assert notebook.lies_within([0.0], 0.5) == "open"
    with pytest.raises(ValueError, match="margin must be a real number"):
        notebook.lies_within(noise, 0.0)


def test_rows_with_different_columns_make_one_table():
    table = notebook.columns_of([{"a": 1, "kind": "x"}, {"a": 2, "b": 0.5, "kind": "y"}])
    assert list(table) == ["a", "kind", "b"]
    np.testing.assert_array_equal(table["b"], [np.nan, 0.5])
    assert table["kind"].tolist() == ["x", "y"]
    assert notebook.columns_of([]) == {}


def test_machines_are_drawn_with_brackets_against_storage_and_width():
    table = {
        "machine": np.array(["signs", "signs, T = 1.0", "rounded to 1 bit"]),
        "n_hidden": np.array([10, 20, 10]),
        "log_likelihood": np.array([-3.0, -2.0, -9.0]),
        "lowest": np.array([-3.5, -2.0, -9.5]),
        "highest": np.array([-2.0, -1.0, -8.0]),
        "bits": np.array([8000, 16000, 8000]),
    }
    figure, axes = plt.subplots(1, 2)
    notebook.draw_machines(axes, table, "signs", marker="o", label="learnt")
    notebook.draw_machines(axes, table, "rounded", marker="s", label="rounded")
    for ax, x in zip(axes, ([1, 2], [10, 20]), strict=True):
        signs, rounded = ax.containers
        np.testing.assert_allclose(signs[0].get_xdata(), x)
        np.testing.assert_allclose(signs[0].get_ydata(), [-3, -2])
        np.testing.assert_allclose(rounded[0].get_ydata(), [-9])
        (bars,) = signs[2]
        np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], [[-3.5, -2], [-2, -1]])
    assert axes[0].get_legend_handles_labels()[1] == ["learnt", "rounded"]
    plt.close(figure)


def test_committed_results_are_found_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, values = notebook.committed("digits")
    assert {"machine", "n_hidden", "log_likelihood"} <= set(table)
    assert values["vmfcore_version"]
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        notebook.committed("nothing")
    with pytest.raises(TypeError, match=r"^name must be str, got 3$"):
        notebook.committed(3)


def test_colours_of_the_pages_differ_in_grey():
    with plt.style.context("vmfcore.pages"):
        colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    linear = [np.array(mpl.colors.to_rgb(colour)) ** 2.2 for colour in colours]
    lightness = 116 * np.cbrt(np.array(linear) @ [0.2126, 0.7152, 0.0722]) - 16  # of CIE L*a*b*, 0 to 100
    # neighbours by ten, which the eye tells from each other; and none so light that it is lost on white
    assert np.all(np.diff(lightness) > 10)
    assert lightness[-1] < 80


def test_a_network_is_drawn_with_lines_as_wide_as_its_couplings_are_large(ax):
    notebook.draw_network(ax, [[1.0, -2.0], [0.0, 0.5]], [3.0, -1.0], visible="x", title="two and two")
    assert [(line.get_linewidth(), line.get_linestyle()) for line in ax.lines] == [(1.5, "-"), (3.0, "--"), (0.75, "-")]
    letters = [text.get_text() for text in ax.texts]
    assert letters[:4] == ["$x_1$", "$x_2$", "$h_1$", "$h_2$"]
    up, down = (text for text in ax.texts if hasattr(text, "xyann") and not text.get_text())
    assert up.xy[1] > up.xyann[1]
    assert down.xy[1] < down.xyann[1]
    with pytest.raises(ValueError, match=r"hidden_fields must be a non-empty array of shape \(2\), got shape \(3,\)"):
        notebook.draw_network(ax, np.eye(2), np.ones(3))


def test_sliders_draw_anew_in_the_place_of_the_first_picture(monkeypatch):
    shown, drawn = [], []

    class Picture:
        def update(self, figure):
            drawn.append(figure)

    def display(*things, display_id=False):
        shown.extend(things)
        return Picture() if display_id else None

    def draw(width=2.0, number=3, kind="b"):
        return width, number, kind

    monkeypatch.setattr(notebook, "display", display)
    notebook.sliders(draw, width=(0.0, 4.0, 0.5), number=(1, 9, 2), kind=["a", "b"])
    first, width, number, kind = shown
    assert first == (2.0, 3, "b")
    width.value, number.value, kind.value = 3.5, 5, "a"
    assert drawn == [(3.5, 3, "b"), (3.5, 5, "b"), (3.5, 5, "a")]
    assert (number.min, number.max, width.step) == (1, 9, 0.5)
    with pytest.raises(ValueError, match="ranges must be those of width, number, kind, got width"):
        notebook.sliders(draw, width=(0.0, 4.0, 0.5))


PARAMETERS = "n_visible: int = 100  # N, visible units\nalpha: float = 5.0  # M/N"


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ("# Parameters\nn_visible = 31\nalpha = 2.0\n", None),
        ('# Parameters\nalpha = 2.0\nPAPERMILL_INPUT_PATH = "page.ipynb"\n', None),
        ("n_visble = 31  # in a cell that papermill did not write", None),
        ("# Parameters\nn_visble = 31\n", r"^n_visble is not a parameter of this page, did you mean n_visible\?$"),
        ("# Parameters\nalpha = 2.0\nalph = 1.0\n", r"^alph is not a parameter of this page, did you mean alpha\?$"),
    ],
)
def test_parameters_that_a_page_does_not_have_are_refused(injected, message, monkeypatch):
    class Shell:
        user_ns: ClassVar = {"In": ["", "import numpy", PARAMETERS, injected, "notebook.check_parameter_names()"]}

    monkeypatch.setattr(notebook, "get_ipython", Shell)
    if message is None:
        notebook.check_parameter_names()
    else:
        with pytest.raises(ValueError, match=message):
            notebook.check_parameter_names()


def test_names_are_not_looked_at_outside_a_notebook():
    notebook.check_parameter_names()


def test_plain_papermill_stops_at_a_misspelt_parameter(tmp_path):
    page = Path(__file__).resolve().parents[1] / "notebooks" / "00_the_model.ipynb"
    with pytest.raises(PapermillExecutionError, match="n_visble is not a parameter of this page, did you mean n_vis"):
        papermill.execute_notebook(page, tmp_path / "out.ipynb", {"n_visble": 31}, progress_bar=False)
