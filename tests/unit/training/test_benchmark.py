"""Table 1: the times of a training, the estimates from them, and the reasons for missing times."""

import copy
import json
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from configs import MODEL

from crmnet import configuration
from crmnet.training import benchmark
from crmnet.training.benchmark import estimate, peak_rate, why_not_measured
from crmnet.training.devices import Devices

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "workflow" / "scripts"
SMALL = ["--device", "cpu", "--batch-size", "4", "--steps", "2", "--epochs", "2", "--threads", "1"]
SMALL += ["--length", "32", "--model", '{"architecture": "cnn", "width": 8}']
JAX = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")


def run(command, *first, **environment):
    """Runs a process that imports from `first` before all other folders, and from the package."""
    path = os.pathsep.join(map(str, [*first, *sys.path]))
    environment = os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""} | environment
    return subprocess.run(
        [sys.executable, *map(str, command)], env=environment, capture_output=True, text=True
    )


def cell_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    """A cell that was measured with TensorFlow, its input from shards."""
    from crmnet.data import shards
    from crmnet.data.sequences import Construct
    from crmnet.data.tables import Rejects, Table

    folder = tmp_path_factory.mktemp("cell")
    random = np.random.default_rng(1)
    rows = "".join(f"{''.join(random.choice(list('ACGT'), 20))}\t{n % 18}\n" for n in range(200))
    (folder / "train.tsv").write_text(rows)
    table = Table(folder / "train.tsv", 1, {"expression": 2}, header=False)
    manifest = shards.write(
        [table],
        {},
        Construct("", "", 20, 32),
        folder / "shards",
        seed=1,
        validation_fraction=0.1,
        rejects=Rejects(),
    )
    (folder / "manifest.json").write_text(json.dumps(manifest))
    options = ["--backend", "tensorflow", "--precision", "mixed_bfloat16"]
    options += ["--shards", folder / "shards"]
    return cell_of(
        run(["-m", "crmnet.training.benchmark", *SMALL, *options], TF_CPP_MIN_LOG_LEVEL="3")
    )


def test_the_papers_estimate_follows_from_its_own_step():
    found = estimate([99.0, 0.187, 0.187], 1, 8 * 1024, 30_722_376, 20)
    assert found["step_seconds"] == 0.187
    assert found["epoch_minutes"] == pytest.approx(11.7, abs=0.05)
    assert found["total_hours"] == pytest.approx(3.9, abs=0.05)
    assert found["sequences_per_second"] == pytest.approx(43_807, abs=1)


def test_a_step_is_that_of_the_slowest_epoch_but_the_first_and_an_epoch_the_mean():
    found = estimate([50.0, 2.0, 4.0], 10, 8, 81, 3)
    assert found["first_epoch_seconds"] == 50
    assert found["step_seconds"] == 0.4 and found["sequences_per_second"] == 20
    # 11 steps, the last with one sequence, of 0.3 s.
    assert found["epoch_minutes"] * 60 == pytest.approx(3.3)
    assert found["total_hours"] * 3600 == pytest.approx(9.9)


def test_a_cell_has_all_its_keys(cell):
    assert (cell["backend"], cell["kind"], cell["devices"]) == ("tensorflow", "cpu", 1)
    assert (cell["batch_size"], cell["steps"], cell["epochs"]) == (4, 2, 2)
    assert cell["precision"] == "mixed_bfloat16"
    assert cell["not_measured"] is None and cell["device"]
    assert set(cell["versions"]) == {"keras", "tensorflow"}
    for measure in (cell["step_alone"], cell["with_input"]):
        assert len(measure["seconds"]) == 2 and min(measure["seconds"]) > 0
        assert measure["step_seconds"] == measure["seconds"][1] / 2
        assert measure["first_epoch_seconds"] == measure["seconds"][0]
    assert cell["sequences"] == 30_722_376
    # TensorFlow alone takes more than 100 MB.
    assert cell["peak_memory"]["of"] == "process" and cell["peak_memory"]["bytes"] > 1e8
    rate = cell["flops"] * cell["step_alone"]["sequences_per_second"]
    assert cell["flops_per_second"] == pytest.approx(rate)
    assert cell["peak_source"] == "matrix product" and cell["peak_flops_per_second"] > 1e8
    assert cell["flops_share"] == pytest.approx(rate / cell["peak_flops_per_second"])


