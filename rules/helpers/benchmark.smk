# Functions that benchmark.smk calls, and the rules after it.


def alone(wildcards):
    """Threads of a job beside which no other may run, for its times would be others: on this
    machine all, so that Snakemake starts nothing else. On a cluster the job has its share of a
    machine to itself, and asks for what a training asks for."""
    threads = config["training"]["threads"]
    return max(threads, snakemake_internals.cores_of_this_machine(workflow) or 1)
