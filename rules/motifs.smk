# Needs: a test set with its families (data.smk) and its saliency maps (interpret.smk).
# Makes: under motifs/ the sequences ranked by expression, the motifs of each method, their sites
# and matching known motifs, the selection for Figure 5, and the motifs' effects. The folder `all`
# uses all sequences, `representatives` one sequence of each family. These rules exist only if the
# config has the section `motifs`.


from crmnet.motifs.known import YEAST


include: "helpers/motifs.smk"


# The test set of the motif jobs, the model, and its saliency maps.
MOTIF_SET = PLAN.test_tables(MOTIFS["medium"])[MOTIFS["test_set"]]
MOTIF_MODEL = model_path(MOTIFS["model"], MOTIFS["medium"])
MAPS = f"{OUT}/saliency/{MOTIFS['model']}/{MOTIFS['medium']}/{MOTIFS['test_set']}"
# The figures that every run with motif jobs draws. figure_truth needs simulated data, because only
# these come with planted sites, and the known motifs that were planted.
MOTIF_FIGURES = list(plan.MOTIF_FIGURES)
if Path(MOTIF_SET["path"]).is_relative_to(PLAN.simulated()) and MOTIFS["known"] == YEAST:
    MOTIF_FIGURES.append("figure_truth")
# The map beside the paper's; all maps that are made besides the paper's; and for each map that is
# checked by randomised weights the number of sequences. Only if the truth is known, all are compared.
BESIDE = MOTIFS["map"] or {"method": None, "sequences": None}
OTHER_MAPS = []
CHECKED_MAPS = {"gradient": MOTIFS["sanity"]["sequences"]}
if MOTIFS["map"]:
    OTHER_MAPS = list(plan.MAPS) if "figure_truth" in MOTIF_FIGURES else [BESIDE["method"]]
    CHECKED_MAPS[BESIDE["method"]] = BESIDE["sanity"]


rule motifs:
    """Target: the motifs of all methods, their matches, and the selection for Figure 5."""
    input:
        of_motifs("motifs.tsv"),


rule rank:
    """The inserts of the test set with their families, from highest to lowest expression."""
    input:
        test=MOTIF_SET["path"],
        families=rules.families.output[0].format(medium=MOTIFS["medium"]),
    output:
        fasta=f"{OUT}/motifs/{{families}}/ranked.fa",
        tsv=f"{OUT}/motifs/{{families}}/ranked.tsv",
    log:
        f"{LOGS}/rank/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/rank/{{families}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500, per_mb=20),
        runtime=grows(10, per_mb=0.5),
    params:
        entry=MOTIF_SET,
        test_set=MOTIFS["test_set"],
        length=config["construct"]["length"],
        construct=config["construct"],
        families=lambda wildcards: wildcards.families,
    script:
        "../workflow/scripts/rank.py"


# What both searches by MEME have in common.
DISCOVER = {
    "top": MOTIFS["top"],
    "motifs": MOTIFS["discover"]["motifs"],
    "widths": MOTIFS["discover"]["widths"],
    "engine": MOTIFS["engine"],
    "seed": config["seed"],
}


rule discover:
    """Motifs enriched in high against low expression, by MEME or the built-in engine."""
    input:
        sequences=rules.rank.output.fasta,
        table=rules.rank.output.tsv,
    output:
        motifs=f"{OUT}/motifs/{{families}}/discover.meme",
        table=f"{OUT}/motifs/{{families}}/discover.tsv",
    log:
        f"{LOGS}/discover/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/discover/{{families}}.tsv"
    conda:
        "../envs/meme.yaml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(120),
    params:
        **DISCOVER,
        low=False,
    script:
        "../workflow/scripts/discover.py"


use rule discover as discover_low with:
    """Motifs enriched in low against high expression, such as those of repressors."""
    output:
        motifs=f"{OUT}/motifs/{{families}}/discover_low.meme",
        table=f"{OUT}/motifs/{{families}}/discover_low.tsv",
    log:
        f"{LOGS}/discover_low/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/discover_low/{{families}}.tsv"
    params:
        **DISCOVER,
        low=True,


