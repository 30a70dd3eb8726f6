"""The command line, review of experiments, and reports."""
