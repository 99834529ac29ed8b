"""The page of a run: its figures, tables and facts in one HTML file that loads no other files."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import quote

import jinja2
import pypdfium2
from docutils.core import publish_parts
from docutils.utils import SystemMessage
from docutils.writers.html5_polyglot import Writer

from crmnet.logs import duration
from crmnet.motifs.matching import stated
from crmnet.report.claims import OURS, TOLERANCE
from crmnet.report.summary import cautions, interval

# CSS pixels per point of a PDF: figures are enlarged, because a screen is farther from the eye than
# paper. Images have twice as many pixels, for screens of twice the usual density.
CSS_PIXELS_PER_POINT = 1.75
PIXELS_PER_POINT = 2 * CSS_PIXELS_PER_POINT
# The files of a figure: the figure itself and its numbers.
PICTURED = {".pdf", ".tsv"}
# The column of Table S1 that counts a test set's sequences with relatives in the training files.
WITH_RELATIVES = "with relatives in the training files"
METRICS = {
    "pearson_r": "r",
    "squared_r": "r²",
    "r2": "R²",
    "spearman_rho": "ρ",
    "rmse": "RMSE",
}


class Table(NamedTuple):
    """A table on the page.

    Attributes:
        columns: the heads of the columns.
        rows: the cells of each row, as text.
        note: the text below the table.
    """

    columns: list[str]
    rows: list[list[str]]
    note: str = ""

    @property
    def numeric(self) -> list[bool]:
        """Whether each column has only numbers or empty cells, and is therefore aligned right."""
        return [
            all(re.match(r"[-+<>]? ?\d|-?$|n/a$", row[number]) for row in self.rows)
            for number in range(len(self.columns))
        ]


class Picture(NamedTuple):
    """An image on the page: its data URI and its size in CSS pixels."""

    uri: str
    width: int
    height: int


class Claims(NamedTuple):
    """The claims on the page.

    Attributes:
        table: the claims without the reasons.
        here: "yes", "no" or "undecided" -> the number of statements that this run's own numbers
            support, contradict or cannot decide.
        verdicts: verdict -> number of claims.
        reasons: the different reasons.
        reason_of: the place of each row's reason in `reasons`, from 1; None if it has no reason.
    """

    table: Table
    here: dict[str, int]
    verdicts: dict[str, int]
    reasons: list[str]
    reason_of: list[int | None]


def picture(path: str | Path) -> Picture:
    """Renders a one-page PDF as a lossless WebP image on white.

    Raises:
        ValueError: the PDF does not have exactly one page.
    """
    with pypdfium2.PdfDocument(path) as document:
        if len(document) != 1:
            raise ValueError(f"{path}: a figure must have one page, but this has {len(document)}")
        page = document[0]
        size = [round(CSS_PIXELS_PER_POINT * points) for points in page.get_size()]
        image = page.render(scale=PIXELS_PER_POINT).to_pil()
    stream = io.BytesIO()
    image.save(stream, "WEBP", lossless=True)
    code = base64.b64encode(stream.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{code}", *size)


def caption(path: str | Path, config: Mapping) -> str:
    """Returns a caption of Snakemake's report as HTML.

    A caption is reStructuredText. Jinja fills in values of `snakemake.config`.

    Raises:
        ValueError: the caption uses a key that the config does not have, or it is not valid
            reStructuredText.
    """
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    settings = {
        "file_insertion_enabled": False,
        "raw_enabled": False,
        "halt_level": 2,
        "report_level": 5,
        "warning_stream": False,
    }
    try:
        text = environment.from_string(Path(path).read_text()).render(
            snakemake=SimpleNamespace(config=config)
        )
        parts = publish_parts(text, writer=Writer(), settings_overrides=settings)
    except (jinja2.TemplateError, SystemMessage) as error:
        raise ValueError(f"{path}: {error}") from error
    return parts["body"]


def read_tsv(path: str | Path) -> list[dict[str, str]]:
    """Returns the rows of a table, with all cells as text."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_markdown(path: str | Path) -> Table:
    """Returns the table in a Markdown file of the workflow, and the text below the table.

    Raises:
        ValueError: the file has no table.
    """
    lines = Path(path).read_text().splitlines()
    rows = [
        [re.sub(r"\\([\\|])", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if line.startswith("|")
    ]
    if len(rows) < 2:
        raise ValueError(f"{path}: has no table")
    last = max(number for number, line in enumerate(lines) if line.startswith("|"))
    return Table(rows[0], rows[2:], " ".join(lines[last + 1 :]).strip())


def claims(path: str | Path) -> Claims:
    """Returns the claims of `claims.md`. Claims with the same reason share it."""
    columns, rows, _ = read_markdown(path)
    here, verdict, why = map(columns.index, ("in this run", "against the paper", "why"))
    reasons = list(dict.fromkeys(row[why] for row in rows if row[why]))
    return Claims(
        Table(columns[:why], [row[:why] for row in rows]),
        dict(Counter(row[here] for row in rows if row[here])),
        dict(Counter(row[verdict] for row in rows)),
        reasons,
        [reasons.index(row[why]) + 1 if row[why] else None for row in rows],
    )


def metrics(rows: Iterable[Mapping[str, str]]) -> Table:
    """Returns the metrics with their 95 % intervals, one row per model and test set."""
    cells_of: dict[tuple, dict[str, str]] = {}
    for row in rows:
        counts = (f"{int(row[key]):,}" for key in ("n", "families", "seeds"))
        key = (row["model"], row["medium"], row["test_set"], *counts)
        cells_of.setdefault(key, {})[row["metric"]] = interval(row)
    columns = ["model", "medium", "test set", "n", "families", "seeds", *METRICS.values()]
    return Table(columns, [[*key, *(cells[m] for m in METRICS)] for key, cells in cells_of.items()])


def headlines(
    rows: Iterable[Mapping[str, str]], claimed: Iterable[Mapping[str, str]], paper: Mapping, model
) -> list[dict[str, str]]:
    """Returns Pearson's r of a model on each test set, with the paper's number if there is one.

    Args:
        rows: rows of `metrics.tsv`.
        claimed: rows of `claims.tsv`.
        paper: the content of config/paper.yaml.
        model: the model that stands for CRMnet.

    Returns:
        For each test set `medium`, `test_set`, `r`, `interval`, `n`, `families`, `seeds`, and the
        number (`paper`) and `verdict` of the paper's claim, which are empty if it has none.
    """
    by_id = {row["id"]: row for row in claimed}
    numbers = []
    for row in rows:
        if (row["model"], row["metric"]) != (model, "pearson_r"):
            continue
        medium, name = row["medium"], row["test_set"]
        # A set that stands in for a set of the paper is shown with the paper's number for that set.
        sets = [name, *(of for of, others in paper["stand_ins"].items() if name in others)]
        ids = [f"crmnet-r-{medium}-{one}" for one in sets]
        claim = next((by_id[one] for one in ids if one in by_id), {"paper": "", "verdict": ""})
        r, between = interval(row).split(" ", 1)
        numbers.append(
            {
                "medium": medium,
                "test_set": name.replace("_", " "),
                "r": r,
                "interval": between.strip("()"),
                **{key: f"{int(row[key]):,}" for key in ("n", "families", "seeds")},
                "paper": claim["paper"],
                "verdict": claim["verdict"],
            }
        )
    return numbers


def medium_label(name: str, config: Mapping) -> str:
    """Returns a medium's name for readers."""
    return config["media"][name].get("label", name)


def relatives(rows: Iterable[Mapping[str, str]], config: Mapping) -> list[str]:
    """Returns how many test sequences have relatives in the training files, one text per medium.

    Args:
        rows: rows of `tableS1.tsv`.
        config: the config with every default.
    """
    texts_of: dict[str, list[str]] = {}
    for row in rows:
        if number := row[WITH_RELATIVES]:
            text = f"{int(number):,} of {int(row['sequences']):,} {row['set'].replace('_', ' ')}"
            texts_of.setdefault(medium_label(row["medium"], config), []).append(text)
    return [f"{medium}: {', '.join(texts)}" for medium, texts in texts_of.items()]


def of_the_papers_data(rows: Iterable[Mapping[str, str]], simulated: bool, paper: Mapping) -> bool:
    """Whether a run uses the paper's data, or simulated data in their place.

    A run uses the paper's data if at least one of its training or test sets has the name and size
    of a set of the paper in the same medium.

    Args:
        rows: rows of `tableS1.tsv`.
        simulated: whether the data are simulated.
        paper: the content of config/paper.yaml.
    """
    sizes = paper["data_sizes"]
    wanted = ((row, sizes.get(row["medium"], {}).get(row["set"])) for row in rows)
    same = (
        size is not None and abs(int(row["sequences"]) - size) <= TOLERANCE * size
        for row, size in wanted
    )
    return simulated or any(same)


def selected_motifs(rows: Iterable[Mapping[str, str]]) -> Table:
    """Returns the motifs of Figure 5, in the figure's order."""
    columns = ["number", "consensus", "known motif", "match", "E-value", "engine", "reproduced by"]
    shown = sorted((row for row in rows if row["selected"]), key=lambda row: int(row["selected"]))
    return Table(
        columns,
        [
            [
                row["selected"],
                row["consensus"],
                row["ties"] or row["target_name"],
                stated(row["measure"], float(row["match"])),
                f"{Decimal(row['e_value']):.1e}",
                row["engine"],
                row["reproduced_by"],
            ]
            for row in shown
        ],
    )


def same_model(model: Mapping, paper: Mapping) -> bool:
    """Whether an architecture has all values that config/paper.yaml gives for the paper's."""
    return all(model.get(key) == value for key, value in paper["model"].items())


def jobs(provenance: Mapping) -> Table:
    """Returns the time and memory of each job, the longest job first."""
    ordered = sorted(provenance["jobs"], key=lambda job: -(job["seconds"] or 0))
    return Table(
        ["job", "time, s", "CPU time, s", "peak memory, MB"],
        [
            [
                f"{job['rule']} {job['job']}".strip(),
                *(number(job[key]) for key in ("seconds", "cpu_seconds", "peak_mb")),
            ]
            for job in ordered
        ],
    )


def number(value: float | None) -> str:
    """Returns a job's time or memory as text; "-" if it was not measured."""
    return "-" if value is None else f"{value:,.1f}"


def versions(provenance: Mapping) -> Table:
    """Returns the versions of the software that made the results."""
    software = provenance["software"]
    rows = [[key, str(software[key])] for key in ("python", "snakemake")]
    rows += [[name, str(version)] for name, version in sorted(software["packages"].items())]
    rows += [[f"engine: {job}", str(engine)] for job, engine in software["engines"].items()]
    for env, pins in software["environments"].items():
        rows.append([f"environment: {env}", ", ".join(map(str, pins))])
    return Table(["software", "version"], rows)


def inputs(provenance: Mapping) -> Table:
    """Returns the files that the run started from."""
    columns = ["file", "bytes", "SHA-256", "from"]
    files = provenance["inputs"]
    return Table(
        columns,
        [[f["path"], f"{f['bytes']:,}", f["sha256"], f["url"] or ""] for f in files],
    )


def link(path: str | Path, folder: str | Path) -> dict[str, str]:
    """Returns `href` and `text` of a link from the page to a file in the folder of results."""
    inside = PurePosixPath(Path(path).relative_to(folder).as_posix())
    return {"href": quote(str(inside)), "text": str(inside)}


def grouped(paths: Iterable[str], folder: str | Path) -> dict[str, list[dict[str, str]]]:
    """Returns links to result files, grouped by the folder in which they lie."""
    groups: dict[str, list[dict[str, str]]] = {}
    for one in sorted((link(path, folder) for path in paths), key=lambda one: one["text"]):
        top = one["text"].rpartition("/")[0].partition("/")[0]
        groups.setdefault(top, []).append(one)
    return groups


def facts(
    *,
    shown: Mapping[str, tuple[str, str, str, list[str]]],
    captions: Mapping[str, str],
    tables: Iterable[str],
    provenance: Sequence[str],
    paper: Mapping,
    config: Mapping,
    left_out: Mapping[str, str],
    run: Mapping,
    label: str,
) -> dict[str, object]:
    """Returns the facts that the template of the page needs.

    Args:
        shown: name -> section ("1. Model"), title, content and files of each item on the page. Its
            files include a PDF for a picture, or a `.md` for a table. `metrics` (with
            `metrics_by_seed.tsv`), `claims`, `tableS1` and `figure1` are required; `motifs` and
            `table1` are optional.
        captions: name -> file of its caption, see `caption`.
        tables: all tables to link to.
        provenance: provenance.json, which lies in the folder of the page, and the files beside it.
        paper: the content of config/paper.yaml.
        config: the config with every default.
        left_out: figure -> reason.
        run: see `claims.table`.
        label: the name of the run's main model.

    Raises:
        ValueError: see `picture`, `caption` and `read_markdown`.
    """
    folder = Path(provenance[0]).parent
    record = json.loads(Path(provenance[0]).read_text())
    files = {name: {Path(p).suffix: p for p in paths} for name, (*_, paths) in shown.items()}
    tsv = {Path(p).stem: p for *_, paths in shown.values() for p in paths if p.endswith(".tsv")}
    needed = ("metrics", "metrics_by_seed", "claims", "tableS1")
    rows = {name: read_tsv(tsv[name]) for name in needed}
    drawn = {name: read_tsv(tsv[name]) for name in ("figure1", "motifs") if name in tsv}
    items = [
        {
            "name": name,
            "section": section.partition(" ")[2],
            "title": title,
            "content": content,
            "caption": caption(captions[name], config),
            # An item with a table for readers (.md) is shown as a table, not as a picture.
            "picture": picture(files[name][".pdf"]) if set(files[name]) == PICTURED else None,
            "links": [link(path, folder) for path in paths],
        }
        for name, (section, title, content, paths) in shown.items()
    ]
    readable = {name: of[".md"] for name, of in files.items() if ".md" in of and name != "claims"}
    content = {name: read_markdown(path) for name, path in readable.items()}
    content |= {
        "metrics": metrics(rows["metrics"]),
        "motifs": selected_motifs(drawn.get("motifs", [])),
    }
    content |= {"jobs": jobs(record), "versions": versions(record), "inputs": inputs(record)}
    return {
        "items": items,
        "tables": content,
        "claims": claims(files["claims"][".md"]),
        "headlines": headlines(rows["metrics"], rows["claims"], paper, run["main_model"]),
        "cautions": cautions(
            rows["metrics_by_seed"],
            # Published predictions belong to no model of the config.
            lambda name: config["models"].get(name, {}).get("label", name.replace("_", " ")),
            lambda name: medium_label(name, config),
        ),
        "relatives": relatives(rows["tableS1"], config),
        "of_the_papers_data": of_the_papers_data(rows["tableS1"], run["simulated"], paper),
        "sizes": [row for row in rows["tableS1"] if row["set"] == "train"],
        "parameters": sum(int(row["parameters"]) for row in drawn["figure1"]),
        "left_out": left_out,
        "run": run,
        "label": label,
        "paper": paper,
        "full": same_model(run["model"], paper),
        "config": config,
        "provenance": record,
        "provenance_links": [link(path, folder) for path in provenance],
        "files": grouped(tables, folder),
        "medium": lambda name: medium_label(name, config),
        "duration": duration,
        "number": number,
    }


def page(template: str | Path, **facts) -> str:
    """Returns the page, made from a Jinja template that escapes every text.

    Raises:
        jinja2.UndefinedError: the template needs a fact that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(template).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(Path(template).name).render(facts | {"ours": OURS})
