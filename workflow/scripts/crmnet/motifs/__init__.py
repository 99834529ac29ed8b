"""Motifs: how they are found, scanned for, matched with known ones and selected."""