rule drimust:
    """Motifs at the top of the ranked list, by DRIMust's method."""
    input:
        sequences=rules.rank.output.fasta,
    output:
        motifs=f"{OUT}/motifs/{{families}}/drimust.meme",
        table=f"{OUT}/motifs/{{families}}/drimust.tsv",
        words=f"{OUT}/motifs/{{families}}/drimust_words.tsv.gz",
    log:
        f"{LOGS}/drimust/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/drimust/{{families}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500, per_mb=300),
        runtime=grows(15, per_mb=8),
    params:
        **MOTIFS["drimust"],
    script:
        "../workflow/scripts/drimust.py"


rule gadem:
    """Motifs of the most highly expressed inserts, by rGADEM or the built-in engine."""
    input:
        sequences=rules.rank.output.fasta,
    output:
        motifs=f"{OUT}/motifs/{{families}}/gadem.meme",
        table=f"{OUT}/motifs/{{families}}/gadem.tsv",
        sites=f"{OUT}/motifs/{{families}}/gadem_sites.tsv.gz",
    log:
        f"{LOGS}/gadem/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/gadem/{{families}}.tsv"
    conda:
        "../envs/rgadem.yaml"
    resources:
        mem_mb=grows(4000),
        runtime=grows(240),
    params:
        **MOTIFS["gadem"],
        engine=MOTIFS["engine"],
        seed=config["seed"],
    script:
        "../workflow/scripts/gadem.py"


rule modisco:
    """Motifs in the saliency maps, by TF-MoDISco."""
    input:
        saliency=lambda wildcards: f"{MAPS}.npz",
        table=rules.rank.output.tsv,
    output:
        motifs=f"{OUT}/motifs/{{families}}/modisco.meme",
        table=f"{OUT}/motifs/{{families}}/modisco.tsv",
    log:
        f"{LOGS}/modisco/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/modisco/{{families}}.tsv"
    conda:
        "../envs/modisco.yaml"
    threads: 4
    resources:
        mem_mb=grows(3000),
        runtime=grows(120),
    params:
        **MOTIFS["modisco"],
        seed=config["seed"],
    script:
        "../workflow/scripts/modisco.py"


rule known:
    """The known motifs, in MEME's format."""
    input:
        PLAN.known_motifs,
    output:
        f"{OUT}/motifs/known.meme",
    log:
        f"{LOGS}/known.log",
    benchmark:
        f"{BENCHMARKS}/known.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500),
        runtime=grows(10),
    params:
        known=MOTIFS["known"],
    script:
        "../workflow/scripts/known.py"


rule scan:
    """Sites of the known motifs in all sequences, by FIMO or the built-in engine."""
    input:
        motifs=rules.known.output[0],
        sequences=f"{OUT}/motifs/all/ranked.fa",
    output:
        f"{OUT}/motifs/hits.tsv.gz",
    log:
        f"{LOGS}/scan.log",
    benchmark:
        f"{BENCHMARKS}/scan.tsv"
    conda:
        "../envs/meme.yaml"
    resources:
        mem_mb=grows(500, per_mb=100),
        runtime=grows(10, per_mb=2),
    params:
        threshold=MOTIFS["scan"]["threshold"],
        engine=MOTIFS["engine"],
    script:
        "../workflow/scripts/scan.py"


use rule scan as scan_found with:
    """Sites of the found motifs in all sequences."""
    input:
        motifs=rules.discover.output.motifs,
        sequences=f"{OUT}/motifs/all/ranked.fa",
    output:
        f"{OUT}/motifs/{{families}}/found_hits.tsv.gz",
    log:
        f"{LOGS}/scan_found/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/scan_found/{{families}}.tsv"


# The motifs whose sites stand for a selected motif, and these sites.
if MOTIFS["scan"]["motifs"] == "found":
    SCANNED, HITS = rules.discover.output.motifs, f"{OUT}/motifs/{{families}}/found_hits.tsv.gz"
else:
    SCANNED, HITS = rules.known.output[0], rules.scan.output[0]


rule match:
    """The known motif that matches each motif best, by Tomtom or the built-in engine."""
    input:
        motifs=[
            rules.discover.output.motifs,
            rules.drimust.output.motifs,
            rules.gadem.output.motifs,
        ],
        tables=[rules.discover.output.table, rules.drimust.output.table, rules.gadem.output.table],
        known=PLAN.known_motifs,
    output:
        f"{OUT}/motifs/{{families}}/matches.tsv",
    log:
        f"{LOGS}/match/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/match/{{families}}.tsv"
    conda:
        "../envs/meme.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        known=MOTIFS["known"],
        engine=MOTIFS["engine"],
    script:
        "../workflow/scripts/match.py"


