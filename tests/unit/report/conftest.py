"""Runs the scripts of figures as Snakemake would; the style, for a test that draws by itself; where
the texts of a figure stand."""

import itertools
import runpy
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from matplotlib.text import Text

from crmnet.report import style

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
# Words of another lab's data, which are long.
LONG_UNIT = "regulatory activity (log2 of RNA counts over DNA counts, mean of 3 replicates)"
LONG_TITLE = "x very long name of a test set elements, primary human hepatocytes, day 14, donor 3"


@pytest.fixture
def long_words():
    """A quantity with a long unit, and a long title of a panel."""
    return LONG_UNIT, LONG_TITLE


@pytest.fixture
def fits(monkeypatch):
    """Asserts that a figure fits a page, that its texts lie in it, and that no text lies over
    another one or over a panel that is not its own."""

    def check(figure):
        drawn, draw = [], Text.draw

        def record(text, renderer):
            drawn.append(text)
            return draw(text, renderer)

        with style.styled(), monkeypatch.context() as patch, warnings.catch_warnings():
            # Such as a layout that has no room.
            warnings.simplefilter("error")
            figure.draw_without_rendering()
            patch.setattr(Text, "draw", record)
            figure.draw_without_rendering()
            texts = [text for text in drawn if text.get_visible() and text.get_text().strip()]
            boxes = [text.get_window_extent() for text in texts]
        assert figure.get_figheight() * style.INCH <= style.PAGE + 1e-6
        assert figure.get_figwidth() * style.INCH <= style.DOUBLE + 1e-6
        page = figure.bbox.padded(1)
        for text, box in zip(texts, boxes, strict=True):
            inside = [page.contains(*corner) for corner in (box.min, box.max)]
            assert all(inside), f"over the edge: {text.get_text()!r} {box} {page}"
            for axis in figure.axes:
                over = text.axes is not axis and box.padded(-1).overlaps(axis.bbox)
                assert not over, f"over a panel: {text.get_text()!r}"
        upright = [
            pair for pair in zip(texts, boxes, strict=True) if not pair[0].get_rotation() % 90
        ]
        for (a, box_a), (b, box_b) in itertools.combinations(upright, 2):
            # A line's box has room above and below its letters.
            over = box_a.padded(-1).overlaps(box_b.padded(-1))
            assert not over, f"{a.get_text()!r} over {b.get_text()!r}"

    return check


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
