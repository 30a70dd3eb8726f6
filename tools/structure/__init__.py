"""Predicted structures: what Boltz, AlphaFold 3, Chai-1, OpenFold and the AlphaFold DB hand out, in one shape."""
