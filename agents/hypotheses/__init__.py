"""Hypotheses from several sources: each reads what the scientist knows and says what is worth trying to break."""
