"""Solvers: how the averages of a network are found.  Each is a value that holds its own tolerances, one a file.

``solver.solve(network)`` is for a user and checks what it is given; ``solver.averages(networks, weights, start)`` is
for the model terms of the bound, which solve K networks in each of R replicas.
"""

from vmfcore.networks.solvers.cavity import Cavity
from vmfcore.networks.solvers.exact import Exact
from vmfcore.networks.solvers.gibbs import Gibbs
from vmfcore.networks.solvers.iteration import TOL
from vmfcore.networks.solvers.tap import Tap
from vmfcore.networks.solvers.vamp import Vamp

Solver = Exact | Cavity | Tap | Gibbs  # those that a model term of the bound can take

__all__ = ["TOL", "Cavity", "Exact", "Gibbs", "Solver", "Tap", "Vamp"]
