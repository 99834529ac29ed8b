# Helper functions for figures.smk and the rules that are included after it.


def scatter_input(kind, figure, ending=".tsv"):
    """Returns the files of predictions or metrics for a scatter figure, one for each medium."""
    if figure in LEFT_OUT:
        return snakemake_internals.why_left_out(figure, LEFT_OUT[figure])
    model = config["figures"][figure]["model"]
    media = dict.fromkeys(medium for medium, _ in PLAN.panels(figure))
    return [f"{OUT}/{kind}/{model}/{medium}{ending}" for medium in media]


def panels(figure):
    """Returns the medium, test set and title of each panel."""
    return [
        [medium, test_set, set_label(medium, test_set)] for medium, test_set in PLAN.panels(figure)
    ]


def set_label(medium, test_set):
    return f"{test_set.replace('_', ' ')} {WORDS['sequences']}, {medium_label(medium)}"


def run_conditions():
    """Returns the settings that decide whether this run can be compared with the paper."""
    shown_first = config["figures"][PLAN.figures[0]]["model"] if PLAN.figures else MODELS[0]
    # An ensemble has the settings of the model whose trainings it averages.
    main = plan.trained(shown_first)
    released = PLAN.released(main)
    return {
        "simulated": bool(config["simulation"]),
        "main_model": shown_first,
        "model": PLAN.architecture(main),
        "pretrain": config["models"][main]["pretrain"],
        "recipe": PLAN.recipe_name(main),
        "training": {stage: PLAN.recipe(main, stage) for stage in PLAN.stages(main)},
        "precision": {name: PLAN.precision(plan.trained(name)) for name in [*MODELS, shown_first]},
        "weights": {medium: "released" if medium in released else "trained" for medium in MEDIA},
        "backend": config["training"]["backend"],
        "motifs": MOTIFS
        and {key: MOTIFS[key] for key in ("model", "medium", "test_set", "families")},
    }
