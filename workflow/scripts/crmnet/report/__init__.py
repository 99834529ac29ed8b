"""Figures, the claims of the paper, the page of a run, and where its results come from."""