@pytest.mark.slow
@JAX
def test_jax_is_measured_where_tensorflow_cannot_be_imported(tmp_path):
    (tmp_path / "tensorflow.py").write_text('raise ImportError("no TensorFlow here")\n')
    alone = run(["-c", "import tensorflow"], tmp_path)
    assert "no TensorFlow here" in alone.stderr
    options = [*SMALL, "--precision", "mixed_float16"]
    done = run(["-m", "crmnet.training.benchmark", *options], tmp_path, KERAS_BACKEND="jax")
    found = cell_of(done)
    assert found["backend"] == "jax" and set(found["versions"]) == {"keras", "jax"}
    assert found["step_alone"]["step_seconds"] > 0 and found["with_input"] is None
    assert "step alone, epoch 2/2" in done.stderr


STEPS = """
import json, sys
backend = sys.argv[1]
if backend == "tensorflow":
    import tensorflow as tf
    cpus = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)
from crmnet.training import benchmark, devices

settings = {"backend": backend, "device": "cpu", "precision": "float32", "threads": 1, "seed": 1}
hardware = devices.setup(**settings, count=2)
import keras, numpy
from crmnet.models.layers import OneHot
from crmnet.training.loop import Recipe, compile_model

def new():
    keras.utils.set_random_seed(1)
    with hardware.scope():
        inputs = keras.Input((8,), dtype="uint8")
        x = keras.layers.BatchNormalization()(keras.layers.Conv1D(4, 3)(OneHot()(inputs)))
        outputs = keras.layers.Dense(1)(keras.layers.Flatten()(x))
        model = keras.Model(inputs, outputs)
        return compile_model(model, Recipe(3, 4, 1, 1e-3, 1e-2, 1e-3, 5, 2, 1), hardware.kind)

random = numpy.random.default_rng(1)
tokens = random.integers(0, 4, (8, 8)).astype("uint8")
expression = random.uniform(0, 17, 8).astype("float32")
timed, fitted = new(), new()
before = timed.get_weights()
measure = benchmark._on_tensorflow if backend == "tensorflow" else benchmark._on_jax
seconds = measure(timed, tokens, expression, 5, 2)
if backend == "tensorflow":
    batches = tf.data.Dataset.from_tensors((tokens, expression)).repeat(10)
else:
    batches = ((tokens, expression) for _ in range(10))
fitted.fit(batches, steps_per_epoch=10, shuffle=False, verbose=0)

def gap(one, other):
    return max(float(abs(a - b).max()) for a, b in zip(one, other, strict=True))

print(json.dumps({
    "seconds": seconds,
    "moved": gap(before, timed.get_weights()),
    "gap": gap(fitted.get_weights(), timed.get_weights()),
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=JAX)])
def test_the_step_alone_is_the_step_of_fit_on_several_devices(backend):
    flags = "--xla_force_host_platform_device_count=2"
    found = cell_of(run(["-c", STEPS, backend], XLA_FLAGS=flags, TF_CPP_MIN_LOG_LEVEL="3"))
    assert len(found["seconds"]) == 2
    assert found["moved"] > 0.01
    assert found["gap"] < 1e-5


def test_the_model_that_is_measured_where_none_is_named_is_the_papers():
    assert benchmark.papers_model() == {"architecture": "crmnet", **PAPER["model"]}
    assert benchmark._parser().parse_args([]).model is None


def test_operations_of_the_papers_model_by_hand():
    pytest.importorskip("keras")
    from crmnet.models.architectures.crmnet import crmnet

    def convolution(positions, before, after):
        return positions * 11 * before * after

    def excitation(channels):
        return channels * channels // 2 * 2

    def two(positions, before, after):
        first, second = (convolution(positions, n, after) for n in (before, after))
        return first + second + 2 * excitation(after)

    encoder = two(112, 5, 128) + convolution(56, 128, 128)
    encoder += two(56, 128, 128) + convolution(28, 128, 128)
    encoder += two(28, 128, 256) + convolution(14, 256, 256) + two(14, 256, 256)
    projections = 4 * 14 * 256 * 12 * 256
    attention = 2 * 12 * 14 * 14 * 256
    transformer = 8 * (projections + attention + 2 * 14 * 256 * 128)
    # Each of the positions that a transposed convolution reads goes to 11.
    decoder = convolution(14, 256, 128) + two(28, 128 + 256, 128)
    decoder += convolution(28, 128, 128) + two(56, 128 + 128, 128)
    decoder += convolution(56, 128, 128) + two(112, 128 + 128, 128)
    last = convolution(112, 128, 128) + convolution(112, 128, 64) + convolution(112, 64, 32)
    last += excitation(128) + excitation(64) + excitation(32)
    dense = 112 * 32 * 256 + 256 * 128 + 128 * 64 + 64 * 32 + 32
    forward = encoder + transformer + decoder + last + dense
    assert 0.55e9 < forward < 0.7e9
    assert benchmark.operations(crmnet(**MODEL)) == 3 * 2 * forward


def test_operations_of_other_architectures_by_hand():
    pytest.importorskip("keras")
    from crmnet.models.architectures.danq import danq
    from crmnet.models.architectures.transformer import transformer

    lstm = 2 * 29 * 4 * (320 * 320 + 320 * 320)
    forward = 87 * 26 * 4 * 320 + lstm + 29 * 640 * 925 + 925
    assert benchmark.operations(danq()) == 6 * forward

    both_strands = 112 * 30 * 4 * 512
    convolutions = both_strands + 112 * 30 * 512 * 64 + 112 * 30 * 64 * 64
    block = 112 * 4 * 64 * 64 + 2 * 112 * 112 * 64 + 2 * 112 * 64 * 8
    lstm = 2 * 112 * 4 * (64 * 8 + 8 * 8)
    forward = convolutions + 2 * block + lstm + 112 * 16 * 64 + 64 * 64 + 64
    assert benchmark.operations(transformer()) == 6 * forward


@pytest.mark.parametrize(
    ("name", "precision", "rate"),
    [
        ("NVIDIA H200", "float32", 494.7e12),
        ("NVIDIA H200", "mixed_float16", 989.4e12),
        ("NVIDIA H200 NVL", "mixed_bfloat16", 835.5e12),
        ("NVIDIA A100-SXM4-80GB", "float32", 156e12),
        ("Tesla V100-SXM2-32GB", "float32", 15.7e12),
        ("TPU v3", "mixed_bfloat16", 61.5e12),
    ],
)
def test_known_hardware_has_its_data_sheets_peak(name, precision, rate):
    kind = "tpu" if name.startswith("TPU") else "gpu"
    assert peak_rate(Devices(1, kind, "jax"), name, precision) == (rate, "data sheet")
    assert peak_rate(Devices(8, kind, "jax"), name, precision)[0] == 8 * rate


@pytest.mark.parametrize(
    ("name", "kind", "precision"),
    [
        ("NVIDIA H200 MIG 1g.18gb", "gpu", "float32"),  # a slice of it
        ("Tesla V100-SXM2-32GB", "gpu", "mixed_bfloat16"),  # which it has no units for
        ("NVIDIA GeForce RTX 4090", "gpu", "float32"),
        ("Some CPU A100", "cpu", "float32"),
    ],
)
def test_the_peak_of_other_hardware_is_measured(monkeypatch, name, kind, precision):
    monkeypatch.setattr(benchmark, "matrix_product_rate", lambda: 3e12)
    devices = 1 if kind == "cpu" else 2
    found = peak_rate(Devices(2, kind, "jax"), name, precision)
    assert found == (devices * 3e12, "matrix product")


TENSORFLOW_OOM = """
2024-05-02 10:11:12.131415: W external/local_xla/xla/tsl/framework/bfc_allocator.cc:501] Allocator \
(GPU_0_bfc) ran out of memory trying to allocate 14.00GiB (rounded to 15032385536)
Traceback (most recent call last):
tensorflow.python.framework.errors_impl.ResourceExhaustedError: Graph execution error:
OOM when allocating tensor with shape[16384,112,128] and type float
"""
JAX_OOM = """
jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 98784247808 \
bytes.
"""
NUMPY_OOM = "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 37.3 GiB for an array"
HARMLESS = """
W tensorflow/tsl/framework/bfc_allocator.cc:296] Allocator (GPU_0_bfc) ran out of memory trying to \
allocate 2.06GiB. The caller indicates that this is not a failure, but this may mean that there \
could be performance gains if more memory were available.
ValueError: the model's length must be a multiple of 8, not 113
"""


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (1, TENSORFLOW_OOM, "out of memory"),
        (1, JAX_OOM, "out of memory"),
        (1, NUMPY_OOM, "out of memory"),
        (1, "MemoryError", "out of memory"),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'", "out of memory"),
        (-9, "", "out of memory"),
        (137, "", "out of memory"),
        (1, HARMLESS, None),
        (1, "ModuleNotFoundError: No module named 'keras'", None),
        (-11, "", None),
    ],
)
def test_lack_of_memory_is_distinguished_from_other_failures(status, said, reason):
    assert why_not_measured(status, said) == reason


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "out of memory"),
        ("raise MemoryError", "out of memory"),
    ],
    ids=["killed", "raised"],
)
def test_a_process_that_ends_for_want_of_memory_leaves_its_settings(
    tmp_path, monkeypatch, end, reason
):
    (tmp_path / "keras.py").write_text(end)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    out = tmp_path / "deep" / "cell.json"
    found = benchmark.measure_apart([*SMALL, "--precision", "mixed_float16"], out)
    assert found == json.loads(out.read_text())
    assert found["not_measured"] == reason
    assert (found["batch_size"], found["precision"], found["devices"]) == (4, "mixed_float16", 1)


def test_a_cell_on_more_devices_than_there_are_says_so(tmp_path, capfd):
    out = tmp_path / "cell.json"
    found = benchmark.measure_apart([*SMALL, "--backend", "tensorflow", "--devices", "3"], out)
    assert found["not_measured"] == "3 devices asked for, 1 seen"
    assert "RuntimeError: the config asks for 3 devices" in capfd.readouterr().err


def test_another_failure_is_raised_with_its_last_lines(tmp_path, monkeypatch):
    (tmp_path / "keras.py").write_text('raise ImportError("this one is broken")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"status 1:(.|\n)*this one is broken"):
        benchmark.measure_apart(SMALL, tmp_path / "cell.json")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [(["--epochs", "1"], "at least 2, not 1"), (["--steps", "0"], "at least 1, not 0")],
)
def test_an_option_that_leaves_nothing_to_measure_is_refused(capsys, option, sentence):
    with pytest.raises(SystemExit):
        benchmark.main([*SMALL, *option])
    assert sentence in capsys.readouterr().err


def test_an_unknown_key_of_the_recipe_is_refused():
    pytest.importorskip("keras")
    settings = {"batch_size": 4, "seed": 1, "length": 32, "steps": 1, "epochs": 2}
    hardware, model = Devices(1, "cpu", "tensorflow"), {"architecture": "cnn", "width": 8}
    with pytest.raises(
        ValueError, match="a recipe has no key weigth_decay; it can have .*weight_de"
    ):
        benchmark.measure(hardware, architecture=model, recipe={"weigth_decay": 0.1}, **settings)


PAPER = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


@pytest.mark.parametrize("key", ["model", "medium"])
def test_a_benchmark_of_an_undeclared_model_or_medium_is_an_error(key):
    config = copy.deepcopy(PAPER)
    config["benchmark"][key] = "nowhere"
    with pytest.raises(configuration.ConfigError, match=f"benchmark.{key}: 'nowhere' is not"):
        configuration.checked(config)


def test_a_config_needs_no_benchmark_and_one_is_on_the_first_medium():
    assert configuration.checked(PAPER | {"benchmark": None})["benchmark"] is None
    whole = PAPER["benchmark"] | {"medium": "complex"}
    assert configuration.checked(PAPER)["benchmark"] == whole


def test_the_script_asks_for_its_cell(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(benchmark, "measure_apart", lambda *given: asked.extend(given))
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"train": 7600, "validation": 400}')
    job = SimpleNamespace(
        log=["log"],
        threads=16,
        wildcards=SimpleNamespace(batch_size="64", precision="mixed_bfloat16", devices="2"),
        params=SimpleNamespace(
            backend="jax",
            device="gpu",
            threads=4,
            architecture={"architecture": "crmnet", "width": 16, "bins": 0},
            recipe={"ema": 0.9, "weight_decay": 0.1},
            length=112,
            seed=3,
            steps=7,
            epochs=3,
            estimate_epochs=5,
        ),
        input=SimpleNamespace(shards=["data/complex/shards"], manifests=[str(manifest)]),
        output=[str(tmp_path / "cell.json")],
    )
    runpy.run_path(str(SCRIPTS / "training_speed.py"), init_globals={"snakemake": job})
    arguments, out = asked
    options = benchmark._parser().parse_args(arguments)
    assert out == tmp_path / "cell.json"
    assert (options.backend, options.device, options.precision) == ("jax", "gpu", "mixed_bfloat16")
    # A training's threads, not those that keep other jobs away.
    assert (options.batch_size, options.devices, options.threads) == (64, 2, 4)
    assert (options.steps, options.epochs, options.estimate_epochs) == (7, 3, 5)
    assert options.model == job.params.architecture and options.recipe == job.params.recipe
    assert options.shards == [Path("data/complex/shards")]
    assert (options.length, options.seed, options.sequences) == (112, 3, 7_600)


@pytest.fixture(scope="module")
def table1(cell, tmp_path_factory):
    """Table 1 of four cells: TSV, text and PDF."""
    folder = tmp_path_factory.mktemp("table1")
    alone = estimate([9.0, 0.2, 0.2], 2, 4096, 30_722_376, 20)
    whole = estimate([9.0, 0.25, 0.25], 2, 4096, 30_722_376, 20)
    gpu = {"backend": "jax", "kind": "gpu", "device": "NVIDIA(R) H200", "precision": "float32"}
    base = cell | gpu | {"batch_size": 4096}
    cells = [
        cell,
        base | {"step_alone": alone, "with_input": whole, "flops_share": 0.4123},
        base | {"precision": "mixed_float16", "not_measured": "out of memory"},
        base | {"devices": 8, "device": None, "not_measured": "8 devices asked for, 1 seen"},
    ]
    paths = [folder / f"{number}.json" for number in range(len(cells))]
    for path, content in zip(paths, cells, strict=True):
        path.write_text(json.dumps(content))
    outputs = {name: str(folder / f"table1.{name}") for name in ("tsv", "md", "pdf")}
    job = SimpleNamespace(
        log=[str(folder / "log")],
        input=SimpleNamespace(
            cells=list(map(str, paths)), paper=str(ROOT / "config" / "paper.yaml")
        ),
        output=SimpleNamespace(**outputs),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crmnet.logs.log_to", lambda path: None)
        runpy.run_path(str(SCRIPTS / "table1.py"), init_globals={"snakemake": job})
    return SimpleNamespace(
        tsv=pd.read_csv(outputs["tsv"], sep="\t"),
        md=Path(outputs["md"]).read_text(),
        pdf=Path(outputs["pdf"]).read_bytes(),
    )


def test_the_table_has_its_columns_and_is_sorted(table1):
    assert " ".join(table1.tsv.columns) == (
        "source device kind devices backend precision batch_size step_seconds epoch_minutes "
        "total_hours sequences_per_second step_alone_seconds step_alone_sequences_per_second "
        "input_bound peak_memory_gb flops_share peak_source not_measured"
    )
    assert table1.tsv["batch_size"].is_monotonic_increasing
    at_4096 = table1.tsv[table1.tsv["batch_size"] == 4096]
    assert list(at_4096["source"]) == ["paper"] * 4 + ["this run"] * 3


def test_the_table_has_the_papers_numbers(table1):
    paper = table1.tsv[table1.tsv["source"] == "paper"].set_index(
        ["batch_size", "device", "precision"]
    )
    assert len(paper) == 17
    row = paper.loc[(16384, "A100 80G", "mixed_float16")]
    assert (row["step_seconds"], row["epoch_minutes"], row["total_hours"]) == (1.718, 6.76, 2.25)
    assert row["sequences_per_second"] == pytest.approx(76_293.4)
    assert paper.loc[(8192, "TPU-V3", "float32"), "not_measured"] == "out of memory"
    assert paper["kind"].isna().all() and paper["peak_memory_gb"].isna().all()


def test_the_table_has_our_numbers(table1, cell):
    ours = table1.tsv[table1.tsv["source"] == "this run"]
    measured = ours[ours["not_measured"].isna()].set_index("batch_size")
    gpu = measured.loc[4096]
    # With the input, what the paper reports; and what the input adds to the step.
    assert gpu["step_seconds"] == 0.125 and gpu["step_alone_seconds"] == 0.1
    assert gpu["sequences_per_second"] == pytest.approx(4096 / 0.125)
    assert gpu["input_bound"] == pytest.approx(0.2) and gpu["flops_share"] == 0.4123
    small = measured.loc[4]
    assert small["device"] == cell["device"] and small["input_bound"] >= 0
    assert small["peak_memory_gb"] == pytest.approx(cell["peak_memory"]["bytes"] / 1e9, rel=1e-5)
    reasons = list(ours["not_measured"].dropna())
    assert reasons == ["out of memory", "8 devices asked for, 1 seen"]


def test_the_text_says_what_is_missing_and_what_is_estimated(table1):
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table1.md.splitlines()]
    ours = [row for row in rows if row[1:3] == ["this run", "NVIDIA H200"]]
    assert ours[0][5:] == ["0.125", "15.6", "5.21", "32,800", "0.100", "20", *ours[0][11:12], "41"]
    assert ours[1][5:] == ["-"] * 8
    assert [row[5:] for row in rows if row[1:4] == ["this run", "", "8"]] == [["n/a"] * 8]
    a100 = ["8192", "paper", "A100 80G", "8", "float32", "1.337", "10.54", "3.51", "49,000"]
    assert [*a100, "", "", "", ""] in rows
    note = table1.md.splitlines()[-1]
    assert "20 epochs of 30,722,376 sequences" in note
    assert "n/a: 8 devices asked for, 1 seen." in note and "-: out of memory" in note
    assert table1.pdf.startswith(b"%PDF")
