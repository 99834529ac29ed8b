"""The conda environments: complete for the scripts of their rules, pinned, and nothing besides.

What pip installs in them is installed here, too, with uv; all of an environment can be solved only
where conda or micromamba is there.
"""

import ast
import functools
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run_snakemake
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_plan import LOCAL, WITH_SCRIPT, last, parsed

from crmnet.fingerprint import reached

ENVS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "envs").glob("*.yaml")}
TRAINING = {name for name in ENVS if name.startswith("train-")}
# What scripts import, run or load from a package, where that has another name.
PROVIDES = {
    "tensorflow-cpu": {"tensorflow"},
    "biopython": {"Bio"},
    "pyyaml": {"yaml"},
    "modisco-lite": {"modiscolite"},
    "meme": {"meme", "fimo", "tomtom"},
    "r-base": {"Rscript"},
    "bioconductor-rgadem": {"rGADEM"},
    "bioconductor-biostrings": {"Biostrings"},
}
# Imports in functions that no script calls in these environments: TensorFlow's have no JAX, and
# their rules, like some others, read known motifs from a file.
UNREACHED = {
    "jax": {"train-auto", "train-cpu", "train-gpu"},
    "pyjaspar": {*TRAINING, "modisco", "rgadem"},
    # The paper's model, for who measures by hand: a job names its own.
    "yaml": TRAINING,
}
# What no script need import: Python, its installer, the classes of pyjaspar's motifs, pandas' store
# of text (which would otherwise come from the Python that runs Snakemake), and a part of CUDA.
BESIDE = {"python", "pip", "biopython", "pyarrow", "nvidia-cudnn-cu12"}
# Where the environments are made, and the oldest glibc there: that of Gadi's nodes, and of TPU VMs.
MACHINE = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.12"}
GLIBC = {"train-tpu": "2_31"}
# Gigabytes that can be imported only where there is a GPU. They are resolved, but not installed.
CUDA = re.compile(r"(nvidia|jax-cuda12)-")
# A conda whose environments are lists of packages. It notes the files that it makes them from, and
# can leave a package of a pin file out.
CONDA = """#!/usr/bin/env python3
import json, os, pathlib, re, sys
here = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
option = dict(zip(arguments, arguments[1:]))
if arguments == ["--version"]:
    print("conda 25.9.1")
elif arguments == ["info", "--json"]:
    print(json.dumps({"conda_prefix": str(here.parent), "platform": "linux-64"}))
elif arguments[:2] == ["config", "--get"]:
    print(json.dumps({"get": {"channel_priority": "strict"}}))
elif arguments[:1] == ["clean"]:
    pass
elif "create" in arguments:
    text = pathlib.Path(option["--file"]).read_text()
    with (here / "made").open("a") as file:
        print(json.dumps(text), file=file)
    prefix = pathlib.Path(option["--prefix"])
    python = prefix / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\\necho $* > {here}/pip; cat > {prefix}/pip\\n")
    python.chmod(0o755)
    if arguments[0] == "env":
        conda = re.findall(r"^  - ([\\w-]+=.*)", text, re.M)
        (prefix / "pip").write_text("".join(re.findall(r"^      - (\\S+\\n)", text, re.M)))
    else:
        conda = re.findall(r"^https://channel/(.*)-0.conda#0", text, re.M)
        conda = ["=".join(package.rsplit("-", 1)) for package in conda]
        conda = conda[:-1] if os.environ.get("LEAVES_OUT") else conda
        (prefix / "pip").touch()
    (prefix / "conda").write_text("".join(f"{package}\\n" for package in conda))
elif arguments[:1] == ["list"]:
    prefix = pathlib.Path(option["--prefix"])
    conda, pip = ((prefix / name).read_text().splitlines() for name in ("conda", "pip"))
    if "--json" in arguments:
        listed = [(*package.split("=="), "pypi") for package in pip]
        listed += [(*package.split("="), "bioconda") for package in conda]
        print(json.dumps([dict(zip(("name", "version", "channel"), entry)) for entry in listed]))
    else:
        files = [f"https://channel/{package.replace('=', '-')}-0.conda#0" for package in conda]
        print("@EXPLICIT", *files, sep="\\n")
else:
    sys.exit(f"unknown: {arguments}")
"""


def script_of(rule):
    return ROOT / "rules" / last(r'script:\s+"(.+?)"', WITH_SCRIPT[rule])


def envs_of(rule):
    if rule in LOCAL:
        return set()
    named = last(r"conda:\s+(\S+)", WITH_SCRIPT[rule])
    # What a rehearsal imports, it imports in every environment.
    if "{environment}" in named:
        return set(ENVS)
    return TRAINING if named == "TRAINING_ENV" else {Path(named.strip('"')).stem}


