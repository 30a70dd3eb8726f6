"""From a response or a structure back to what was hit: targets and mechanisms, ranked by separate kinds of evidence."""
