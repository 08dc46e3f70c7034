"""Figures of sweeps: each is drawn from a tidy table, and knows the theory that belongs to it."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import vmfcore as vmf

plt.style.use(Path(__file__).resolve().parents[1] / "vmf.mplstyle")


def _mean_and_error(groups):
    """Mean and standard error over the seeds."""
    return groups.mean(), groups.std() / np.sqrt(groups.count())


def _save(fig, path):
    for kind in ("png", "pdf"):
        fig.savefig(f"{path}.{kind}")
    plt.close(fig)


def phase_diagram(table, path, fixed):
    """Overlap of sign λ over sample density and temperature, a panel for each P, with contours of theory (q = 0)."""
    rows = pd.read_csv(table).query("learner == 'fit' and correlation == 0")
    levels, hidden = [0.2, 0.4, 0.6, 0.8, 0.9], rows.n_hidden.unique()
    fig, axes = plt.subplots(2, len(hidden), figsize=(0.8 + 3.3 * len(hidden), 6.2), sharex=True, sharey=True)
    axes = np.reshape(axes, (2, -1))
    alphas = np.geomspace(rows.alpha.min(), rows.alpha.max(), 60)
    betas = np.linspace(rows.beta.min(), rows.beta.max(), 40)
    theory = np.array([vmf.bayes_optimal_overlap(alphas, beta)[1] for beta in betas])
    thresholds = [vmf.critical_density(beta) for beta in betas]
    for (upper, lower), p in zip(axes.T, hidden, strict=True):
        groups = rows[rows.n_hidden == p].groupby(["beta", "alpha"]).sign_overlap
        mean = groups.mean().unstack()
        image = upper.pcolormesh(mean.columns, mean.index, mean, vmin=0, vmax=1, shading="nearest", cmap="Greys_r")
        for ax in (upper, lower):
            lines = ax.contour(alphas, betas, theory, levels, colors="C1", linewidths=1)
            ax.plot(thresholds, betas, "C0--", marker="", linewidth=1.5)
            ax.set(xscale="log")
            ax.grid(False)
            ax.clabel(lines, fontsize=8)
        limit = np.array([vmf.bayes_optimal_overlap(np.array(mean.columns), beta)[1] for beta in mean.index])
        difference = lower.pcolormesh(
            mean.columns, mean.index, mean - limit, vmin=-0.3, vmax=0.3, shading="nearest", cmap="cividis"
        )
        upper.set_title(f"P = {p}")
        lower.set(xlabel="sample density α = M / N")
    for row in axes:
        row[0].set_ylabel("inverse temperature β")
    fig.colorbar(image, ax=axes[0], label="overlap of sign λ")
    fig.colorbar(difference, ax=axes[1], label="measured − Bayes-optimal")
    fig.suptitle(
        f"N = {fixed['n_visible']}; solid: Bayes-optimal overlap for N → ∞; dashed: threshold β⁻⁴; below it, chance"
    )
    _save(fig, path)


def finite_size(table, path, fixed):
    """Overlap of sign λ against 1/N, a line for each learner and P, with its limit for N → ∞ (q = 0)."""
    rows = pd.read_csv(table).query("correlation == 0")
    alphas = sorted(rows.alpha.unique())
    fig, axes = plt.subplots(1, len(alphas), figsize=(0.8 + 4.2 * len(alphas), 4), squeeze=False)
    for ax, alpha in zip(axes[0], alphas, strict=True):
        groups = rows[rows.alpha == alpha].groupby(["learner", "n_hidden"])
        for k, ((learner, p), group) in enumerate(groups):
            mean, error = _mean_and_error(group.groupby("n_visible").sign_overlap)
            marker, face = "osD^v<"[k % 6], (f"C{k}", "none")[learner == "message passing"]
            x = 1 / mean.index.to_numpy() * 1.04 ** (k - 2)
            ax.errorbar(
                x, mean, error, marker=marker, color=f"C{k}", mfc=face, linestyle="-", label=f"{learner}, P = {p}"
            )
        ax.axhline(
            vmf.bayes_optimal_overlap(alpha, fixed["beta"])[1], color="k", marker="", label="Bayes-optimal, N → ∞"
        )
        sizes = sorted(rows.n_visible.unique())
        ax.set(xscale="log", xlabel="1/N", title=f"α = {alpha:g}, β = {fixed['beta']:g}")
        ax.set(xticks=[1 / n for n in sizes], xticklabels=[f"1/{n}" for n in sizes])
        ax.minorticks_off()
        ax.tick_params(axis="x", rotation=45)
    axes[0, 0].set_ylabel("overlap of sign λ")
    axes[0, -1].legend(fontsize=8)
    _save(fig, path)


def pareto(table, path, fixed):
    """Test log-likelihood of digits against storage, of one-bit machines and of full precision."""
    rows = pd.read_csv(table)
    fig, ax = plt.subplots(figsize=(6, 4))
    for k, (name, marker) in enumerate((("signs", "o"), ("full precision", "s"))):
        groups = rows[rows.machine == name].groupby("n_hidden")
        mean, error = _mean_and_error(groups.log_likelihood)
        error = np.fmax(error, groups.standard_error.max())  # of ln Z, where the seeds agree better
        x = groups.bits.first() / 8e3
        ax.errorbar(x, mean, error, marker=marker, color=f"C{k}", mfc=("none", None)[k == 0], label=name)
        for kilobytes, value, p in zip(x, mean, mean.index, strict=True):
            ax.annotate(f"P = {p}", (kilobytes, value), (4, -11), textcoords="offset points", fontsize=7)
    baseline = rows[rows.machine == "independent pixels"].log_likelihood.mean()
    ax.axhline(baseline, color="0.4", linestyle=":", marker="", label="independent pixels")
    ax.set(xscale="log", xlabel="storage (kB)", ylabel="test log-likelihood (nats a digit)")
    ax.set_title(f"{fixed['n_epochs']} epochs of {fixed['n_train']} digits")
    ax.legend()
    _save(fig, path)


# by name: the notebook whose tables it draws, and how
FIGURES = {
    "phase_diagram": ("02_overlap_vs_density", phase_diagram),
    "finite_size": ("02_overlap_vs_density", finite_size),
    "pareto": ("03_mnist_features", pareto),
}