def uses(path):
    """The imports of a file that are executed at once, those in functions, and the programs that
    it runs."""
    tree = ast.parse(path.read_text())
    at_once, in_functions, programs = [], [], set()

    def visit(node, imports):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "tool":
            programs.add(node.args[0].value)
        for child in ast.iter_child_nodes(node):
            visit(child, in_functions if isinstance(node, ast.FunctionDef) else imports)

    visit(tree, at_once)
    return at_once, in_functions, programs


def packages_of(node):
    """The packages that an import names."""
    names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    return {name.split(".")[0] for name in names}


def needs(env):
    """The import statements of the scripts of an environment's rules, and the programs and R
    packages that they use."""
    unreached = {name for name, envs in UNREACHED.items() if env in envs}
    statements, programs = {}, set()
    for rule in WITH_SCRIPT:
        if env not in envs_of(rule):
            continue
        script = script_of(rule)
        for path in reached(script.resolve()):
            at_once, in_functions, run = uses(path)
            programs |= run
            for node in at_once + [n for n in in_functions if not packages_of(n) & unreached]:
                statements[ast.unparse(node)] = packages_of(node)
        if (program := script.with_suffix(".R")).exists():
            programs |= set(re.findall(r"library\((\w+)\)", program.read_text()))
    return statements, programs


def pip_part(env):
    """The lines of an environment's file that conda passes to pip."""
    return [
        line for e in ENVS[env]["dependencies"] if isinstance(e, dict) for line in e.get("pip", ())
    ]


def requirements(lines):
    """The requirements among lines that are for the machine of the environments."""
    found = (Requirement(line) for line in lines if line and line[0] not in "#-")
    return [r for r in found if r.marker is None or r.marker.evaluate(MACHINE)]


def pins(env):
    """The package and version of every line of an environment: of conda, and of pip."""
    entries = [e for e in ENVS[env]["dependencies"] if isinstance(e, str)]
    found = [re.fullmatch(r"([\w-]+)=(\d+(?:\.\d+)+)", entry) for entry in entries]
    assert all(found), entries
    return [match.groups() for match in found] + [pin(r) for r in requirements(pip_part(env))]


def pin(requirement):
    (specifier,) = requirement.specifier
    assert specifier.operator == "==" and "*" not in specifier.version
    return canonicalize_name(requirement.name), specifier.version


def by_name(pinned):
    """Package -> its versions. The CPU build of TensorFlow is TensorFlow."""
    versions = {}
    for name, version in pinned:
        versions.setdefault(name.removesuffix("-cpu"), set()).add(version)
    return versions


@pytest.mark.parametrize("env", sorted(ENVS))
def test_an_environment_has_what_its_scripts_use_and_nothing_else(env):
    packages = {package for package, _ in pins(env)}
    has = set().union(*(PROVIDES.get(package, {package}) for package in packages))
    statements, programs = needs(env)
    own = sys.stdlib_module_names | {"crmnet"}
    needed = set().union(programs, *statements.values()) - own
    assert needed and not needed - has
    assert not [p for p in packages - BESIDE if not PROVIDES.get(p, {p}) & needed]


@pytest.mark.parametrize("env", sorted(ENVS))
def test_an_environment_names_a_package_once(env):
    names = [name.removesuffix("-cpu") for name, _ in pins(env)]
    assert len(names) == len(set(names))
    assert ("pandas" in names) == ("pyarrow" in names)


def test_a_package_has_one_version_everywhere():
    files = [ROOT / name for name in ("requirements.txt", "requirements-dev.txt")]
    pinned = [pin(r) for path in files for r in requirements(path.read_text().splitlines())]
    assert {"snakemake", "tensorflow-cpu", "numpy"} <= {name for name, _ in pinned}
    pinned += [entry for env in ENVS for entry in pins(env)]
    assert {name: found for name, found in by_name(pinned).items() if len(found) > 1} == {}


def uv(*arguments, **options):
    """Runs uv to its end. It uses the Pythons that are there."""
    command = [sys.executable, "-m", "uv", *map(str, arguments), "--quiet", "--no-python-downloads"]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def resolved():
    """Version of Python -> environment -> all that pip would install on Linux, or why it would
    not."""
    untested = "NOT TESTED: what pip installs in envs/"
    if importlib.util.find_spec("uv") is None:
        pytest.skip(f"{untested}; uv is missing (pip install -r requirements-dev.txt)")
    asked = uv("pip", "compile", "-", "--refresh", input="pip")
    if asked.returncode != 0:
        pytest.skip(f"{untested}; no package index answers: {' '.join(asked.stderr.split())}")

    def resolve(env, version):
        linux = f"x86_64-manylinux_{GLIBC.get(env, '2_28')}"
        machine = ("--python-version", version, "--python-platform", linux)
        form = ("--only-binary", ":all:", "--no-header", "--no-annotate")
        return uv("pip", "compile", "-", *machine, *form, input="\n".join(pip_part(env)))

    @functools.cache
    def resolve_all(version):
        # They mostly wait for the index.
        with ThreadPoolExecutor(len(ENVS)) as pool:
            return dict(zip(ENVS, pool.map(resolve, ENVS, [version] * len(ENVS)), strict=True))

    return resolve_all


