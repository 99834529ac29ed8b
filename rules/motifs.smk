# A test set's sequences, ranked by expression -> motifs, their matches, and the paper's choice. All
# under motifs/: sequences by themselves, or (`families` = representatives) one of each family.


rule rank:
    """The inserts of the test set, best expression first, and their families."""
    input:
        test=lambda wildcards: motif_set()["path"],
        families=lambda wildcards: rules.families.output[0].format(medium=MOTIFS["medium"]),
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
        entry=lambda wildcards: motif_set(),
        test_set=lambda wildcards: MOTIFS["test_set"],
        length=config["construct"]["length"],
        construct=config["construct"],
        families=lambda wildcards: wildcards.families,
    script:
        "../workflow/scripts/rank.py"


rule discover:
    """Motifs enriched in the most highly against the most lowly expressed: MEME, or built in."""
    input:
        sequences=rules.rank.output.fasta,
        table=rules.rank.output.tsv,
    output:
        motifs=f"{OUT}/motifs/{{families}}/meme.meme",
        table=f"{OUT}/motifs/{{families}}/meme.tsv",
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
        top=lambda wildcards: MOTIFS["top"],
        motifs=lambda wildcards: MOTIFS["discover"]["motifs"],
        widths=lambda wildcards: MOTIFS["discover"]["widths"],
        engine=lambda wildcards: MOTIFS["engine"],
        seed=config["seed"],
    script:
        "../workflow/scripts/discover.py"


rule drimust:
    """Motifs of the top of the ranked list, as DRIMust finds them."""
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
        **dict(MOTIFS["drimust"] if MOTIFS else {}),
    script:
        "../workflow/scripts/drimust.py"


rule gadem:
    """Motifs of the most highly expressed by rGADEM, or its stand-in."""
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
        **dict(MOTIFS["gadem"] if MOTIFS else {}),
        engine=lambda wildcards: MOTIFS["engine"],
        seed=config["seed"],
    script:
        "../workflow/scripts/gadem.py"


rule modisco:
    """Motifs of the saliency maps themselves."""
    input:
        saliency=lambda wildcards: motif_model("saliency"),
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
        **dict(MOTIFS["modisco"] if MOTIFS else {}),
        seed=config["seed"],
    script:
        "../workflow/scripts/modisco.py"


rule jaspar:
    """The known motifs."""
    output:
        f"{OUT}/motifs/jaspar.meme",
    log:
        f"{LOGS}/jaspar.log",
    benchmark:
        f"{BENCHMARKS}/jaspar.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500),
        runtime=grows(10),
    params:
        jaspar=lambda wildcards: MOTIFS["jaspar"],
    script:
        "../workflow/scripts/jaspar.py"


rule scan:
    """Matches of the known motifs in all sequences: FIMO, or built in."""
    input:
        motifs=rules.jaspar.output[0],
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
        threshold=lambda wildcards: MOTIFS["scan"]["threshold"],
        engine=lambda wildcards: MOTIFS["engine"],
    script:
        "../workflow/scripts/scan.py"


rule match:
    """Which known motif each found one is: Tomtom, or built in; and by TFBSTools' measures."""
    input:
        motifs=[
            rules.discover.output.motifs,
            rules.drimust.output.motifs,
            rules.gadem.output.motifs,
        ],
        tables=[rules.discover.output.table, rules.drimust.output.table, rules.gadem.output.table],
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
        jaspar=lambda wildcards: MOTIFS["jaspar"],
        engine=lambda wildcards: MOTIFS["engine"],
    script:
        "../workflow/scripts/match.py"


use rule match as match_modisco with:
    """The same of the motifs of the saliency maps."""
    input:
        motifs=[rules.modisco.output.motifs],
        tables=[rules.modisco.output.table],
    output:
        f"{OUT}/motifs/{{families}}/modisco_matches.tsv",
    log:
        f"{LOGS}/match_modisco/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/match_modisco/{{families}}.tsv"


rule selection:
    """All motifs of all methods, with their matches, and which of them Figure 5 shows."""
    input:
        motifs=rules.match.input.motifs,
        tables=rules.match.input.tables,
        matches=rules.match.output[0],
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
        jaspar=lambda wildcards: MOTIFS["jaspar"],
        select=lambda wildcards: MOTIFS["select"],
    script:
        "../workflow/scripts/selection.py"


rule effects:
    """Saliency on the matches of the selected motifs, expression with them; and examples."""
    input:
        motifs=rules.selection.output[0],
        hits=rules.scan.output[0],
        ranked=f"{OUT}/motifs/all/ranked.tsv",
        saliency=lambda wildcards: motif_model("saliency"),
        jaspar=rules.jaspar.output[0],
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
        replicates=config["evaluation"]["replicates"],
        permutations=lambda wildcards: MOTIFS["permutations"],
        seed=config["seed"],
    script:
        "../workflow/scripts/effects.py"


rule truth:
    """Simulated data: what was planted against what was found."""
    input:
        motifs=rules.selection.output[0],
        matches=rules.match.output[0],
        hits=rules.scan.output[0],
        ranked=f"{OUT}/motifs/all/ranked.tsv",
        saliency=lambda wildcards: motif_model("saliency"),
        sites=f"{PLAN.simulated()}/sites.tsv",
        factors=f"{PLAN.simulated()}/factors.tsv",
    output:
        found=f"{OUT}/motifs/{{families}}/truth_motifs.tsv",
        sites=f"{OUT}/motifs/{{families}}/truth_sites.tsv",
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
        test_set=lambda wildcards: MOTIFS["test_set"],
        medium=lambda wildcards: MOTIFS["medium"],
        select=lambda wildcards: MOTIFS["select"],
        replicates=config["evaluation"]["replicates"],
        seed=config["seed"],
    script:
        "../workflow/scripts/truth.py"
