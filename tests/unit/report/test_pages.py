"""The page of a run, made of a small folder of results."""

import base64
import copy
import functools
import http.server
import io
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import jinja2
import matplotlib.figure
import pytest
import yaml
from matplotlib.backends.backend_pdf import PdfPages
from PIL import Image
from snakemake.utils import update_config
from waiting import HANGS

from crmnet import configuration
from crmnet.plan import Plan
from crmnet.report import pages

ROOT = Path(__file__).parents[3]
REPORT = ROOT / "workflow" / "report"
TEMPLATE = REPORT / "index.html.j2"
PAPER = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
CAPTIONS = sorted(path for path in REPORT.glob("*.rst"))
# What must not come through as markup.
EVIL = '<script src="https://elsewhere.example/x.js">alert(1)</script>&"\''


@functools.cache
def checked(name):
    """The paper's config, or another laid over it."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))
    return configuration.checked(config)


def record(**changes):
    """provenance.json."""
    return {
        "workflow": {
            "name": "CRMnet, reproducibly",
            "commit": "0123456789abcdef" * 2 + "01234567",
            "modified": True,
            "repository": "https://example.org/crmnet.git",
        },
        "made": "2025-11-25T15:12:00+00:00",
        "seed": 7,
        "inputs": [
            {
                "path": "in.txt",
                "url": "https://example.org/in.txt",
                "bytes": 1234,
                "sha256": "a" * 64,
            },
            {"path": "my.txt", "url": None, "bytes": 5, "sha256": "b" * 64},
        ],
        "software": {
            "python": "3.12.1",
            "snakemake": "9.27.1",
            "packages": {"numpy": "2.4.6"},
            "environments": {"analysis.yaml": ["numpy=2.1.3"]},
            "engines": {"discover": "MEME 5.5.9"},
        },
        "hardware": {
            "system": "Linux",
            "cpu": "a processor",
            "cores": 2,
            "memory_gb": 24.0,
            "accelerators": [],
        },
        "jobs": [
            {"rule": "figure2", "job": "", "seconds": 3.26, "cpu_seconds": None, "peak_mb": None},
            {"rule": "train", "job": "crmnet/complex", "seconds": 3600.0, "cpu_seconds": 7000.0}
            | {"peak_mb": 1234.5},
        ],
        "total": {"seconds": 3725.0, "cpu_seconds": 7000.0, "peak_mb": 1234.5},
    } | changes


def tsv(columns, *rows):
    return "".join("\t".join(map(str, row)) + "\n" for row in (columns, *rows))


def draw(path, width=3.0, height=2.0):
    figure = matplotlib.figure.Figure((width, height), facecolor="none")
    figure.add_axes((0, 0.5, 1, 0.5)).set_facecolor("red")
    figure.axes[0].set_axis_on()
    figure.savefig(path)


METRICS = ("model", "medium", "test_set", "metric", "value", "low", "high", "n", "families")
METRICS += ("seeds", "p_value")
BY_SEED = ("model", "medium", "test_set", "seed", "metric", "value", "problem")
NAMES = ("pearson_r", "squared_r", "r2", "spearman_rho", "rmse")


@pytest.fixture
def results(tmp_path):
    """A folder of results; what `facts` is given of it."""
    metrics = [
        (model, medium, "native", name, value, value - 0.01, value + 0.01, 1600, 1200, 3, "")
        for model, value in (("crmnet", 0.9), ("cnn", 0.5))
        for medium in ("complex", "defined")
        for name in NAMES
    ]
    by_seed = [
        (model, medium, "native", seed, name, 0.5, "R² is 0.03 <" * (model == "cnn" and seed == 2))
        for model in ("crmnet", "cnn")
        for medium in ("complex", "defined")
        for seed in (1, 2)
        for name in NAMES
    ]
    claimed = [
        ("crmnet-r-complex-all_native", "0.971", "not compared"),
        ("crmnet-r-defined-native", "0.955", "reproduced"),
    ]
    texts = {
        "figure1.tsv": tsv(("block", "parameters"), ("a", 1200), ("b", 34)),
        "figure2.tsv": tsv(("x",), (1,)),
        "metrics.tsv": tsv(METRICS, *metrics),
        "metrics_by_seed.tsv": tsv(BY_SEED, *by_seed),
        "tableS1.tsv": tsv(
            ("medium", "set", "sequences", "paper", "trained on", pages.WITH_RELATIVES),
            ("complex", "train", 8018, 30722376, 7618, ""),
            ("complex", "native", 1600, "", "", 19),
            ("complex", "random", 2000, "", "", 0),
            ("defined", "native", 1600, "", "", 1040),
        ),
        "tableS1.md": "| medium | rows |\n| --- | --- |\n| complex | 7,618 |\n| defined |  |\n",
        "claims.tsv": tsv(("id", "paper", "verdict"), *claimed),
        "claims.md": "This run: 1 | 2.\n\n"
        "| claim | where | paper | ours (95 % interval) | n | in this run | against the paper "
        "| why |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        f"| first \\| one | Figure 2 | 0.971 | 0.9 | 1,600 |  | not compared | {EVIL} |\n"
        "| second | Figure 2 | 0.955 | 0.9 | 1,600 |  | reproduced |  |\n"
        f"| third | Figure 3 | > 0 | 0.1 | 1,600 | yes | not compared | {EVIL} |\n",
        "motifs/all/motifs.tsv": tsv(
            ("method", "consensus", "target_name", "ties", "measure", "match", "e_value", "engine")
            + ("reproduced_by", "selected"),
            ("meme", "TTACCCG", "REB1", "REB1, NSI1", "pearson", "0.951", "1.2e-5", "built in")
            + ("gadem", "2"),
            ("meme", "CACCCA", "RAP1", "", "tomtom", "3e-7", "4.56e-400", "built in")
            + ("drimust, gadem", "1"),
            ("meme", "AAAA", "AZF1", "", "pearson", "0.5", "1", "built in", "", ""),
        ),
        "odd name #1.tsv": "x\n",
        "provenance.json": json.dumps(record()),
        "ro-crate-metadata.json": "{}",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("figure1", "figure2"):
        draw(tmp_path / f"{name}.pdf")

    def files(*names):
        return [str(tmp_path / name) for name in names]

    config = copy.deepcopy(checked("demo"))
    config["data"]["relatives"] = "drop"
    return {
        "shown": {
            "figure1": (
                "1. Model",
                "Figure 1",
                "architecture",
                files("figure1.pdf", "figure1.tsv"),
            ),
            "figure2": ("2. Performance", "Figure 2", EVIL, files("figure2.pdf", "figure2.tsv")),
            "metrics": (
                "2. Performance",
                "Metrics",
                "all",
                files("metrics.tsv", "metrics_by_seed.tsv"),
            ),
            "motifs": ("3. Motifs", "Motif table", "all", files("motifs/all/motifs.tsv")),
            "tableS1": ("5. Data", "Table S1", "sizes", files("tableS1.tsv", "tableS1.md")),
            "claims": ("6. Claims", "Claims", "all", files("claims.tsv", "claims.md")),
        },
        "captions": {path.stem: str(path) for path in CAPTIONS},
        "tables": files("figure1.tsv", "motifs/all/motifs.tsv", "odd name #1.tsv"),
        "provenance": files("provenance.json", "ro-crate-metadata.json"),
        "paper": PAPER,
        "config": config,
        "left_out": {"figure4": f"no model to compare with {EVIL}"},
        "run": {
            "simulated": True,
            "main_model": "crmnet",
            "model": Plan(config).architecture("crmnet"),
            "pretrain": True,
            "recipe": "paper",
            "weights": {"complex": "trained", "defined": "trained"},
            "backend": "tensorflow",
        },
        "label": "CRMnet",
    }


class Elements(HTMLParser):
    """The elements of a page, each with its attributes; its text; and what is left open."""

    VOID = {"meta", "link", "img", "br"}

    def __init__(self, html):
        super().__init__()
        self.found, self.open, self.text = [], [], ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def made(results):
    html = pages.page(TEMPLATE, **pages.facts(**results))
    return html, Elements(html)


def test_a_figure_is_an_image_of_its_page(tmp_path):
    draw(tmp_path / "a.pdf", 3.0, 2.0)
    shown = pages.picture(tmp_path / "a.pdf")
    assert (shown.width, shown.height) == (378, 252)  # 216 x 144 points
    code = shown.uri.removeprefix("data:image/webp;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB")
    assert image.size == (756, 504)
    assert image.getpixel((378, 100)) == (255, 0, 0) and image.getpixel((378, 400)) == (255,) * 3


def test_a_figure_of_two_pages_is_refused(tmp_path):
    with PdfPages(tmp_path / "two.pdf") as pdf:
        for _ in range(2):
            pdf.savefig(matplotlib.figure.Figure((1, 1)))
    with pytest.raises(ValueError, match=r"two\.pdf: a figure must have one page, but this has 2"):
        pages.picture(tmp_path / "two.pdf")


@pytest.mark.parametrize("name", ["config", "lite", "demo"])
@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_a_caption_needs_the_config_alone(path, name):
    html = pages.caption(path, checked(name))
    assert html.startswith("<p>") and "{" not in html and "system-message" not in html
    Elements(html)


def test_the_caption_of_a_cross_validation_says_what_its_folds_are():
    config = checked("lite")
    for by, words in (("family", "5 folds of whole families,"), ("chrom", "values of column")):
        config["cross_validation"] = {"folds": 5, "by": by, "models": ["crmnet"]}
        html = pages.caption(REPORT / "figure_cross_validation.rst", config)
        assert words in " ".join(html.split())


def test_captions_say_what_data_and_model_they_are_of():
    captions = [pages.caption(REPORT / "figure2.rst", checked(n)) for n in ("demo", "lite")]
    by_config = [" ".join(caption.split()) for caption in captions]
    assert "Simulated data" in by_config[0] and "width 16" in by_config[0]
    assert "Measured data" in by_config[1] and "width 32" in by_config[1]
    motifs = pages.caption(REPORT / "figure5.rst", checked("demo"))
    assert re.search(r"Engine:\s<span[^>]*>builtin</span>", motifs)


@pytest.mark.parametrize("text", ["{{ snakemake.config.nothing }}", "{{ x", "An *open end.", "x_"])
def test_a_bad_caption_is_refused_by_its_file(tmp_path, text):
    (tmp_path / "bad.rst").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.rst: "):
        pages.caption(tmp_path / "bad.rst", {})


def test_a_caption_includes_no_file_and_no_markup(tmp_path):
    (tmp_path / "a.rst").write_text("{{ snakemake.config.label }}")
    assert "<script" not in pages.caption(tmp_path / "a.rst", {"label": EVIL})
    for label in (".. raw:: html\n\n   <b>x</b>", ".. include:: /etc/hostname"):
        with pytest.raises(ValueError, match="disabled"):
            pages.caption(tmp_path / "a.rst", {"label": label})


def test_a_table_for_readers_is_read_as_it_was_meant(tmp_path):
    (tmp_path / "a.md").write_text(
        "Above.\n\n| a | b |\n|---|---|\n| x \\| y | -1 |\n\nBelow\nit.\n"
    )
    table = pages.read_markdown(tmp_path / "a.md")
    assert table == (["a", "b"], [["x | y", "-1"]], "Below it.")
    assert table.numeric == [False, True]
    (tmp_path / "b.md").write_text("No table.\n")
    with pytest.raises(ValueError, match="has no table"):
        pages.read_markdown(tmp_path / "b.md")


def test_the_headline_has_the_papers_number_where_there_is_one(results):
    shown = pages.facts(**results)["headlines"]
    assert [(one["medium"], one["r"], one["paper"], one["verdict"]) for one in shown] == [
        ("complex", "0.900", "0.971", "not compared"),  # native stands in for all_native
        ("defined", "0.900", "0.955", "reproduced"),
    ]
    assert shown[0]["interval"] == "0.890 to 0.910" and shown[0]["n"] == "1,600"
    text = " ".join(made(results)[1].text.split())
    assert "95 % interval over families and seeds" in text
    assert text.count("N = 1,600, families: 1,200, seeds: 3") == 2
    results["paper"] = {**PAPER, "stand_ins": {}}
    assert [one["paper"] for one in pages.facts(**results)["headlines"]] == ["", "0.955"]


def test_the_motifs_of_figure_5_in_its_order(results):
    table = pages.facts(**results)["tables"]["motifs"]
    assert table.rows == [
        ["1", "CACCCA", "RAP1", "E = 3e-07", "4.6e-400", "built in", "drimust, gadem"],
        ["2", "TTACCCG", "REB1, NSI1", "r = 0.95", "1.2e-5", "built in", "gadem"],
    ]


def test_every_metric_of_every_model_is_there(results):
    table = pages.facts(**results)["tables"]["metrics"]
    assert len(table.rows) == 4
    assert (
        table.rows[0]
        == ["crmnet", "complex", "native", "1,600", "1,200", "3"] + ["0.900 (0.890 to 0.910)"] * 5
    )


def test_a_reason_that_claims_share_is_said_once(results):
    found = pages.facts(**results)["claims"]
    assert found.reasons == [EVIL] and found.reason_of == [1, None, 1]
    assert found.verdicts == {"not compared": 2, "reproduced": 1} and found.here == {"yes": 1}
    text = made(results)[1].text
    assert "in this run" in text and "against the paper" in text
    assert "this run supports 1 of the statements, contradicts 0 and cannot decide 0." in text
    assert [row[0] for row in found.table.rows] == ["first | one", "second", "third"]


def test_trainings_that_have_not_learned_are_named_once(results):
    facts = pages.facts(**results)
    why = "seed 2: R² is 0.03 <"
    assert facts["cautions"] == [f"CNN, complex medium, {why}", f"CNN, defined medium, {why}"]
    _, page = made(results)
    assert ("h2", {"id": "cautions"}) in page.found and page.text.count(why) == 2
    path = Path(results["shown"]["metrics"][-1][-1])
    rows = [("crmnet", "complex", "native", 1, "r2", 0.5, "")]
    path.write_text(tsv(BY_SEED, *rows, ("x-published", "complex", "a", "published", "r2", 0, "P")))
    assert pages.facts(**results)["cautions"] == ["x-published, complex medium, published: P"]
    path.write_text(tsv(BY_SEED, *rows))
    assert "Trainings to check" not in made(results)[1].text


def test_relatives_of_test_sequences_are_counted(results):
    said = (
        "complex medium: 19 of 1,600 native, 0 of 2,000 random; "
        "defined medium: 1,040 of 1,600 native. The relatives are "
    )
    for choice, fate in (("drop", "left out of training"), ("keep", "trained on")):
        results["config"]["data"]["relatives"] = choice
        assert f"{said}{fate}." in made(results)[1].text


def test_on_other_data_a_sentence_replaces_the_claims(results):
    """lite has test sets of the paper's; simulated data stand in for them."""
    rows = [{"medium": "complex", "set": "random", "sequences": "2954"}]
    assert pages.of_the_papers_data(rows, False, PAPER)
    for change in ({"sequences": "2900"}, {"set": "held_out"}, {"medium": "glucose"}):
        assert not pages.of_the_papers_data([rows[0] | change], False, PAPER)
        assert pages.of_the_papers_data([rows[0] | change], True, PAPER)
    assert "in this run" in made(results)[1].text
    results["run"] |= {"simulated": False}
    _, page = made(results)
    assert "it is no test of the paper’s 3 claims. They are listed in claims.md" in page.text
    assert "in this run" not in page.text and "not compared," not in page.text
    assert "not the paper’s data. The numbers" in page.text
    assert {"href": "claims.md"} in page.of("a")


