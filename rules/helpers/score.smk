# Helper functions for score.smk and the rules that are included after it.


def score_model(medium):
    """Returns the model that scores sequences.

    If `score` is the only target, an existing model is used even if its inputs have changed."""
    path = model_path(SCORE["model"], medium)
    alone = snakemake_internals.is_only_target(workflow, rules.score)
    return before_update(path) if alone and Path(path).exists() else path


def of_tables(base, per_mb):
    """Returns a resource function like `grows` that leaves the size of a reference genome out,
    because its memory and time hardly depend on it."""

    def needed(wildcards, input, attempt):
        megabytes = sum(Path(file).stat().st_size for file in input.tables) / 1e6
        return grows(base + per_mb * megabytes)(wildcards, input, attempt)

    return needed
