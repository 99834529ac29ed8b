# The workflow with the conda environments of the demo, in which all motif programs are the real
# ones. `docker run` makes the demo.
FROM condaforge/miniforge3:25.3.1-0

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /crmnet
ENV SNAKEMAKE_CONDA_PREFIX=/opt/environments PIP_NO_CACHE_DIR=1
# The packages that Snakemake itself needs; those of the jobs are in the environments.
COPY requirements.txt .
RUN grep -E '^(snakemake|numpy|pandas)==' requirements.txt | xargs pip install

COPY . .
RUN conda config --system --set channel_priority strict \
    && snakemake all beyond --profile profiles/demo --sdm conda --conda-create-envs-only \
        --config training='{device: cpu}' motifs='{engine: tool}' \
    && conda clean --all --yes

ENTRYPOINT ["tini", "--", "snakemake"]
CMD ["all", "beyond", "--profile", "profiles/demo", "--sdm", "conda", \
     "--config", "training={device: cpu}", "motifs={engine: tool}"]
