"""What a run says at its end."""

from crmnet.report import pages
from crmnet.report.summary import failure, summary

METRICS = """model\tmedium\ttest_set\tmetric\tvalue\tlow\thigh\tn\tp_value
crmnet\trich\tnative\tpearson_r\t0.91234\t0.9\t0.92\t1600\t0
crmnet\trich\tnative\tr2\t0.8\t0.7\t0.9\t1600\t
cnn\trich\tnative\tpearson_r\t0.5\t0.4\t0.6\t1600\t0
"""


def test_the_summary_names_results_left_out_figures_and_correlations(tmp_path):
    (tmp_path / "score").mkdir()
    for name in ("figure2.pdf", "figure2.tsv", "claims.md", "index.html", "score/figure_score.pdf"):
        (tmp_path / name).touch()
    (tmp_path / "metrics.tsv").write_text(METRICS)
    said = summary(
        tmp_path, "crmnet", "CRMnet", {"figureS1": "there is one medium"}, "{} medium".format
    )
    assert "has claims.md, figure2.pdf, score/figure_score.pdf." in " ".join(said.split())
    assert "Left out: figureS1: there is one medium." in said
    numbers = (
        "Pearson's r of CRMnet, with its 95 % interval: rich native 0.912 (0.900 to 0.920, N ="
    )
    assert f"{numbers} 1,600)." in " ".join(said.split())
    assert "0.5" not in said and "figure2.tsv" not in said
    assert said.endswith(f"All on one page: {tmp_path / 'index.html'}")


def test_the_summary_leaves_out_missing_results(tmp_path):
    assert summary(tmp_path, "crmnet", "CRMnet", {}, "{} medium".format) == ""


def test_a_failure_names_the_jobs_their_logs_and_what_to_do():
    said = failure([("train", ["logs/train/a.log"]), ("all", [])])
    first, second, *rest = said.splitlines()
    assert (first, second) == ("Failed: train (logs/train/a.log)", "Failed: all")
    assert "run the same command again" in rest[0]


def test_trainings_that_have_not_learned_are_named_once(tmp_path):
    (tmp_path / "metrics_by_seed.tsv").write_text(
        "model\tmedium\ttest_set\tseed\tmetric\tvalue\tproblem\n"
        "cnn\trich\tnative\t2\tpearson_r\t0.1\tnot learned: it is flat\n"
        "cnn\trich\tnative\t2\tr2\t-1\tnot learned: it is flat\n"
        "cnn\trich\tnative\t3\tr2\t0.5\t\n"
    )
    said = summary(tmp_path, "crmnet", "CRMnet", {}, "{} medium".format)
    assert said == "Caution: cnn, rich medium, seed 2: not learned: it is flat."


def test_a_metric_without_a_value_or_an_interval_says_so(tmp_path):
    (tmp_path / "metrics.tsv").write_text(
        "model\tmedium\ttest_set\tmetric\tvalue\tlow\thigh\tn\tp_value\n"
        "crmnet\trich\tsame\tpearson_r\t0.5\t\t\t10\t\n"
        "crmnet\trich\tconstant\tpearson_r\t\t\t\t20\t\n"
    )
    said = " ".join(summary(tmp_path, "crmnet", "CRMnet", {}, "{} medium".format).split())
    assert "rich same 0.500 (no interval, N = 10)" in said
    assert "rich constant undefined (no interval, N = 20)" in said


def test_the_page_has_metrics_without_a_value_or_an_interval():
    row = {"model": "crmnet", "medium": "rich", "test_set": "same"}
    row |= {"n": "10", "families": "1", "seeds": "1", "low": "", "high": ""}
    rows = [row | {"metric": metric, "value": "0.5"} for metric in pages.METRICS]
    table = pages.metrics([*rows[1:], rows[0] | {"value": ""}])
    assert table.rows[0][6:] == ["undefined (no interval)"] + ["0.500 (no interval)"] * (
        len(rows) - 1
    )
