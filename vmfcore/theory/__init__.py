"""What should one expect for N → ∞?  Limits, thresholds, and the dynamics of message passing."""

from vmfcore.theory.correlated import CorrelatedOverlap, correlated_overlap
from vmfcore.theory.dynamics import StationaryState, critical_strength, dynamical_mean_field
from vmfcore.theory.ensembles import ensemble_spectrum, random_couplings
from vmfcore.theory.evidence import bayes_optimal_entropy, evidence_ceiling, free_entropy
from vmfcore.theory.limits import bayes_optimal_overlap, critical_density, principal_component_overlap
from vmfcore.theory.mismatch import MismatchedOverlap, mismatched_overlap, recovery_density

__all__ = [
    "CorrelatedOverlap",
    "MismatchedOverlap",
    "StationaryState",
    "bayes_optimal_entropy",
    "bayes_optimal_overlap",
    "correlated_overlap",
    "critical_density",
    "critical_strength",
    "dynamical_mean_field",
    "ensemble_spectrum",
    "evidence_ceiling",
    "free_entropy",
    "mismatched_overlap",
    "principal_component_overlap",
    "random_couplings",
    "recovery_density",
]
