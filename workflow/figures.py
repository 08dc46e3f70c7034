"""Figures of sweeps: each is drawn from a tidy table, and knows the theory that belongs to it."""

from collections.abc import Callable
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import vmfcore as vmf

plt.style.use("vmfcore.pages")

LEVELS = [0.2, 0.4, 0.6, 0.8, 0.9]  # of the overlap, contours in the phase diagram
LARGEST_DIFFERENCE = 0.3  # between measured and Bayes-optimal overlap, the end of the colours
MOST_PANELS = 4  # side by side
SHIFT = 1.04  # factor by which the points of neighbouring lines are moved apart


class Figure(NamedTuple):
    """A figure of a sweep."""

    notebook: str  # whose tables it draws
    draw: Callable  # of a table, the path of the figure without its ending, and the fixed parameters


def _mean_and_error(groups):
    """Mean and standard error over the seeds."""
    return groups.mean(), groups.std() / np.sqrt(groups.count())


def _save(fig, path):
    for kind in ("png", "pdf"):
        fig.savefig(f"{path}.{kind}")
    plt.close(fig)


def _bayes_optimal(alphas, betas):
    """Overlap of sign λ for N → ∞ (q = 0), a row for each β."""
    return np.array([vmf.bayes_optimal_overlap(np.array(alphas), beta)[1] for beta in betas])


def _draw_theory(ax, rows):
    """Contours of the Bayes-optimal overlap, and the threshold, over the densities and temperatures of the sweep."""
    alphas = np.geomspace(rows.alpha.min(), rows.alpha.max(), 60)
    betas = np.linspace(rows.beta.min(), rows.beta.max(), 40)
    lines = ax.contour(alphas, betas, _bayes_optimal(alphas, betas), LEVELS, colors="C1", linewidths=1)
    thresholds = [vmf.critical_density(beta) for beta in betas]
    ax.plot(thresholds, betas, "C0--", marker="", linewidth=1.5)
    ax.set(xscale="log")
    ax.grid(False)
    ax.clabel(lines, fontsize=8)


def phase_diagram(table, path, fixed):
    """Overlap of sign λ over sample density and temperature, a panel for each P, with contours of theory (q = 0)."""
    rows = pd.read_csv(table).query("learner == 'fit' and correlation == 0")
    hidden = rows.n_hidden.unique()
    size = (0.8 + 3.3 * len(hidden), 6.2)
    fig, axes = plt.subplots(2, len(hidden), figsize=size, sharex=True, sharey=True, squeeze=False)
    for (upper, lower), p in zip(axes.T, hidden, strict=True):
        # above what was measured, below how far it is from the limit
        measured = rows[rows.n_hidden == p].groupby(["beta", "alpha"]).sign_overlap.mean().unstack()
        alphas, betas = measured.columns, measured.index
        overlap = upper.pcolormesh(alphas, betas, measured, vmin=0, vmax=1, shading="nearest", cmap="Greys_r")
        _draw_theory(upper, rows)
        difference = lower.pcolormesh(
            alphas,
            betas,
            measured - _bayes_optimal(alphas, betas),
            vmin=-LARGEST_DIFFERENCE,
            vmax=LARGEST_DIFFERENCE,
            shading="nearest",
            cmap="cividis",
        )
        _draw_theory(lower, rows)
        upper.set_title(f"P = {p}")
        lower.set(xlabel="sample density α = M / N")
    for row in axes:
        row[0].set_ylabel("inverse temperature β")
    fig.colorbar(overlap, ax=axes[0], label="overlap of sign λ")
    fig.colorbar(difference, ax=axes[1], label="measured − Bayes-optimal")
    lines = "solid: Bayes-optimal overlap for N → ∞; dashed: threshold β⁻⁴; below it, chance"
    fig.suptitle(f"N = {fixed['n_visible']}; {lines}")
    _save(fig, path)


