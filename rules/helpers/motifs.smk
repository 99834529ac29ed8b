# Helper functions for motifs.smk and the rules that are included after it.


def of_motifs(file):
    """Returns a file of the motif jobs for the sequences that the figures show (`families`)."""
    return f"{OUT}/motifs/{MOTIFS['families']}/{file}"


def of_truth(file):
    """Returns a table of what was planted, which only simulated data have."""
    if "figure_truth" in MOTIF_FIGURES:
        return of_motifs(file)
    reason = (
        "it shows the motifs that were planted in simulated data, and the test set of the motif "
        "jobs is not simulated, or its known motifs are not those that were planted"
    )
    return snakemake_internals.why_left_out("figure_truth", reason)


def similarity():
    """Returns the measure by which motifs are compared, and its limit."""
    measure = MOTIFS["match"]["measure"]
    return {"measure": measure, "cutoff": MOTIFS["match"]["cutoffs"][measure]}