@pytest.mark.slow
@pytest.mark.parametrize("env", sorted(ENVS))
def test_what_pip_installs_exists_for_the_machines_of_the_environments(env, resolved):
    done = resolved(MACHINE["python_version"])[env]
    assert done.returncode == 0, done.stderr
    found = by_name(pin(Requirement(line)) for line in done.stdout.splitlines())
    for name, versions in by_name(map(pin, requirements(pip_part(env)))).items():
        assert found[name] == versions
    # XLA's compiler, which conda's TensorFlow lacks.
    gpu = env in ("train-auto", "train-gpu", "train-jax")
    assert ("nvidia-cuda-nvcc-cu12" in found) == gpu and ("libtpu" in found) == (env == "train-tpu")


def python():
    """Python 3.12, as in the environments, if this machine has it; else the Python of the tests."""
    program = shutil.which("python3.12") or sys.executable
    # Under pyenv, a program named python3.12 works only if this variable chooses its version.
    chosen = os.environ | {"PYENV_VERSION": "3.12"}
    command = [program, "-c", "import sys; print(sys.executable)"]
    asked = subprocess.run(command, env=chosen, capture_output=True, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else sys.executable


@pytest.fixture(scope="module")
def execute(tmp_path_factory):
    """Packages, a script -> what Python says of the script where only these packages are."""
    folder = tmp_path_factory.mktemp("environment")
    made = uv("venv", "--python", python(), folder / "venv")
    assert made.returncode == 0, made.stderr

    @functools.cache
    def run(packages, script, backend):
        # Of the packages from before, only those that are wanted again stay.
        (folder / "packages.txt").write_text(packages)
        install = ("pip", "sync", "--python", folder / "venv", folder / "packages.txt")
        # The index is asked only for what is not in uv's cache.
        if uv(*install, "--offline").returncode != 0:
            made = uv(*install)
            assert made.returncode == 0, made.stderr
        (folder / "script.py").write_text(script)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "workflow" / "scripts"),
            "KERAS_BACKEND": backend,
            "JAX_PLATFORMS": "cpu",
        }
        command = [folder / "venv" / "bin" / "python", folder / "script.py"]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    yield run
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("env", sorted(ENVS))
def test_what_pip_installs_has_all_that_the_scripts_import(env, resolved, execute):
    """What pip installs in an environment is installed, and nothing else, for Python 3.12 if the
    machine has it. CUDA is left out, and TensorFlow for CPUs stands in for that for GPUs."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("NOT TESTED: what pip installs in envs/, which can be done on Linux on x86-64")
    version = [python(), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = resolved(subprocess.check_output(version, text=True).strip())[env]
    assert done.returncode == 0, done.stderr
    packages = [line for line in done.stdout.splitlines() if not CUDA.match(line)]
    packages = [re.sub("^tensorflow==", "tensorflow-cpu==", line) for line in packages]

    statements, _ = needs(env)
    lines = [line for line, names in statements.items() if names - sys.stdlib_module_names]
    assert any(line.startswith("from crmnet") for line in lines)
    backend = "jax" if any(line.startswith("jax==") for line in packages) else "tensorflow"
    done = execute("\n".join(packages), "\n".join(sorted(lines)), backend)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("env", sorted(ENVS))
def test_conda_finds_all_packages_of_an_environment(env, tmp_path):
    """With strict priority of channels, as Snakemake asks for. What pip installs is left out."""
    programs = {"micromamba": ["create", "--yes"], "conda": ["env", "create"]}
    program = next(filter(shutil.which, programs), None)
    if program is None:
        pytest.skip("NOT TESTED: whether conda can make envs/; micromamba and conda are missing")
    command = [program, *programs[program], "--dry-run", "--prefix", tmp_path / "environment"]
    strict = {"CONDA_CHANNEL_PRIORITY": "strict", "MAMBA_CHANNEL_PRIORITY": "strict"}
    solved = subprocess.run(
        [*command, "--file", ROOT / "envs" / f"{env}.yaml"],
        env=os.environ | strict,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert solved.returncode == 0, solved.stdout


@pytest.mark.parametrize("env", sorted(ENVS))
def test_channels_are_strict_and_without_defaults(env):
    channels = ENVS[env]["channels"]
    assert channels in (["conda-forge", "nodefaults"], ["conda-forge", "bioconda", "nodefaults"])


@pytest.mark.parametrize(
    ("backend", "device", "env"),
    [
        ("tensorflow", "auto", "train-auto"),
        ("tensorflow", "cpu", "train-cpu"),
        ("tensorflow", "gpu", "train-gpu"),
        ("jax", "gpu", "train-jax"),
        ("jax", "tpu", "train-tpu"),
    ],
)
def test_training_has_the_environment_of_its_backend_and_device(backend, device, env):
    rules = parsed(training={"backend": backend, "device": device})
    assert rules["train"].conda_env == rules["saliency"].conda_env == f"../envs/{env}.yaml"


@pytest.fixture
def conda(tmp_path, monkeypatch):
    """The folder of a conda that is on the PATH."""
    place = tmp_path / "conda" / "bin"
    place.mkdir(parents=True)
    (place / "conda").write_text(CONDA)
    (place / "conda").chmod(0o755)
    (place / "activate").write_text('export PATH="$1/bin:$PATH"')
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{Path(sys.executable).parent}", os.pathsep)
    return place


def test_a_machine_makes_the_environments_of_its_jobs(tmp_path, conda):
    done = run_snakemake(tmp_path, "--sdm", "conda", "--conda-create-envs-only", "--cores", 1)
    assert done.returncode == 0, done.stdout
    # From the environments' files, or from their pins.
    name = {path.read_text(): path.name.split(".")[0] for path in (ROOT / "envs").iterdir()}
    made = [name[json.loads(line)] for line in (conda / "made").open()]
    assert sorted(made) == ["analysis", "meme", "rgadem", "train-cpu", "train-gpu"]


def pinned(folder):
    """Pins an environment in a copy of the files that this needs."""
    for part in (".ci/pin-env", "envs/meme.yaml"):
        (folder / part).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / part, folder / part)
    (folder / "envs" / "meme.linux-64.pin.txt").write_text("of last week")
    return subprocess.run([folder / ".ci" / "pin-env", "meme"], capture_output=True, text=True)


def not_pinned(env, folder):
    """What an environment's file asks for and the files of its pins, if there are any, have not."""
    files = [folder / f"{env}.linux-64.pin.txt", folder / f"{env}.post-deploy.sh"]
    if not any(file.exists() for file in files):
        return []
    conda, pip = (file.read_text() for file in files)
    of_pip = [pin(Requirement(line)) for line in re.findall(r"^\S+==\S+$", pip, re.M)]
    return [
        (name, version)
        for name, version in pins(env)
        if (name, version) not in of_pip and not re.search(rf"/{name}-{version}[.-]", conda)
    ]


