"""Prompt templates, one text file per role and decision."""
