"""What is learnt from?  Data as bits, and handwritten digits."""