def test_times_of_jobs_the_longest_first(results):
    facts = pages.facts(**results)
    assert facts["tables"]["jobs"].rows == [
        ["train crmnet/complex", "3,600.0", "7,000.0", "1,234.5"],
        ["figure2", "3.3", "-", "-"],
    ]


def test_the_page_says_at_once_what_the_run_was(results):
    text = made(results)[1].text
    assert "Simulated data, a model of width 16" in text and "no test of the paper" in text
    assert "7,618 training sequences, complex medium" in text and "CRMnet: 1,234 parameters" in text
    results["run"] |= {"simulated": False}
    path = Path(results["shown"]["tableS1"][-1][0])
    path.write_text(path.read_text().replace("random\t2000", "random\t2954"))
    assert "Measured data, a model of width 16" in made(results)[1].text
    results["run"]["model"] = PAPER["model"] | {"flavour": "paper"}
    text = made(results)[1].text
    assert "Measured data, the paper’s model" in text and "no test of the paper" not in text


def test_the_page_has_all_facts(results):
    text = made(results)[1].text
    for said in (
        "0123456789ab",
        "with changes",
        "seed 7; trainings from seeds 1",
        "a processor",
        "MEME 5.5.9",
        "62 min",
    ):
        assert said in text
    for said in ("second", "numpy", "a" * 64, "2.4.6", "train crmnet/complex", "0.890 to 0.910"):
        assert said in text


