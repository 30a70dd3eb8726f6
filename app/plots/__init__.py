"""Pictures of the cell alone, as PNG."""
