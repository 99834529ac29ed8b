# Functions that motifs.smk calls, and the rules after it.


def of_motifs(file):
    """A file of the motif jobs, of the sequences that the figures show."""
    return f"{OUT}/motifs/{MOTIFS['families']}/{file}"