def test_nothing_of_the_results_is_markup(results):
    html, page = made(results)
    assert not page.of("script") and EVIL not in html
    # Of Figure 2, its alternative text, the figure left out, and the reason, once.
    assert page.text.count(EVIL) == 3
    assert [image["alt"] for image in page.of("img") if EVIL in image["alt"]]


def test_the_page_loads_nothing(results):
    html, page = made(results)
    loading = [
        value
        for tag, attributes in page.found
        for key, value in attributes.items()
        if key in ("src", "srcset", "data", "poster", "action") or (key == "href" and tag != "a")
    ]
    assert loading and all(value.startswith("data:") for value in loading)
    assert not re.search(r"url\(|@import", html)
    policy = next(m["content"] for m in page.of("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'")


def test_every_link_leads_somewhere(results):
    _, page = made(results)
    folder = Path(results["provenance"][0]).parent
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in page.of("a")]
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        elif not link.startswith("https://doi.org/"):
            assert (folder / unquote(link)).is_file(), link
    for name in (
        "figure2.pdf",
        "figure2.tsv",
        "ro-crate-metadata.json",
        "motifs/all/motifs.tsv",
        "odd%20name%20%231.tsv",
    ):
        assert name in links
    labels = [a[key] for _, a in page.found for key in a if key in ("aria-labelledby",)]
    assert labels and set(labels) <= set(ids)


