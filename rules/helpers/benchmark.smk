# Helper functions for benchmark.smk and the rules that are included after it.


def alone(wildcards):
    """Returns the threads of a job that must run alone, because other jobs would change its times.

    On this machine the job takes all cores, so that Snakemake starts nothing else. On a cluster the
    job has its cores to itself and requests as many as a training does."""
    threads = config["training"]["threads"]
    return max(threads, snakemake_internals.cores_of_this_machine(workflow) or 1)
