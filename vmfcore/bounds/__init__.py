"""How good is Q?  The variational bound, its two terms, and exact sums to hold them against."""
