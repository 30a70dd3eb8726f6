"""Real measurements behind one shape: wells, conditions, arms, and the registry that finds them."""
