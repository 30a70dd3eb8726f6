"""Molecules in three dimensions: preparation, docking, pose checks, contacts, strain. Each needs the extra
`molecules`."""
