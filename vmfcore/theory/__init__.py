"""What should one expect for N → ∞?  Limits, thresholds, and the dynamics of message passing."""
