"""Wells in one shape (AnnData), from the registry or the user's own file."""