def _draw_sizes(ax, rows):
    """Overlap of sign λ against 1/N at one density, a line for each learner and P."""
    for k, ((learner, p), group) in enumerate(rows.groupby(["learner", "n_hidden"])):
        mean, error = _mean_and_error(group.groupby("n_visible").sign_overlap)
        x = 1 / mean.index.to_numpy() * SHIFT ** (k - 2)
        style = {
            "color": f"C{k}",
            "linestyle": "-",
            "marker": "osD^v<"[k % 6],
            "mfc": "none" if learner == "message passing" else f"C{k}",
        }
        ax.errorbar(x, mean, error, label=f"{learner}, P = {p}", **style)


def finite_size(table, path, fixed):
    """Overlap of sign λ against 1/N, a line for each learner and P, with its limit for N → ∞ (q = 0)."""
    rows = pd.read_csv(table).query("correlation == 0")
    alphas = sorted(rows.alpha.unique())
    sizes = sorted(rows.n_visible.unique())
    beta = fixed["beta"]
    n_columns = min(len(alphas), MOST_PANELS)
    n_rows = -(-len(alphas) // n_columns)
    fig, axes = plt.subplots(n_rows, n_columns, figsize=(0.8 + 4.2 * n_columns, 4 * n_rows), squeeze=False)
    for ax in axes.flat[len(alphas) :]:
        ax.set_axis_off()
    for ax, alpha in zip(axes.flat, alphas, strict=False):
        _draw_sizes(ax, rows[rows.alpha == alpha])
        limit = vmf.bayes_optimal_overlap(alpha, beta)[1]
        ax.axhline(limit, color="k", marker="", label="Bayes-optimal, N → ∞")
        ax.set(xscale="log", xlabel="1/N", title=f"α = {alpha:g}, β = {beta:g}")
        ax.set(xticks=[1 / n for n in sizes], xticklabels=[f"1/{n}" for n in sizes])
        ax.minorticks_off()
        ax.tick_params(axis="x", rotation=45)
    for ax in axes[:, 0]:
        ax.set_ylabel("overlap of sign λ")
    axes[0, 0].legend(fontsize=8)
    _save(fig, path)


def _draw_likelihood(ax, rows, **style):
    """Likelihood against storage of one kind of machine, each point with its number of hidden units."""
    groups = rows.groupby("n_hidden")
    mean, error = _mean_and_error(groups.log_likelihood)
    # the error of ln Z, where the seeds agree better than it
    error = np.fmax(error, groups.standard_error.max())
    kilobytes = groups.bits.first() / 8e3
    ax.errorbar(kilobytes, mean, error, **style)
    for p in mean.index:
        ax.annotate(f"P = {p}", (kilobytes[p], mean[p]), (4, -11), textcoords="offset points", fontsize=7)


def pareto(table, path, fixed):
    """Test log-likelihood of digits against storage, of one-bit machines and of full precision, also rounded."""
    rows = pd.read_csv(table)
    fig, ax = plt.subplots(figsize=(6, 4))
    _draw_likelihood(ax, rows[rows.machine == "signs"], color="C0", marker="o", label="signs")
    full = rows[rows.machine == "full precision"]
    _draw_likelihood(ax, full, color="C1", marker="s", mfc="none", label="full precision")
    for kind, group in rows[rows.machine.str.startswith("rounded")].groupby("machine"):
        _draw_likelihood(ax, group, color="C3", marker="^", label=kind)
    baseline = rows[rows.machine == "independent pixels"].log_likelihood.mean()
    ax.axhline(baseline, color="0.4", linestyle=":", marker="", label="independent pixels")
    ax.set(xscale="log", xlabel="storage (kB)", ylabel="test log-likelihood (nats a digit)")
    ax.set_title(f"{fixed['n_steps']} steps of 100 digits")
    ax.legend()
    _save(fig, path)


# by the name that a sweep asks for
FIGURES = {
    "phase_diagram": Figure("02_overlap_vs_density", phase_diagram),
    "finite_size": Figure("02_overlap_vs_density", finite_size),
    "pareto": Figure("03_mnist_features", pareto),
}
