"""The cost of trainings, from the rates of one architecture."""

from pathlib import Path

import pytest
import yaml

from crmnet import configuration
from crmnet.plan import Plan
from crmnet.training import cost

CONFIG = Path(__file__).parents[3] / "config"
ROWS = {"complex": 1_000_000, "defined": 500_000}


@pytest.fixture(scope="module")
def table():
    config = yaml.safe_load((CONFIG / "config.yaml").read_text())
    config["model"]["width"] = 8
    kept = ("crmnet", "without_transformer", "without_pretraining_equal_steps", "transformer")
    config["models"] = {
        name: config["models"][name] if name in kept else None for name in config["models"]
    }
    config["training"]["stages"]["finetune"] = {"epochs": 30}
    config |= {"figures": {}, "motifs": None, "benchmark": None}
    plan = Plan(configuration.checked(config))
    found = cost.trainings(plan, ROWS)
    return found.assign(work=cost.work(plan, found["model"])).set_index("training")


def test_each_training_has_its_sequences_and_epochs(table):
    assert list(table.index) == [
        "crmnet/1/pretrained",
        "crmnet/1/complex",
        "crmnet/1/defined",
        "without_pretraining_equal_steps/1/complex",
        "without_pretraining_equal_steps/1/defined",
        "without_transformer/1/pretrained",
        "without_transformer/1/complex",
        "without_transformer/1/defined",
    ]
    whole = [1_485_000, 990_000, 495_000]
    assert table["sequences"].tolist() == whole + whole[1:] + whole
    # As many sequences as 50 epochs of all media and 30 of its own: 50 * 3 / 2 + 30, 50 * 3 + 30.
    assert table["epochs"].tolist() == [50, 30, 30] + [105, 180] + [50, 30, 30]


def test_work_is_in_parts_of_crmnets(table):
    assert (table.loc["crmnet/1/complex":"crmnet/1/defined", "work"] == 1).all()
    assert table.loc["without_transformer/1/complex", "work"] < 0.8


def test_hours_follow_from_the_rate_and_the_work(table):
    hours = dict(zip(table.index, cost.hours(table, 5000 / table["work"]), strict=True))
    assert hours["crmnet/1/complex"] == pytest.approx(30 * 990_000 / 5000 / 3600)
    less = table.loc["without_transformer/1/complex", "work"]
    assert hours["without_transformer/1/complex"] == pytest.approx(less * hours["crmnet/1/complex"])


def test_published_rates_are_the_best_of_each_device():
    paper = yaml.safe_load((CONFIG / "paper.yaml").read_text())
    rates = cost.published(paper)
    assert rates["1 × V100 32G, float32"] == (pytest.approx(1024 / 0.434), 1)
    assert rates["8 × A100 80G, mixed_float16"] == (pytest.approx(8 * 16384 / 1.718), 8)
    assert len(rates) == 5


def test_a_rate_of_ones_own_takes_the_place_of_the_published(capsys):
    cost.main(["--rate", "100000", "--devices", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert "4 × yours, 100,000/s" in lines[0] and "V100" not in lines[0]
    first = [cell.strip() for cell in lines[2].split("|")]
    assert first[1:3] == ["crmnet/1/pretrained", "50,825,645"]
    assert first[-2] == f"{50 * 50_825_645 / 1e5 / 3600:.1f}"
    hours, used = (float(line.split("|")[-2]) for line in lines[-2:])
    assert used == pytest.approx(4 * hours, abs=2)
