"""`choose`: which of several models the data speak for, by the evidence or by bounds on it."""

import json
import time
import warnings
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.bounds.modes import mode_gain
from vmfcore.bounds.objective import Objective
from vmfcore.data.grey import GreyPixels
from vmfcore.data.packing import PackedSpins, pack_spins
from vmfcore.files.archives import check_target
from vmfcore.files.storage import load_machine, save_machine
from vmfcore.learning.checkpoints import Checkpoint, described
from vmfcore.learning.fit import fit
from vmfcore.learning.message_passing import infer_weights
from vmfcore.machines.likelihood import log_likelihood
from vmfcore.machines.machine import Machine
from vmfcore.networks import Gibbs
from vmfcore.networks.network import ConvergenceWarning

GIVEN = {"spins", "checkpoint", "callback", "progress", "seed"}  # to a candidate by `choose`, if at all


class Candidate(NamedTuple):
    """A row of the table of a `Choice`."""

    name: str
    n_hidden: int
    beta: float  # mean over the hidden units, where they have their own
    correlation: float  # of the prior
    kind: str  # "bound", "bound with ln Z estimated", "log-evidence estimated"
    total: float  # of this kind, nats
    modes: float  # nats that equivalent modes add to the total: ln(2^P P!) if units are decided and distinct
    wander: float  # standard deviation of the total, nats, where message passing has not come to rest; 0 at rest
    entropy: float  # of the synapses, nats
    converged: bool
    compared: bool  # whether the total means something
    held_out: float  # log-likelihood of the machine of the means, nats a sample; NaN without validation data
    seconds: float
    remark: str  # what the learner warned of

    @property
    def evidence(self) -> float:
        """What is compared: total and modes, nats."""
        return self.total + self.modes


class Choice(NamedTuple):
    """What `choose` found, in the order of the candidates; ``print(choice)`` shows the table."""

    rows: tuple[Candidate, ...]
    machines: dict[str, Machine]  # of the means
    winner: str | None  # None where no candidate has a total that means something
    margin: float  # of the winner to the next, nats; infinite where there is none

    @property
    def table(self) -> dict:
        """The rows as a dict of columns, for `save_results` or pandas."""
        return {name: [getattr(row, name) for row in self.rows] for name in Candidate._fields}

    def __str__(self):
        width = max(len(row.name) for row in self.rows)
        kind = f"{self.rows[0].kind}, nats"
        lines = [f"{'':{width}}  {kind:>35}   + modes  entropy, nats   held out, nats a sample"]
        for row in self.rows:
            wander = "" if row.converged or not row.wander else f" ± {row.wander:.2f}, not at rest"
            total = f"{row.total:.2f}{wander}" if row.compared else "ln Z not converged"
            held_out = "" if np.isnan(row.held_out) else f"{row.held_out:.3f}"
            line = f"{row.name:{width}}  {total:>35}  {row.modes:8.2f}  {row.entropy:13.1f}  {held_out:>24}"
            lines.append(line.rstrip())
        found = "none has converged" if self.winner is None else f"{self.winner}, by {self.margin:.2f} nats"
        return "\n".join([*lines, found])


