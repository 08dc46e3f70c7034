"""Given couplings and fields: what are the averages?  Each solver is a value that holds its own tolerances.

``solver.solve(network)`` is for a user and checks what it is given; ``solver.averages(networks, weights, start)`` is
for the model terms of the bound, which solve K networks in each of R replicas.
"""

from vmfcore.networks.cavity import Cavity
from vmfcore.networks.chains import Gibbs
from vmfcore.networks.exact import Exact
from vmfcore.networks.tap import Tap
from vmfcore.networks.vamp import Vamp

Solver = Exact | Cavity | Tap | Gibbs  # those that a model term of the bound can take

__all__ = ["Cavity", "Exact", "Gibbs", "Solver", "Tap", "Vamp"]
