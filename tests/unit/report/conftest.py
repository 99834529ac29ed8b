"""Runs the scripts of figures as Snakemake would; the style, for a test that draws by itself."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from crmnet.report import style

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


@pytest.fixture
def styled():
    with style.styled():
        yield


@pytest.fixture
def run_script(tmp_path):
    """Runs a script with inputs and parameters; returns the table that it wrote."""

    def run(name, **job):
        job = {key: SimpleNamespace(**values) for key, values in job.items()}
        job["output"] = SimpleNamespace(pdf=tmp_path / f"{name}.pdf", tsv=tmp_path / f"{name}.tsv")
        job["log"] = [str(tmp_path / f"{name}.log")]
        stderr = sys.stderr
        try:
            runpy.run_path(
                str(SCRIPTS / f"{name}.py"), init_globals={"snakemake": SimpleNamespace(**job)}
            )
        finally:
            if sys.stderr is not stderr:
                sys.stderr.close()
            sys.stderr = stderr
        assert job["output"].pdf.read_bytes().startswith(b"%PDF")
        return pd.read_csv(job["output"].tsv, sep="\t", dtype={"p_value": str})

    return run
