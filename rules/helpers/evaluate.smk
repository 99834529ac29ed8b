# Helper functions for evaluate.smk and the rules that are included after it.


def predicted_sets(wildcards):
    tables = PLAN.test_tables(wildcards.medium)
    return {name: tables[name] for name in PLAN.predicted_sets(wildcards.model, wildcards.medium)}


def published_sets(wildcards):
    """Returns test set -> its table and the table of the model's published predictions."""
    model, medium = wildcards.model, wildcards.medium
    return {
        name: [PLAN.test_tables(medium)[name], PLAN.published_table(model, medium, name)]
        for name in PLAN.published_sets(model, medium)
    }


def shown(figure):
    """Returns the predictors in a figure: its main model, the ensemble of that model, and the other
    models, each followed by its published predictions."""
    drawn = config["figures"][figure]
    ensemble, published = plan.ENSEMBLE, plan.PUBLISHED
    others = [ensemble.format(model=drawn["model"])]
    others += [n for model in drawn["against"] for n in (model, published.format(model=model))]
    media = {*PLAN.figure_media(figure)}
    return [drawn["model"], *(n for n in dict.fromkeys(others) if media & {*PREDICTORS.get(n, ())})]


def pairs(figure):
    """Returns each predictor of a figure with each medium in which it has predictions."""
    media = PLAN.figure_media(figure)
    return [
        [name, medium] for name in shown(figure) for medium in PREDICTORS[name] if medium in media
    ]


def of_figure(pattern, figure):
    """Returns the files of a figure's predictors."""
    if figure in LEFT_OUT:
        return snakemake_internals.why_left_out(figure, LEFT_OUT[figure])
    return [pattern.format(predictor=name, medium=medium) for name, medium in pairs(figure)]


def of_all(pattern):
    """Returns the files of all predictors."""
    return [
        pattern.format(predictor=predictor, medium=medium)
        for predictor, media in PREDICTORS.items()
        for medium in media
    ]
