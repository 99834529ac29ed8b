"""The architectures, their layers, and the files of trained models."""
