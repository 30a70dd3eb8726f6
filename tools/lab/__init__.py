"""Lab executors: one protocol, several labs."""
