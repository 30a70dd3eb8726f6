"""Talking to a language model: one client, one retry layer, hard budgets, record and replay."""
