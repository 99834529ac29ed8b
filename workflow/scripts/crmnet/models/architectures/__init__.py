"""One file for each architecture. Its function of the same name builds the model."""
