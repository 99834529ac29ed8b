"""CRMnet: from measured sequences to models, predictions and figures."""
