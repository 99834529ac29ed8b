"""Nothing that comes from a file or the config is run as code: no pickle, no shell, no graph."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "workflow" / "scripts").rglob("*.py"), *ROOT.glob("profiles/*/*.py")])
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
# Modules whose files are code, and calls by which text or a file becomes code.
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "imp"}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput"),
    *("subprocess.getstatusoutput", "pd.read_pickle", "yaml.load", "yaml.unsafe_load"),
    *("yaml.full_load", "tf.saved_model.load", "keras.layers.TFSMLayer", "torch.load"),
    *("keras.config.enable_unsafe_deserialization", "keras.layers.Lambda"),
}
# Calls that are safe with an argument alone.
ARGUMENTS = {
    "np.load": ("allow_pickle", False),
    "keras.models.load_model": ("safe_mode", True),
    "keras.saving.load_model": ("safe_mode", True),
}
PROCESSES = {
    f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")
}


def name_of(call):
    """A call's function as it is written: `np.load`."""
    return ast.unparse(call.func)


def offences(text):
    """What a source does that may run what it has read."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imported = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            yield from {str(name) for name in imported if str(name).split(".")[0] in MODULES}
        if not isinstance(node, ast.Call):
            continue
        name, arguments = name_of(node), {word.arg: word.value for word in node.keywords}
        if name in CALLS:
            yield name
        if name in ARGUMENTS:
            argument, value = ARGUMENTS[name]
            if ast.unparse(arguments.get(argument, ast.Constant(None))) != str(value):
                yield f"{name} without {argument}={value}"
        if ast.unparse(arguments.get("shell", ast.Constant(False))) != "False":
            yield f"{name} with a shell"
        # A list of words, never a line for a shell to take apart.
        if name in PROCESSES and isinstance(node.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp)):
            yield f"{name} of a text"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_source_runs_nothing_that_it_reads(path):
    assert list(offences(path.read_text())) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "eval(cell)",
        "os.system(f'rm {path}')",
        "subprocess.run(f'meme {path}')",
        "subprocess.run(command, shell=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "keras.models.load_model(path, compile=False)",
        "keras.models.load_model(path, safe_mode=False)",
        "yaml.load(text)",
        "tf.saved_model.load(folder)",
    ],
)
def test_what_would_run_it_is_seen(text):
    assert len(list(offences(text))) == 1


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_run_scripts_alone(path):
    assert not re.search(r"^\s+(shell|run|wrapper|notebook|cwl):", path.read_text(), re.M)
