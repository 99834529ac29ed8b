"""Draws Figure 1: the architecture, from the model object."""

import sys

from crmnet.data.tsv import write_tsv
from crmnet.models.blocks import blocks
from crmnet.report import model_diagram
from crmnet.report.style import save
from crmnet.training import devices

job = snakemake
devices.setup_job(job)

from crmnet.models.architectures.crmnet import crmnet

table = blocks(crmnet(job.params.length, **job.params.model))
write_tsv(job.output.tsv, table)
print(f"{len(table)} blocks, {table['parameters'].sum():,} parameters", file=sys.stderr)
save(model_diagram.draw(table, job.params.expression), job.output.pdf)
