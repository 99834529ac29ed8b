"""The changes of code that change a script's fingerprint, and those that do not."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crmnet.fingerprint import PACKAGE, fingerprint, reached

SCRIPTS = sorted(PACKAGE.parent.glob("*.py"))
LOSS = '''"""A module."""

import sys
import warnings

from crmnet.logs import Progress, say


def loss(error: float, delta: float = 1.0) -> float:
    """Huber's."""
    # Quadratic near zero.
    if error < 0:
        raise ValueError(f"an error of {error} is less than nothing")
    say("computing")
    print(f"{error} is the error", file=sys.stderr)
    warnings.warn("slow", stacklevel=2)
    progress = Progress(3, "rows", head="loss: ")
    progress(1)
    return {"quadratic": 0.5 * error**2}["quadratic"]
'''


@pytest.fixture
def package(tmp_path):
    """A package in folders, and a script that imports some of it."""

    def write(file, text):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("crmnet/__init__.py", '"""All the science."""\n')
    write("crmnet/logs.py", "def say(text):\n    print(text)\n\n\nProgress = say\n")
    write("crmnet/training/__init__.py", "")
    write("crmnet/training/loss.py", LOSS)
    write("crmnet/training/loop.py", "from crmnet.training.loss import loss\n")
    write("crmnet/data/shards.py", "def read():\n    from crmnet.data import tables\n")
    write("crmnet/data/tables.py", "import crmnet.data.text as text\n")
    write("crmnet/data/text.py", "SEPARATOR = 1\n")
    write("train.py", "from crmnet import logs\nfrom crmnet.training.loop import loss\n")
    write("shards.py", "from crmnet.data.shards import read\n")

    def of(script):
        # In a process of its own, as each run is.
        code = (
            "import sys; from pathlib import Path; from crmnet.fingerprint import fingerprint\n"
            "print(fingerprint(Path(sys.argv[1]), Path(sys.argv[2])))"
        )
        command = [sys.executable, "-c", code, str(tmp_path / script), str(tmp_path / "crmnet")]
        done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return tmp_path, write, of


def test_what_a_script_reaches(package):
    folder, write, _ = package
    files = {"train.py", "crmnet/__init__.py", "crmnet/training/__init__.py"}
    files |= {"crmnet/training/loop.py", "crmnet/training/loss.py"}
    assert reached(folder / "train.py", folder / "crmnet") == {folder / file for file in files}
    # Imported in a function, as an attribute of a folder without __init__.py, by another name.
    files = {"shards.py", "crmnet/__init__.py"}
    files |= {f"crmnet/data/{name}.py" for name in ("shards", "tables", "text")}
    assert reached(folder / "shards.py", folder / "crmnet") == {folder / file for file in files}


def test_modules_that_import_each_other(package):
    folder, write, _ = package
    write("crmnet/data/text.py", "from crmnet.data import tables\n")
    names = {path.name for path in reached(folder / "shards.py", folder / "crmnet")}
    assert names == {"shards.py", "tables.py", "text.py", "__init__.py"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""The loss."""'),
        ('"""Huber\'s."""', '"""Huber\'s loss, twice continuous."""'),
        ('    """Huber\'s."""\n', ""),
        ("# Quadratic near zero.", "# As the paper says."),
        ("is less than nothing", "is negative"),
        ('f"an error of {error} is less than nothing"', '"negative"'),
        ('say("computing")', 'say(f"computing {error}")'),
        ('    say("computing")\n', ""),
        ('f"{error} is the error"', 'f"error: {error:g}"'),
        ('warnings.warn("slow"', 'warnings.warn("this is slow"'),
        ('"rows", head="loss: "', '"sequences", head="Huber: "'),
        ("import Progress, say", "import say, Progress"),
        ("error: float, delta: float = 1.0", "error: int, delta = 1.0"),
        ("    # Quadratic", "\n\n    # Quadratic"),
    ],
)
def test_texts_that_change_no_result(package, old, new):
    folder, write, of = package
    before = of("train.py")
    assert old in LOSS
    write("crmnet/training/loss.py", LOSS.replace(old, new))
    assert of("train.py") == before


def test_the_module_of_messages_changes_no_result(package):
    folder, write, of = package
    before = of("train.py")
    write("crmnet/logs.py", "def say(text, end):\n    print(text, end=end)\n")
    assert of("train.py") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5 * error", "0.25 * error"),
        ("error**2", "error**3"),
        ("delta: float = 1.0", "delta: float = 2.0"),
        ('{"quadratic": 0.5', '{"square": 0.5'),
        ("ValueError(", "KeyError("),
        ("if error < 0:", "if error < 1:"),
        ("def loss(error", "@staticmethod\ndef loss(error"),
    ],
)
def test_an_edit_of_the_code_changes_what_reaches_it(package, old, new):
    folder, write, of = package
    before, other = of("train.py"), of("shards.py")
    assert old in LOSS
    write("crmnet/training/loss.py", LOSS.replace(old, new))
    assert of("train.py") != before and of("shards.py") == other


def test_the_script_itself_counts_and_what_stands_beside_it(package):
    folder, write, of = package
    seen = {of("train.py")}
    write("train.py", (folder / "train.py").read_text() + "x = 1\n")
    seen.add(of("train.py"))
    write("train.R", "x <- 1\n")
    seen.add(of("train.py"))
    write("train.R", "x <- 2\n")
    assert len(seen | {of("train.py")}) == 4
    before = of("train.py")
    write("train.R", "# Two.\nx <- 2\n")
    assert of("train.py") == before
    # What an editor or a merge leaves behind.
    write("train.py~", "x = 0\n")
    write("crmnet/training/loss.py.orig", "x = 0\n")
    assert of("train.py") == before


def test_a_relative_import_is_refused(package):
    _, write, of = package
    write("crmnet/training/loss.py", "from . import other\n" + LOSS)
    # Of the process that works it out.
    with pytest.raises(
        AssertionError, match=r"loss\.py, line 1: import modules by their full names"
    ):
        of("train.py")


def test_it_is_the_same_wherever_the_project_lies(package, tmp_path_factory):
    folder, _, of = package
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    before = of("train.py")
    folder.rename(moved)
    assert fingerprint(moved / "train.py", moved / "crmnet") == before


def test_an_error_about_a_missing_import_names_the_line(package):
    folder, write, _ = package
    write("train.py", "import sys\n\nfrom crmnet.training.lop import loss\n")
    message = "train.py, line 3: there is no module crmnet.training.lop"
    with pytest.raises(ImportError, match=re.escape(message)):
        reached(folder / "train.py", folder / "crmnet")


def test_all_scripts_have_one_of_their_own_in_a_second():
    started = time.process_time()
    assert len({fingerprint(script) for script in SCRIPTS}) == len(SCRIPTS) > 40
    # Some 0.7 s; a machine may be slow.
    assert time.process_time() - started < 5


def test_every_module_is_reached_by_a_script_or_run_by_name():
    modules = {path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    architectures = (PACKAGE / "models" / "architectures").glob("*.py")
    found = set().union(*map(reached, [*SCRIPTS, *architectures]))
    # The rules import these; what a training costs, and how fast maps are, is asked for by hand.
    by_name = {"configuration", "plan", "fingerprint", "logs", "cost", "speed"}
    assert {path.stem for path in modules - found} <= by_name


def test_architectures_are_imported_by_name_alone():
    """If a script imported the files of all architectures, a change of one would retrain all
    models."""
    architectures = PACKAGE / "models" / "architectures"
    train = {Path(path).parent for path in reached(PACKAGE.parent / "train.py")}
    assert architectures not in train