@pytest.mark.parametrize("env", sorted(ENVS))
def test_pins_are_those_of_their_environment(env):
    """Snakemake takes no notice of the environment's file if there are pins. Remove the two files
    when you change a version; the next pins have it."""
    assert not_pinned(env, ROOT / "envs") == []


def test_an_environment_made_from_its_pins_has_the_packages_of_pip_too(tmp_path, conda):
    done = pinned(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    listed, deploy = (
        tmp_path / "envs" / f"meme.{e}" for e in ("linux-64.pin.txt", "post-deploy.sh")
    )
    assert "/meme-5.5.9-0.conda#0\n" in listed.read_text()
    assert "pip install --quiet --no-deps" in (conda / "pip").read_text()
    # First from the environment's file, then from the pins.
    made = [json.loads(line) for line in (conda / "made").open()]
    assert made == [(ROOT / "envs" / "meme.yaml").read_text(), listed.read_text()]

    assert not_pinned("meme", tmp_path / "envs") == []
    listed.write_text(listed.read_text().replace("meme-5.5.9", "meme-5.5.8"))
    deploy.write_text(deploy.read_text().replace("pandas==", "pandas==0."))
    assert [name for name, _ in not_pinned("meme", tmp_path / "envs")] == ["meme", "pandas"]


def test_pins_that_make_another_environment_are_refused(tmp_path, conda, monkeypatch):
    monkeypatch.setenv("LEAVES_OUT", "a package")
    done = pinned(tmp_path)
    assert done.returncode != 0 and "meme.post-deploy.sh is not the same" in done.stderr


def test_an_environment_that_cannot_be_made_is_not_pinned(tmp_path, conda):
    (conda / "conda").write_text(CONDA.replace('elif "create"', 'elif "never"'))
    done = pinned(tmp_path)
    assert done.returncode != 0 and "Snakemake cannot make this environment" in done.stderr
    assert "unknown: ['env', 'create'" in done.stdout
    assert not (tmp_path / "envs" / "meme.linux-64.pin.txt").exists()
