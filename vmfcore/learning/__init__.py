"""How does Q get better?  The climb of the bound, and message passing between data and synapses."""
