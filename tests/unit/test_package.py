"""The package in an environment that is not Snakemake's own."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def test_packages_of_another_python_are_not_found(tmp_path):
    other = tmp_path / "lib" / "python3.7" / "site-packages"
    other.mkdir(parents=True)
    (other / "foreign.py").write_text("")
    own = tmp_path / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
    own.mkdir(parents=True)
    (own / "domestic.py").write_text("")
    code = (
        "import sys; sys.path += sys.argv[1:]\n"
        "import crmnet, domestic, numpy\n"
        "try:\n    import foreign\n"
        "except ModuleNotFoundError:\n    print('not found')\n"
    )
    paths = map(str, (SCRIPTS, other, own))
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True
    )
    assert done.stdout == "not found\n"
