"""The same for people who know scikit-learn: `vmfcore.fit` and `Machine` as an estimator.

scikit-learn is needed here and nowhere else in the package, so that ``import vmfcore`` does without it.
"""

from dataclasses import replace
from typing import Any, Self

import numpy as np

from vmfcore import checks
from vmfcore.bounds.objective import Objective
from vmfcore.data.binary import pack_binary
from vmfcore.data.packing import pack_spins
from vmfcore.learning.fit import fit
from vmfcore.learning.parameters import Learn
from vmfcore.learning.presets import recipe
from vmfcore.learning.rules import Rule
from vmfcore.machines.likelihood import log_likelihood, visible_log_weights
from vmfcore.machines.machine import check_data, hidden_means
from vmfcore.machines.sampling import sample

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("vmfcore.estimator needs scikit-learn: pip install scikit-learn") from error


class BinaryRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""A restricted Boltzmann machine of one-bit synapses, P(σ, h) ∝ exp(Σ a σ + Σ b h + Σ β_μ ξ_iμ σ_i h_μ/√N).

    Of scikit-learn's `BernoulliRBM` it has the names of what means the same; what it learns by is `vmfcore.fit` with
    the values of `vmfcore.recipe`, each of which can be given instead.

    Parameters
    ----------
    n_components : int >= 1
        Hidden units P.
    beta : float, (P,) array or None
        Inverse temperature, at most 8; where it is learnt its start.  None: (N/P)^(1/4).
    objective : Objective or None
        What is climbed.  None: that of the recipe, as the next two.
    rule : Natural, Adam or None
        How the synapses follow its derivative.
    learn : Learn or None
        What is learnt beside them; by the recipe fields and a temperature for each hidden unit.
    batch_size : int >= 1
        Samples a step, at most all that there are.
    n_iter : int >= 1
        Passes over the data.
    binarize : float or None
        Threshold above which a pixel is on.  None: X must be binary.
    verbose : int
        Above 0: show a progress bar.
    random_state : int, RandomState or None
        Same int, same bits, for any number of threads.

    Attributes
    ----------
    machine_ : Machine
        Of synapses ±1, eight in a byte; all functions of the package take it.
    components_ : (P, N) int8 array, ±1
        ξ, as `BernoulliRBM` has it a row a hidden unit.
    beta_ : (P,) array
        Inverse temperatures.
    visible_fields_, hidden_fields_ : (N,) and (P,) arrays
        a and b.
    values_ : (2,) array
        What a pixel of the data was where it was off, and where it was on; samples are written so.
    posterior_ : Machine
        After `partial_fit` alone: of the means of the synapses, from which it goes on.
    n_samples_seen_ : int
        By `fit`, or by all calls of `partial_fit`.
    n_features_in_, feature_names_in_ : int, array
        N, and the names of the columns where X was a table.

    Notes
    -----
    X is an array, a table or a sparse matrix of 0 and 1, of True and False, or of -1 and +1: 1 is on, and what else it
    may hold is off, but not 0 and -1 in one X.  Anything else is an error, unless ``binarize`` says what is on.
    O(n_iter M N P).  Weak correlations and planted synapses want other values than images; `vmfcore.fit` has restarts,
    starts from principal components and checkpoints besides.

    References
    ----------
    H. Huang, arXiv:1911.07662.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> from vmfcore.estimator import BinaryRBM
    >>> spins = vmf.sample(vmf.planted(20, 2, beta=2.0, seed=1), 500, seed=1)
    >>> model = BinaryRBM(n_components=2, n_iter=40, random_state=1).fit(spins)
    >>> model.components_.shape, model.components_.dtype, model.transform(spins).shape
    ((2, 20), dtype('int8'), (500, 2))
    """

    def __init__(
        self,
        n_components=100,
        *,
        beta=None,
        objective=None,
        rule=None,
        learn=None,
        batch_size=100,
        n_iter=100,
        binarize=None,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.beta = beta
        self.objective = objective
        self.rule = rule
        self.learn = learn
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.binarize = binarize
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the machine from X (M, N), binary; y is ignored here and below."""
        data, values = self._binary(X, reset=True)
        result = fit(data, **self._arguments(data, self.n_iter), seed=_seed(self.random_state))
        self.__dict__.pop("posterior_", None)
        return self._keep(result, values, len(data.bits))

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go on with a pass over X (M, N), a chunk of data that are too many for the memory, or not yet all there.

        Notes
        -----
        The steps do not shrink, and the KL has the last weight of ``objective``, of which a chunk bears its share: M in
        all samples seen.  A call anneals its chains anew: give it some thousands of samples at once.  After `fit` it
        begins with the signs of the synapses.
        """
        first = not hasattr(self, "machine_")
        data, values = self._binary(X, reset=first)
        n_seen = len(data.bits) + (0 if first else self.n_samples_seen_)
        arguments = self._arguments(data, n_iter=1)
        weight = arguments["objective"].kl_weight_at(1.0) * len(data.bits) / n_seen
        arguments["objective"] = replace(arguments["objective"], kl_weight=max(weight, 1.001 * checks.MIN_KL_WEIGHT))
        arguments["rule"] = replace(arguments["rule"], schedule="constant")
        if not first:
            machine = getattr(self, "posterior_", self.machine_)
            beta = np.maximum(machine.beta, 1.001 * checks.MIN_BETA)  # of units of which nothing is left
            start = {"init": np.asarray(machine.weights), "beta": beta}
            arguments |= start | {"fields": (machine.visible_fields, machine.hidden_fields)}
        result = fit(data, **arguments, seed=_seed(self.random_state) + n_seen)
        self.posterior_ = result.machine
        return self._keep(result, values if first else self.values_, n_seen)

    def _arguments(self, data, n_iter):
        """What `vmfcore.fit` is to be called with: the recipe, and in its place what was given."""
        numbers = {name: getattr(self, name) for name in ("n_components", "batch_size", "n_iter")}
        n_components, batch_size, _ = checks.integer(1, **numbers)
        checks.instance(Objective | None, objective=self.objective)
        checks.instance(Rule | None, rule=self.rule)
        checks.instance(Learn | None, learn=self.learn)
        checks.instance(int, verbose=self.verbose)
        batch_size = min(batch_size, len(data.bits))
        arguments = recipe(data, n_components, n_steps=n_iter * (len(data.bits) // batch_size))
        given = {name: getattr(self, name) for name in ("beta", "objective", "rule", "learn")}
        arguments |= {name: value for name, value in given.items() if value is not None}
        return arguments | {"n_hidden": n_components, "batch_size": batch_size, "progress": self.verbose > 0}

    def _keep(self, result, values, n_seen):
        """What was learnt, as attributes."""
        machine = result.machine.binarized
        self.machine_ = machine._replace(weights=pack_spins(machine.weights))
        self.values_ = values
        self.n_samples_seen_ = n_seen
        return self

    def _binary(self, X, reset=False):
        """Packed data, and the two values that a pixel has in X."""
        pixels = validate_data(self, X, accept_sparse="csr", reset=reset)
        pixels = pixels.toarray() if hasattr(pixels, "toarray") else pixels
        threshold = None if self.binarize is None else checks.real(-np.inf, np.inf, binarize=self.binarize)
        return pack_binary(pixels, threshold)

    def _fitted_data(self, X):
        """Packed data for the machine, once there is one."""
        check_is_fitted(self)
        return self._binary(X)[0]

    @property
    def components_(self) -> np.ndarray:
        return self.machine_.weights.dense().T

    @property
    def beta_(self) -> np.ndarray:
        return self.machine_.beta

    @property
    def visible_fields_(self) -> np.ndarray:
        return self.machine_.visible_fields

    @property
    def hidden_fields_(self) -> np.ndarray:
        return self.machine_.hidden_fields

    @property
    def _n_features_out(self):  # as the base class asks for it
        return len(self.machine_.beta)

    def transform(self, X: Any) -> np.ndarray:
        """Features of data: the means <h_μ> of the hidden spins.

        Parameters
        ----------
        X : (M, N) array, table or sparse matrix, binary

        Returns
        -------
        (M, P) array in [-1, 1]; `BernoulliRBM` has (1 + <h_μ>)/2 instead
        """
        return hidden_means(self._fitted_data(X), self.machine_)

    def score_samples(self, X: Any, *, normalized: bool = False) -> np.ndarray:
        """Log-likelihood of each sample.

        Parameters
        ----------
        X : (M, N) array, table or sparse matrix, binary
        normalized : bool
            False: ln P(σ) up to ln Z, which is the same for all samples of a machine.  True: with ln Z, a sum over all
            states up to 16 units of the smaller layer, else an estimate.

        Returns
        -------
        (M,) array, nats

        Warns
        -----
        ConvergenceWarning
            Where estimates of ln Z differ by more than a nat (`vmfcore.log_likelihood`, which takes other chains).
        """
        checks.flag(normalized=normalized)
        data, machine = check_data(self._fitted_data(X), self.machine_)
        if not normalized:
            return visible_log_weights(data, machine)
        return log_likelihood(data, machine, seed=_seed(self.random_state)).per_sample

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of X (M, N) with ln Z, nats a sample, by which machines can be compared."""
        return float(self.score_samples(X, normalized=True).mean())

    def sample(self, n_samples: int = 1, *, n_sweeps: int | None = None, random_state: Any = None) -> np.ndarray:
        """Samples of the machine (`vmfcore.sample`).

        Parameters
        ----------
        n_samples : int >= 1
        n_sweeps : int >= 1 or None
            Of plain chains that start from independent pixels.  None: tempered chains, or exact samples up to 16 hidden
            units.
        random_state : as of the estimator, or None: that of the estimator

        Returns
        -------
        (n_samples, N) array, written as the data were
        """
        check_is_fitted(self)
        seed = _seed(random_state, self.random_state)
        return self._written(sample(self.machine_, n_samples, n_sweeps=n_sweeps, seed=seed))

    def inpaint(self, X: Any, mask: Any, *, n_sweeps: int | None = None, random_state: Any = None) -> np.ndarray:
        """Draw pixels anew, given the others.

        Parameters
        ----------
        X : (M, N) array, table or sparse matrix, binary
        mask : (N,) or (M, N) array of bool
            True: the pixel is drawn, and what X has there has no effect.
        n_sweeps : int >= 1 or None
            Of plain chains.  None: tempered ones.
        random_state : as of the estimator, or None: that of the estimator

        Returns
        -------
        (M, N) array, written as the data were
        """
        spins = self._fitted_data(X).dense()
        mask = checks.array(spins.shape[-np.ndim(mask) :], dtype=None, mask=mask)
        if mask.dtype != bool:
            raise TypeError(f"mask must hold True and False, got dtype {mask.dtype}")
        clamped = np.where(mask, 0, spins)
        seed = _seed(random_state, self.random_state)
        return self._written(sample(self.machine_, len(spins), clamped=clamped, n_sweeps=n_sweeps, seed=seed))

    def _written(self, spins):
        """Spins as the data were."""
        return self.values_[(spins > 0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _seed(random_state, otherwise=None):
    """A seed: the number itself, or one drawn from a RandomState."""
    random_state = otherwise if random_state is None else random_state
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31))
    return checks.integer(0, random_state=random_state)
