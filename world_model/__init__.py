"""The virtual cell: vocabulary, data, priors, predictors and their uncertainty. Knows nothing above it."""
