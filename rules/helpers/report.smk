# Helper functions for report.smk and the rules that are included after it.
import functools


@functools.cache
def lineage(targets):
    """Returns what the target files were made from, whether or not jobs are to run again.

    These are all files that the targets depend on, the benchmark files of the jobs, the names of
    their environments, and all outputs of the jobs."""
    todo = [*targets]
    files, benchmarks, environments, made = set(), set(), set(), set()
    while todo:
        file = str(todo.pop())
        if file in files:
            continue
        files.add(file)
        if maker := snakemake_internals.producer(OWN_RULES, file):
            inputs, outputs, benchmark_file, environment = snakemake_internals.job_files(
                maker, file
            )
            todo += inputs
            made |= {*outputs}
            benchmarks.add(benchmark_file)
            environments.add(environment)
    return files, sorted(benchmarks), sorted(environments), sorted(made)