def choose(
    spins: ArrayLike,
    candidates: dict[str, Callable],
    *,
    validation: ArrayLike | None = None,
    folder: str | PathLike | None = None,
    progress: bool = False,
    seed: int,
) -> Choice:
    r"""Learn several models from the same data, and tell which of them the data speak for.

    The log-evidence ln P(data | model) of a model with too few hidden units is low since it cannot explain the data,
    that of one with too many since it spreads its belief over what the data do not show.

    Parameters
    ----------
    spins : (M, N) array, PackedSpins or GreyPixels
        Data, ±1.
    candidates : dict
        Of names and learners, each a `functools.partial` of `fit` or `infer_weights` with all that they take but data
        and seed: ``{"P = 2": partial(vmf.infer_weights, n_hidden=2, beta=1.0)}``.  Names also name files.
        All give bounds on the log-evidence, or all estimates of it (`infer_weights`, data_term="calibrated").
    validation : (K, N) array or PackedSpins, or None
        Data whose log-likelihood is told as well (`log_likelihood`).
    folder : path or None
        Where each candidate is kept as soon as it is finished, and a `fit` every hundred steps: called again after an
        interruption, or with more candidates, `choose` goes on from there, to the same bits.
    progress : bool
        Show a progress bar.
    seed : int >= 0
        Of every candidate.

    Returns
    -------
    Choice

    Raises
    ------
    ValueError
        If a file in the folder is that of another candidate, or of other data.

    Warns
    -----
    ConvergenceWarning
        If no candidate has a total that means something.  What single candidates warn of stands in the table.

    Notes
    -----
    The price of all candidates.  Hidden units can change places and signs: Q and the estimate of message passing sit in
    one of up to 2^P P! equivalent modes, and the evidence is that of all.  Candidates are compared by `total` and
    `modes`, a lower limit of what the others add (`vmfcore.bounds.modes`), with which a bound remains one.  `modes` is
    ln(2^P P!) for hidden units that are decided and distinct, less for others, and 0 for units with fields or
    temperatures of their own, which cannot change places.  Of message passing not at rest, hidden units with a
    `stability` beyond 1 count as undecided.

    The bounds of `fit` can be compared wherever they stand, but not if ln Z did not converge: take enough restarts for
    all.  Message passing with more hidden units than there are comes to no fixed point and ends early; with a right
    model it may wander near one, mostly with strongly correlated synapses.  The total is then the mean over the second
    half of the sweeps, told with its standard deviation: not an estimate that anything stands behind, but in most of
    this project's trials lower for hidden units in excess (page 07).

    References
    ----------
    That the bound has its maximum at the teacher's number of hidden units was found in this project (page 07).
    Modes: Kolchinsky & Tracey, Entropy 19, 361 (2017); their use here is derived in this project.

    Examples
    --------
    >>> from functools import partial
    >>> import vmfcore as vmf
    >>> spins = vmf.sample(vmf.planted(100, 2, beta=1.0, seed=1), 600, seed=1)
    >>> candidates = {f"P = {p}": partial(vmf.infer_weights, n_hidden=p, beta=1.0) for p in (1, 2, 3)}
    >>> choice = vmf.choose(spins, candidates, seed=1)
    >>> choice.winner, bool(choice.margin > 10)
    ('P = 2', True)
    """
    packed = pack_spins(spins)
    data = spins if isinstance(spins, GreyPixels) else packed
    _check_candidates(candidates)
    validation = _checked_validation(validation, packed.n_visible)
    files = _files(folder, candidates)
    checks.flag(progress=progress)
    checks.integer(0, seed=seed)

    from tqdm.auto import tqdm  # which takes a tenth of a second

    rows, machines = [], {}
    for name, learner in tqdm(candidates.items(), disable=not progress, desc="choose", unit="model"):
        try:
            row, machine = _kept(files[name], name, learner, data, validation, seed)
        except (TypeError, ValueError) as error:
            error.add_note(f"in candidate {name!r}")
            raise
        rows.append(row)
        machines[name] = machine
    ranked = sorted((row for row in rows if row.compared), key=lambda row: -row.evidence)
    if not ranked:
        warnings.warn("no candidate has converged: the data chose none", ConvergenceWarning, stacklevel=2)
        return Choice(tuple(rows), machines, None, np.nan)
    margin = ranked[0].evidence - ranked[1].evidence if len(ranked) > 1 else np.inf
    return Choice(tuple(rows), machines, ranked[0].name, margin)


def _check_candidates(candidates):
    if not isinstance(candidates, dict) or not candidates:
        raise TypeError(f"candidates must be a dict of at least one name and learner, got {candidates!r}")
    for name, learner in candidates.items():
        if not isinstance(name, str) or not name or Path(name).name != name or name.startswith("."):
            raise ValueError(f"candidates must have names that files can have, got {name!r}")
        if not isinstance(learner, partial) or learner.func not in (fit, infer_weights):
            raise TypeError(f"candidates[{name!r}] must be a partial of fit or infer_weights, got {learner!r}")
        if learner.args:
            raise TypeError(f"candidates[{name!r}] must name its arguments, got {learner!r}")
        given = sorted(GIVEN & set(learner.keywords))
        if given:
            raise TypeError(f"candidates[{name!r}] must leave {', '.join(given)} to choose")
    if len({_estimates_evidence(learner) for learner in candidates.values()}) > 1:
        raise ValueError("candidates must all give bounds or all estimates of the log-evidence, got some of both")


