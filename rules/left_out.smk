# Needs: nothing.
# Makes: nothing. If a target needs a section that the config leaves out, its rule here stops the
# run and says why.

# Each such target -> the reason.
ABSENT = {}
if not MOTIFS:
    figures = [*plan.MOTIF_FIGURES, "figure_truth", "figure_modisco", "figure_insertion"]
    ABSENT |= dict.fromkeys([*figures, "motifs", "beyond"], LEFT_OUT["figure5"])
if not BENCHMARK:
    ABSENT |= dict.fromkeys(["table1", "benchmark"], LEFT_OUT["table1"])
if not CROSS_VALIDATION:
    reason = "nothing is cross-validated (`cross_validation: null`; see config/README.md)"
    ABSENT |= dict.fromkeys(["cross_validation", "figure_cross_validation"], reason)
if not SCORE:
    reason = "there is nothing to score (`score: null`; see config/README.md)"
    ABSENT |= dict.fromkeys(["score", "figure_score"], reason)

for target, reason in ABSENT.items():

    rule:
        name:
            target
        input:
            lambda wildcards, target=target, reason=reason: snakemake_internals.why_left_out(
                target, reason
            ),
        output:
            [f"{OUT}/{target}.{ending}" for ending in ("pdf", "tsv", "md") if target in REPORTED],
            [
                f"{OUT}/score/{file}"
                for file in [*plan.SCORES.values(), "figure_score.pdf", "figure_score.tsv"]
                if target == "score"
            ],
