"""Claims, predictions, evidence; the append-only ledger; e-values; truth maintenance; semantic index."""
