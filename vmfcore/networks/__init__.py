"""Given couplings and fields, what are the averages?  Exact sums, message passing, sampling."""
