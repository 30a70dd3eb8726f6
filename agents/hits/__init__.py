"""Hit finding: which of thousands of genes or compounds to perturb next, round by round, learning from every round."""
