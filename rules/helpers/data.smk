# Helper functions for data.smk and the rules that are included after it.


def test_table(wildcards):
    return PLAN.test_tables(wildcards.medium)[wildcards.test_set]


def split_file(wildcards):
    """Returns the file with the split of families, for a medium that is split by families."""
    by_families = config["media"][wildcards.medium]["split"] == "families"
    return f"{OUT}/data/split.npz" if by_families else []
