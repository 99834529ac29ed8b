# Needs: all rules. Makes nothing: gives each job the code that it depends on as a parameter, and
# refuses to write over what the run reads, such as another config in its `outdir`.
import os

import yaml

from crmnet.report import provenance

snakemake_internals.give_code_to_jobs(workflow, fingerprint)


def writer(path):
    """Name of the rule that would write over a file, or remove it with its folder, and the key of
    the folder for what is made that holds it; or None."""
    for key in ("outdir", "resources"):
        # As it is spelled, and where links lead.
        for whole in (os.path.abspath, os.path.realpath):
            folder, file = Path(whole(config[key])), Path(whole(path))
            inside = [each for each in (file, *file.parents) if folder in each.parents]
            for made in inside:
                made = made.relative_to(folder)
                # In `.` some rules say ./a, others a.
                spellings = f"{config[key]}/{made}", str(Path(config[key], made))
                for spelling in spellings:
                    if rule_ := snakemake_internals.producer(workflow, spelling):
                        return rule_.name, key
    return None


def is_of_this_run(file):
    """Whether a config is the one that an earlier run of the same config wrote down."""
    written = Path(OUT, "config.yaml")
    return (
        written.exists()
        and written.samefile(file)
        and yaml.safe_load(written.read_text()) == provenance.plain(configuration.overlay(config))
    )


given = [("--configfile", file) for file in workflow.configfiles if not is_of_this_run(file)]
if errors := [
    f"{file} ({key}) is read by this run, and its rule {found[0]} would write over it; put it "
    f"into a folder in which nothing is made and name it there, or choose another `{found[1]}`"
    for key, file in (*given, *PLAN.given_files())
    if (found := writer(file))
]:
    raise WorkflowError("\n".join(errors))