def test_the_page_is_in_order_for_screen_readers(results):
    _, page = made(results)
    assert page.of("html") == [{"lang": "en"}] and len(page.of("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert len(page.of("img")) == 2 and all(len(image["alt"]) > 20 for image in page.of("img"))
    assert all("scope" in head for head in page.of("th"))


def test_a_figure_that_is_left_out_is_said_with_its_reason(results):
    assert "figure4: no model to compare with" in made(results)[1].text
    results["left_out"] = {"table1": "none is measured (`benchmark: null`)"}
    assert "(<code>benchmark: null</code>)" in made(results)[0]
    results["left_out"] = {}
    assert "Left out" not in made(results)[1].text


def test_a_run_without_motif_jobs_or_git_has_a_page(results):
    results["shown"].pop("motifs")
    nothing = dict.fromkeys(("commit", "modified", "repository"))
    bare = record(workflow={"name": "CRMnet", **nothing}, jobs=[])
    bare["software"]["engines"] = {}
    bare["total"]["peak_mb"] = None
    Path(results["provenance"][0]).write_text(json.dumps(bare))
    text = made(results)[1].text
    assert "Motif engines" not in text and "no git" in text


def test_a_missing_fact_is_an_error(results):
    facts = pages.facts(**results)
    facts.pop("left_out")
    with pytest.raises(jinja2.UndefinedError, match="left_out"):
        pages.page(TEMPLATE, **facts)


def test_arguments_are_not_changed(results):
    before = copy.deepcopy(results)
    pages.facts(**results)
    assert results == before


# A page around the page, so wide: opens all that is closed, and says what is amiss.
AROUND = """<!doctype html><meta charset="utf-8"><title>around</title>
<body style="margin: 0"><iframe src="index.html" style="border: 0; width: WIDTHpx; height: 900px">
</iframe><script>
document.querySelector("iframe").addEventListener("load", async event => {
  const page = event.target.contentDocument, root = page.documentElement;
  page.querySelectorAll("details").forEach(one => one.open = true);
  const images = [...page.images];
  await Promise.all(images.map(one => one.decode().catch(() => {})));
  const beyond = [...page.querySelectorAll("body *")].filter(one =>
    !one.closest(".scroll *, .hidden") && one.getBoundingClientRect().right > root.clientWidth + 1);
  fetch("said", {method: "POST", body: JSON.stringify({
    width: root.clientWidth, scroll: root.scrollWidth, images: images.length,
    blank: images.filter(one => !one.naturalWidth).length,
    beyond: beyond.map(one => one.outerHTML.slice(0, 80)),
    colour: getComputedStyle(page.body).backgroundColor})});
});
</script>"""


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder on this machine; notes what it could not serve, and what it is told."""

    def __init__(self, folder):
        self.refused, self.told = [], queue.Queue()
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=folder))


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        self.server.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_error(self, *_):
        self.server.refused.append(self.path)

    def log_request(self, *_):
        pass


def browse(folder, width, *options):
    """What the page around `index.html` says, what the console said, and what was refused."""
    (folder / "around.html").write_text(AROUND.replace("WIDTH", str(width)))
    server = Server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--disable-dev-shm-usage", f"--user-data-dir={folder / 'browser'}"]
    # No name but this machine's leads anywhere.
    command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", *options]
    command += ["--enable-logging=stderr", f"http://127.0.0.1:{server.server_port}/around.html"]
    log = folder / "browser.log"
    with log.open("w") as stderr:
        browser = subprocess.Popen(command, stderr=stderr, start_new_session=True)
    try:
        said = server.told.get(timeout=HANGS)
    except queue.Empty:
        raise AssertionError(f"the browser says nothing:\n{log.read_text()}") from None
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        server.shutdown()
        server.server_close()
    console = [line for line in log.read_text().splitlines() if "CONSOLE" in line]
    return said, console, [path for path in server.refused if path != "/favicon.ico"]


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
browser = pytest.mark.skipif(
    not BROWSER, reason="NO BROWSER: the page of a run is not looked at; install chromium for it"
)


@browser
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser_the_page_fits_and_loads_no_other_files(results, width):
    folder = Path(results["provenance"][0]).parent
    (folder / "index.html").write_text(made(results)[0])
    seen, console, refused = browse(folder, width)
    assert seen["width"] == seen["scroll"] == width and not seen["beyond"]
    assert (seen["images"], seen["blank"]) == (2, 0)
    assert not console and not refused


@browser
def test_the_page_has_a_dark_mode(results):
    folder = Path(results["provenance"][0]).parent
    (folder / "index.html").write_text(made(results)[0])
    light, dark = (
        sum(map(int, re.findall(r"\d+", browse(folder, 360, *options)[0]["colour"])))
        for options in ([], ["--force-dark-mode"])
    )
    assert dark < 150 and light > 600


@browser
def test_the_browser_test_detects_faults(results):
    folder = Path(results["provenance"][0]).parent
    bad = '<div style="width: 400px">wide</div><img src="data:image/png;base64,AAAA">'
    bad += '<img src="gone.png"><script>throw Error("amiss")</script>'
    html = made(results)[0].replace("</main>", f"{bad}</main>")
    (folder / "index.html").write_text(html)
    seen, console, _ = browse(folder, 360)
    assert seen["scroll"] > 360 and seen["beyond"] and seen["blank"] == 2
    assert any("Content Security Policy" in line for line in console)
