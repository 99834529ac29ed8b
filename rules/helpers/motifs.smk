# Helper functions for motifs.smk and the rules that are included after it.


def of_motifs(file):
    """Returns a file of the motif jobs for the sequences that the figures show (`families`)."""
    return f"{OUT}/motifs/{MOTIFS['families']}/{file}"


def similarity():
    """Returns the measure by which motifs are compared, and its limit."""
    measure = MOTIFS["match"]["measure"]
    return {"measure": measure, "cutoff": MOTIFS["match"]["cutoffs"][measure]}
