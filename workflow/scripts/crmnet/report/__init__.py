"""Figures, logos, the page of a run, and where its results come from."""
