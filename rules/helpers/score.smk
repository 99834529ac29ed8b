# Helper functions for score.smk and the rules that are included after it.
import functools


def score_model(medium):
    """Returns the model that scores sequences.

    If `score` is the only target, an existing model is used even if its inputs have changed."""
    path = model_path(SCORE["model"], medium)
    alone = snakemake_internals.is_only_target(workflow, rules.score)
    return before_update(path) if alone and Path(path).exists() else path


def of_tables(base, per_mb):
    """Returns a resource function like `grows` that leaves the size of a reference genome out,
    because its memory and time hardly depend on it."""
    genome = SCORE["sequences"].get("reference")

    def needed(wildcards, input, attempt):
        megabytes = input.size_mb - (os.path.getsize(genome) / 1e6 if genome else 0)
        return attempt * math.ceil(base + per_mb * megabytes)

    return needed


def missing_models():
    """Returns the trained models that the scores need and that are not there."""
    needed = []
    for medium in SCORE_MEDIA:
        trained = trained_models(plan.trained(SCORE["model"]), medium)
        # A model scores with its first training, an ensemble with all.
        if SCORE["model"] in MODELS:
            trained = dict([*trained.items()][:1])
        if not Path(model_path(SCORE["model"], medium)).exists():
            needed += [path for name, path in trained.items() if name != plan.RELEASED]
    return [path for path in needed if not Path(path).exists()]


@functools.cache
def scoring_models():
    """Returns the models that score sequences, and says which of them are trained first.

    It stops a run that reads another config than the one that its profile names, because then it
    would train the models of that config, such as the paper's."""
    if missing := missing_models():
        what = f"score: {'these models do' if missing[1:] else 'this model does'} not exist"
        if replaced := snakemake_internals.replaced_configs(workflow):
            return snakemake_internals.error(
                f"{what}: {', '.join(missing)}. Your `--configfile` has replaced that of the "
                f"profile; name both: `--configfile {' '.join(replaced)} ...`. If you do want to "
                "train with this config, make the model first: its file is the target"
            )
        print(f"{what} and must be trained first: {', '.join(missing)}", file=sys.stderr)
    return [score_model(medium) for medium in SCORE_MEDIA]
