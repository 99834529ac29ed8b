# Helper functions for motifs.smk and the rules that are included after it.


def of_motifs(file):
    """Returns a file of the motif jobs for the sequences that the figures show (`families`)."""
    return f"{OUT}/motifs/{MOTIFS['families']}/{file}"


def similarity():
    """Returns the measure by which motifs are compared, and its limit."""
    measure = MOTIFS["match"]["measure"]
    return {"measure": measure, "cutoff": MOTIFS["match"]["cutoffs"][measure]}


def unless_simulated(figure):
    """Returns no file, or stops the plan of a figure that needs simulated data."""
    reason = "the data are not simulated (`simulation: null`)"
    return [] if config["simulation"] else snakemake_internals.why_left_out(figure, reason)