def _checked_validation(validation, n_visible):
    if validation is None:
        return None
    if not isinstance(validation, PackedSpins):
        validation = checks.spins(validation, shape=(None, n_visible), name="validation")
    validation = pack_spins(validation)
    if validation.n_visible != n_visible:
        raise ValueError(f"validation must have shape (any, {n_visible}) as spins, got {validation.shape}")
    return validation


def _files(folder, candidates):
    """Where each candidate is kept, or None."""
    if folder is None:
        return dict.fromkeys(candidates)
    if not isinstance(folder, (str, Path)):
        raise TypeError(f"folder must be the name of a folder or None, got {folder!r}")
    checks.folder(folder=str(folder))
    return {name: check_target(Path(folder) / f"{name}.npz", "folder") for name in candidates}


def _estimates_evidence(learner):
    """Whether the total of a learner is an estimate, which means something at a fixed point only."""
    objective = learner.keywords.get("objective", Objective())
    return learner.func is infer_weights or getattr(objective, "data_term", None) == "calibrated"


def _kept(file, name, learner, data, validation, seed):
    """Row and machine of a candidate: from its file, or learnt and then kept there."""
    if file is None:
        return _learnt(name, learner, data, validation, seed)
    candidate = _described(learner, data, validation, seed)
    if file.exists():
        machine, about = load_machine(file)
        if about.pop("candidate", None) != candidate or set(about) != set(Candidate._fields):
            raise ValueError(
                f"folder must hold this candidate on these data, got {file}, which is of another or of an older version"
            )
        return Candidate(**about), machine
    part = file.with_name(f"{name}.part.npz")
    row, machine = _learnt(name, learner, data, validation, seed, part)
    save_machine(file, machine, candidate=candidate, **row._asdict())
    part.unlink(missing_ok=True)
    return row, machine


def _described(learner, data, validation, seed):
    """All that a candidate depends on."""
    parts = {"learner": learner.func.__name__, "seed": seed, "spins": data, "validation": validation}
    return json.dumps(described(parts | learner.keywords))


def _total(learner, result):
    """Bound or estimate of a learner; of message passing not at rest its mean and its standard deviation."""
    if result.converged or learner.func is fit:
        return float(result.bound.total), 0.0
    second_half = result.history.bound[len(result.history.bound) // 2 :]
    return float(second_half.mean()), float(second_half.std())


def _modes(result):
    """Nats that the equivalent modes add to the total of a learner."""
    has_fields = result.hidden_fields is not None and np.any(result.hidden_fields)
    if has_fields or np.ndim(result.beta):
        return 0.0
    means = result.means
    if result.stability is not None and not result.converged:
        # the means of a lost hidden unit are those of a moment: nothing is decided by them
        means = np.where(result.stability > 1, 0.0, means)
    return mode_gain(means, result.prior)


def _learnt(name, learner, data, validation, seed, part=None):
    """Row and machine of a candidate."""
    options = {} if part is None or learner.func is not fit else {"checkpoint": Checkpoint(part)}
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ConvergenceWarning)
        result = learner(data, **options, seed=seed)
    held_out = np.nan if validation is None else log_likelihood(validation, result.machine, seed=seed).mean
    total, wander = _total(learner, result)
    # of what has not converged a bound means something if its ln Z has, and message passing has its wander
    estimates = _estimates_evidence(learner)
    compared = learner.func is infer_weights or (not told and (result.converged or not estimates))
    with_chains = result.objective is not None and isinstance(result.objective.model_term.solver, Gibbs)
    row = Candidate(
        name=name,
        n_hidden=result.means.shape[1],
        beta=float(np.mean(result.beta)),
        correlation=result.prior.correlation,
        kind="log-evidence estimated" if estimates else "bound with ln Z estimated" if with_chains else "bound",
        total=total,
        modes=_modes(result),
        wander=wander,
        entropy=float(result.history.entropy[-1]),
        converged=bool(result.converged),
        compared=bool(compared),
        held_out=float(held_out),
        seconds=time.perf_counter() - start,
        remark="; ".join(str(warning.message) for warning in told),
    )
    return row, result.machine
