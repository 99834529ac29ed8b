"""Sequences, and the files that hold them: tables, FASTA, variants, shards, downloads."""
