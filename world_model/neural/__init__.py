"""A small neural ensemble beside the Gaussian process: it enters only where held-out training conditions say so."""
