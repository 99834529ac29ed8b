"""All that this workflow uses of Snakemake beyond what its documentation promises.

Written for Snakemake 9.27; `tests/workflow/test_internals.py` fails when another version has
changed what is used here.
"""

from pathlib import Path


def give_code_to_jobs(workflow, fingerprint) -> None:
    """Makes the fingerprint of a rule's script the parameter `code` of its jobs.

    Snakemake runs a job again when a parameter has changed. (Its own trigger `code` looks only at
    the time at which a script was written, so the profiles leave that one out.)

    Args:
        workflow: Snakemake's, after all rules.
        fingerprint: gives the text of a script's path; called for the jobs of a plan alone.
    """
    for rule in workflow.rules:
        if rule.script:
            script = Path(rule.basedir.get_path_or_uri(secret_free=True), rule.script).resolve()
            rule.set_params(code=lambda wildcards, script=script: fingerprint(script))
