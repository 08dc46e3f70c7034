"""How is it computed?  Compilation, functions of ±1 spins, vectorized loops, random streams."""
