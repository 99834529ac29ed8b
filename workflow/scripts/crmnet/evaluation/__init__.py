"""Metrics of predictions, the statistics behind them, and the claims of the paper."""
