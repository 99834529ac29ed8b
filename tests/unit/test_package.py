"""The package in an environment that is not Snakemake's own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


# A folder imports only from those that stand before it.
FOLDERS = ("data", "models", "evaluation", "training", "motifs", "interpretation", "report")


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_import_in_one_direction(folder):
    allowed = FOLDERS[: FOLDERS.index(folder) + 1]
    for path in (SCRIPTS / "crmnet" / folder).rglob("*.py"):
        imported = re.findall(r"^ *(?:from|import) crmnet\.(\w+)", path.read_text(), re.M)
        assert {name for name in imported if name in FOLDERS} <= {*allowed}, path


def test_every_folder_has_its_place_in_the_order():
    folders = {path.parent.name for path in (SCRIPTS / "crmnet").glob("*/__init__.py")}
    assert folders == {*FOLDERS}
