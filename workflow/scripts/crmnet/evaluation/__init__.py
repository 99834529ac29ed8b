"""Metrics of predictions, the statistics behind them, and whether a model has learned."""
