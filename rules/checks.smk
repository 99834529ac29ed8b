# Needs: all rules.
# Makes: nothing. It gives each job a fingerprint of its code as a parameter. It also stops a run
# whose rules would overwrite a file that the run reads, such as another config in its `outdir`.
import os

import yaml

from crmnet.report import provenance

# The rules of an importing workflow are not ours.
OWN_RULES = snakemake_internals.own_rules(workflow)
snakemake_internals.give_code_to_jobs(OWN_RULES, fingerprint)


def writer(path):
    """Returns the rule that would overwrite a file or remove it with its folder, or None.

    With the rule's name comes the config key of the folder in which the file lies."""
    for key in ("outdir", "resources"):
        # Compare paths as they are spelled and with links resolved.
        for whole in (os.path.abspath, os.path.realpath):
            folder, file = Path(whole(config[key])), Path(whole(path))
            inside = [each for each in (file, *file.parents) if folder in each.parents]
            for made in inside:
                made = made.relative_to(folder)
                # If the folder is `.`, some rules name a file ./a and others name it a.
                spellings = f"{config[key]}/{made}", str(Path(config[key], made))
                for spelling in spellings:
                    if rule_ := snakemake_internals.producer(OWN_RULES, spelling):
                        return rule_.name, key
    return None


def is_of_this_run(file):
    """Whether a config file is the copy that an earlier run of the same config wrote."""
    written = Path(OUT, "config.yaml")
    return (
        written.exists()
        and written.samefile(file)
        and yaml.safe_load(written.read_text()) == provenance.plain(configuration.overlay(config))
    )


given = [("--configfile", file) for file in workflow.configfiles if not is_of_this_run(file)]
if errors := [
    f"{file} ({key}): this run reads the file, and its rule {found[0]} would write over it; move "
    f"the file out of the folder `{found[1]}` and give its new path, or choose another "
    f"`{found[1]}`"
    for key, file in (*given, *PLAN.given_files())
    if (found := writer(file))
]:
    raise WorkflowError("\n".join(errors))
