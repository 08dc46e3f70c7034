"""What a user sees of a run: its progress, and now and then where it stands."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from vmfcore import checks

DEFAULT_EVERY = 10  # steps between two entries of a history that nobody looks at while it grows


@dataclass(frozen=True)
class Every:
    """How often a learner looks at itself: bound, KL, entropy and distance cost time only where they are asked for.

    Parameters
    ----------
    n_steps : int >= 1
        Steps between two entries of `FitResult.history`; the start and the end are always among them.
    callback : callable or None
        Called as ``callback(step, means, bound)`` at each of them.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.Every(50)
    Every(n_steps=50, callback=None)
    """

    n_steps: int = DEFAULT_EVERY
    callback: Callable | None = None

    def __post_init__(self):
        checks.keep(self, n_steps=checks.integer(1, n_steps=self.n_steps))
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback must be callable or None, got {self.callback!r}")


def check_callback(callback) -> Every:
    """A callable is called at every step; None is every tenth."""
    if callback is None:
        return Every()
    if isinstance(callback, Every):
        return callback
    if not callable(callback):
        raise TypeError(f"callback must be callable, Every or None, got {callback!r}")
    return Every(1, callback)


class Watch:
    """A progress bar and a callback, for a learner that says when a step is done and where it stands."""

    def __init__(self, every, bar):
        self.every = every
        self._bar = bar

    def asks_at(self, step):
        """Whether the history has an entry for this step."""
        return step % self.every.n_steps == 0

    def steps_done(self, n=1):
        """Move the bar by steps of one or more restarts."""
        self._bar.update(n)

    def look(self, step, means, bound):
        """Call the user's callback."""
        if self.every.callback is not None:
            self.every.callback(step, means, bound)


@contextlib.contextmanager
def watched(every, total, *, progress, name, done=0):
    """Context that yields the `Watch` of a run of so many steps, of which ``done`` were done before."""
    from tqdm.auto import tqdm  # which takes a tenth of a second

    with tqdm(total=total, disable=not progress, desc=name, unit="step", initial=done) as bar:
        yield Watch(every, bar)
        bar.total = bar.n  # to settle early is not a failure
