"""Published predictors, each in its own environment, on the splits the cell is scored on."""
