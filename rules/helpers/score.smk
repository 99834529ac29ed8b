# Functions that score.smk calls, and the rules after it.


def score_model(medium):
    """The model that scores. Asked for scores alone, one that is there is taken as it is, whatever
    has become of what it was made from."""
    path = model_path(SCORE["model"], medium)
    alone = snakemake_internals.targets(workflow) == {"score"}
    return before_update(path) if alone and Path(path).exists() else path
