# Helper functions for data.smk and the rules that are included after it.


def test_table(wildcards):
    return PLAN.test_tables(wildcards.medium)[wildcards.test_set]


def split_file(wildcards):
    """Returns the file that says what each sequence is for, if families or a column decide."""
    return f"{OUT}/data/split.npz" if wildcards.medium in PLAN.split_media else []
