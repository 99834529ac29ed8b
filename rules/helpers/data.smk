# Functions that data.smk calls, and the rules after it.


def test_table(wildcards):
    return PLAN.test_tables(wildcards.medium)[wildcards.test_set]


def split_file(wildcards):
    """What says which families are for what, where a medium is split by families."""
    by_families = config["media"][wildcards.medium]["split"] == "families"
    return f"{OUT}/data/split.npz" if by_families else []
