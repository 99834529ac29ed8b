"""Saliency maps of the trained model against those of randomised weights."""

from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.report import plotting

job = snakemake
MEASURES = {"absolute": plotting.BLUE, "signed": plotting.ORANGE}

log_to(job.log[0])
table = read_table(job.input.sanity)
stages = list(table["stage"].unique())
page = plotting.figure(plotting.SINGLE, 60.0)
axis = page.subplots()
# Draws of the weights side by side.
draw = 0.05 * (table["draw"] - table.groupby("stage")["draw"].transform("mean"))
for offset, (measure, colour) in zip((-0.18, 0.18), MEASURES.items(), strict=True):
    rows = table.assign(x=table["stage"].map(stages.index) + offset + draw)
    gaps = [rows[measure] - rows[f"{measure}_low"], rows[f"{measure}_high"] - rows[measure]]
    axis.errorbar(
        rows["x"],
        rows[measure],
        gaps,
        fmt="o",
        color=colour,
        markersize=2,
        linewidth=0.8,
        label=f"{measure} values",
    )
axis.axhline(0, color=plotting.GREY, linestyle="--")
axis.set(xticks=range(len(stages)), ylim=(None, 1.02), ylabel="rank correlation with the real maps")
axis.set_xticklabels(stages, rotation=30, ha="right")
axis.legend()
plotting.save(page, job.output.pdf)
table.to_csv(job.output.tsv, sep="\t", index=False)
