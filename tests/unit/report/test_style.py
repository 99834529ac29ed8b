"""The style of figures: fonts and bytes of the PDFs, colours; nothing of it outside a figure."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest

from crmnet.report import style
from crmnet.report.drawings import letters, panel, squares
from crmnet.report.scatter import density_scatter

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


@style.styled()
def a_figure():
    x, y = np.random.default_rng(1).normal(size=(2, 300))
    figure, axes = squares(2)
    for letter, axis in zip(letters(2), axes, strict=True):
        density_scatter(axis, x, y)
        panel(axis, letter, "native promoters", "N = 300, r = 0.9\nR² = 0.8")
    return figure


def test_pdf_has_truetype_fonts_the_journals_width_and_the_same_bytes(tmp_path):
    first, second = tmp_path / "1.pdf", tmp_path / "2.pdf"
    style.save(a_figure(), first)
    style.save(a_figure(), second)
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert b"/CreationDate" not in content
    assert b"/Type3" not in content
    assert re.search(rb"/Subtype /(Type0|TrueType)", content)
    assert b"/FontFile2" in content
    width = float(re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", content)[1])
    assert width / 72 * 25.4 == pytest.approx(180, abs=0.1)


def test_colours_are_told_apart():
    colours = {matplotlib.colors.to_rgb(colour) for colour in style.COLOURS}
    assert len(colours) == len(style.COLOURS) >= 7


def test_importing_the_drawings_loads_no_framework_and_sets_nothing_of_matplotlib():
    paths = (SCRIPTS / "crmnet" / "report").glob("*.py")
    # Logomaker, which draws the logos, imports pyplot.
    plain = [path.stem for path in paths if "logo" not in path.read_text()]
    modules = sorted(f"crmnet.report.{name}" for name in plain if name != "__init__")
    code = (
        "import sys, matplotlib; rc = matplotlib.rcParams; "
        # Asked for its backend, Matplotlib chooses one.
        "settings = lambda: {key: rc[key] for key in dict.keys(rc) if key != 'backend'}; "
        "before = settings(); "
        f"import {', '.join(modules)}; "
        "print({'keras', 'tensorflow', 'jax', 'matplotlib.pyplot'} & set(sys.modules)); "
        "print(before == settings())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SCRIPTS)},
    )
    assert run.stdout.strip() == "set()\nTrue"
