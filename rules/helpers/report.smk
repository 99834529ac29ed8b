# Functions that report.smk calls, and the rules after it.
import functools


@functools.cache
def lineage(targets):
    """What makes the target files, whether it is to run again or not: all files on the way to them,
    the benchmark files of the jobs, the names of their environments, and all that the jobs make."""
    todo = [*targets]
    files, benchmarks, environments, made = set(), set(), set(), set()
    while todo:
        file = str(todo.pop())
        if file in files:
            continue
        files.add(file)
        if maker := snakemake_internals.producer(workflow, file):
            inputs, outputs, benchmark_file, environment = snakemake_internals.job_files(
                maker, file
            )
            todo += inputs
            made |= {*outputs}
            benchmarks.add(benchmark_file)
            environments.add(environment)
    return files, sorted(benchmarks), sorted(environments), sorted(made)