use rule match as match_modisco with:
    """The known motif that matches each motif of the saliency maps best."""
    input:
        motifs=[rules.modisco.output.motifs],
        tables=[rules.modisco.output.table],
        known=PLAN.known_motifs,
    output:
        f"{OUT}/motifs/{{families}}/modisco_matches.tsv",
    log:
        f"{LOGS}/match_modisco/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/match_modisco/{{families}}.tsv"


use rule match as match_low with:
    """The known motif that matches each motif of low expression best."""
    input:
        motifs=[f"{OUT}/motifs/{{families}}/discover_low.meme"],
        tables=[f"{OUT}/motifs/{{families}}/discover_low.tsv"],
        known=PLAN.known_motifs,
    output:
        f"{OUT}/motifs/{{families}}/low_matches.tsv",
    log:
        f"{LOGS}/match_low/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/match_low/{{families}}.tsv"


rule selection:
    """All motifs of all methods with their matches, and the selection for Figure 5."""
    input:
        motifs=rules.match.input.motifs,
        tables=rules.match.input.tables,
        matches=rules.match.output[0],
        known=PLAN.known_motifs,
    output:
        reported("motifs/{families}/motifs.tsv"),
    log:
        f"{LOGS}/selection/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/selection/{{families}}.tsv"
    conda:
        "../envs/meme.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        **similarity(),
        known=MOTIFS["known"],
        select=MOTIFS["select"],
    script:
        "../workflow/scripts/selection.py"


rule effects:
    """Saliency at the sites of the selected motifs, expression with them, and examples."""
    input:
        motifs=rules.selection.output[0],
        hits=HITS,
        ranked=f"{OUT}/motifs/all/ranked.tsv",
        saliency=lambda wildcards: f"{MAPS}.npz",
        map=lambda wildcards: [f"{MAPS}.{BESIDE['method']}.npz"] if MOTIFS["map"] else [],
        scanned=SCANNED,
    output:
        effects=f"{OUT}/motifs/{{families}}/effects.tsv",
        examples=f"{OUT}/motifs/{{families}}/examples.tsv",
    log:
        f"{LOGS}/effects/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/effects/{{families}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500, per_mb=20),
        runtime=grows(10, per_mb=0.2),
    params:
        sites=MOTIFS["scan"]["motifs"],
        map=BESIDE["method"],
        replicates=config["evaluation"]["replicates"],
        permutations=MOTIFS["permutations"],
        seed=config["seed"],
    script:
        "../workflow/scripts/effects.py"


rule truth:
    """Simulated data: planted motifs and sites against those found, as tables."""
    input:
        **{kind: lambda wildcards, kind=kind: f"{MAPS}.{kind}.npz" for kind in OTHER_MAPS},
        motifs=rules.selection.output[0],
        matches=rules.match.output[0],
        low=f"{OUT}/motifs/{{families}}/discover_low.tsv",
        low_matches=f"{OUT}/motifs/{{families}}/low_matches.tsv",
        hits=rules.scan.output[0],
        ranked=f"{OUT}/motifs/all/ranked.tsv",
        saliency=lambda wildcards: f"{MAPS}.npz",
        sites=f"{PLAN.simulated()}/sites.tsv",
        factors=f"{PLAN.simulated()}/factors.tsv",
    output:
        found=f"{OUT}/motifs/{{families}}/truth_motifs.tsv",
        sites=f"{OUT}/motifs/{{families}}/truth_sites.tsv",
        maps=f"{OUT}/motifs/{{families}}/truth_maps.tsv",
        curve=f"{OUT}/motifs/{{families}}/truth_curve.tsv",
    log:
        f"{LOGS}/truth/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/truth/{{families}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500, per_mb=20),
        runtime=grows(15, per_mb=0.5),
    params:
        **similarity(),
        test_set=MOTIFS["test_set"],
        medium=MOTIFS["medium"],
        construct=config["construct"],
        maps=OTHER_MAPS,
        replicates=config["evaluation"]["replicates"],
        seed=config["seed"],
    script:
        "../workflow/scripts/truth.py"
