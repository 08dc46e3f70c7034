"""What is the model?  Machines, planted or learnt: samples, hidden means, likelihood."""
