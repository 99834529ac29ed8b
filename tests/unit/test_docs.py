"""The links, files, rules, functions, config keys and commands that the docs name exist."""

import copy
import fnmatch
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from snakemake.api import SnakemakeApi
from snakemake.cli import get_argument_parser
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings
from snakemake.utils import update_config

from crmnet.configuration import SCHEMA, ConfigError, checked

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow" / "scripts" / "crmnet"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("config", "profiles", "results")),
]
KEYS = yaml.safe_load(SCHEMA.read_text())["properties"]
PAPER = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT)).replace("/", "-")
)


def tracked():
    """The repository's files, including files not yet committed. A copy without git has all its
    files but results and hidden files."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    made = ("results", "resources")
    return {
        path.as_posix()
        for path in found
        if not path.parts[0].startswith(".")
        and (path.parts[0] not in made or path.name == "README.md")
    }


FILES = tracked()
FOLDERS = {parent.as_posix() for name in FILES for parent in Path(name).parents}
# Folders of the repository in which nothing is made.
SOURCES = {folder for folder in FOLDERS if "/" not in folder} - {".", "results", ".ci"}
TEXT = {name: (ROOT / name).read_text() for name in FILES if name.endswith((".py", ".smk"))}


def blocks(page, *languages):
    """The code blocks of a page in these languages."""
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S):
        if language in languages:
            yield text


def prose(page):
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def code(page):
    """The texts in backticks on a page, each on one line."""
    return [" ".join(text.split()) for text in re.findall(r"`([^`]+)`", prose(page))]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def exists(name):
    """Whether a path with `*` or `<...>` is one of the repository's."""
    pattern = re.sub(r"<[^<>]+>", "*", name.rstrip("/"))
    return any(fnmatch.fnmatchcase(path, pattern) for path in FILES | FOLDERS)


def commands(page):
    """The Snakemake commands of a page: their words, without comments and variables."""
    texts = (text.replace("\\\n", "") for text in blocks(page, "bash", ""))
    lines = [line for text in texts for line in text.splitlines()]
    for line in [*lines, *code(page)]:
        for part in line.split(" #")[0].split("&&"):
            if re.match(r"\s*(\.venv/bin/)?snakemake\s+\S", part):
                yield shlex.split(part)[1:]


@pytest.fixture(scope="module")
def rules():
    """Name -> rule, of the paper's config."""
    with SnakemakeApi(OutputSettings()) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(),
            snakefile=ROOT / "Snakefile",
        )
        return {rule.name: rule for rule in workflow._workflow.rules}


@pytest.fixture(scope="module")
def parser():
    return get_argument_parser()


def test_pages_are_found():
    assert {"README.md", "docs/architecture.md", "profiles/README.md"} <= {
        page.relative_to(ROOT).as_posix() for page in PAGES
    }


@every_page
def test_links_lead_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        inside = target.is_relative_to(ROOT) and exists(target.relative_to(ROOT).as_posix())
        if not inside or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@every_page
def test_paths_are_of_files_that_exist(page):
    names = {Path(name).name for name in FILES}
    missing = []
    for text in code(page):
        if re.fullmatch(r"[\w.*<>-]+(/[\w.*<>-]*)+", text):
            beside = page.parent.relative_to(ROOT) / text
            known = text.split("/")[0] in SOURCES
            if known and not exists(text) and not exists(beside.as_posix()):
                missing.append(text)
        elif re.fullmatch(r"\w[\w.-]*\.(py|smk|R|rst)", text) and text not in names:
            missing.append(text)
    assert missing == []


@every_page
def test_rules_and_functions_exist(page, rules):
    text = "\n".join(TEXT.values())
    missing = []
    for named in code(page):
        if match := re.fullmatch(r"rule (\w+)", named):
            missing += [named] * (match[1] not in rules)
        elif match := re.fullmatch(r"([a-z_]\w*)\(\)", named):
            missing += [named] * (not re.search(rf"^ *def {match[1]}\(", text, re.M))
    assert missing == []


@every_page
def test_names_stand_in_the_file_that_is_said_to_have_them(page):
    wrong = []
    for name, path in re.findall(r"`(\w+)(?:\(\))?`\s+(?:in|of)\s+`([\w/.]+\.py)`", prose(page)):
        if path in TEXT and not re.search(rf"\b{name}\b", TEXT[path]):
            wrong.append((name, path))
    assert wrong == []


def known(value, part):
    """Whether all keys of a part of a config are in the schema, which leaves some names free."""
    if not isinstance(value, dict):
        return True
    inner, free = part.get("properties", {}), part.get("additionalProperties")
    parts = {key: inner.get(key, free) for key in value}
    return all(isinstance(parts[key], dict) and known(value[key], parts[key]) for key in value)


@every_page
def test_keys_of_the_config_exist(page):
    wrong = []
    for named in code(page):
        words = named.split(": ")
        # `key: value` of a section of the config; the last may be a value.
        if len(words) < 2 or words[0] not in KEYS or not all(map(str.strip, words)):
            continue
        if "{" in named or words[-1] == "null":
            wrong += [named] * (not known(yaml.safe_load(named), {"properties": KEYS}))
            continue
        part = KEYS[words[0]]
        for word in words[1:]:
            if "properties" in part and word.strip("`") not in part["properties"]:
                wrong.append(named)
                break
            part = part.get("properties", {}).get(word, {})
            if "enum" in part and words[-1] != word and words[-1] not in map(str, part["enum"]):
                wrong.append(named)
                break
    assert wrong == []


@every_page
def test_configs_can_be_run_over_the_papers(page):
    for text in blocks(page, "yaml"):
        changes = yaml.safe_load(text)
        if not set(changes) <= set(KEYS):
            continue
        merged = copy.deepcopy(PAPER)
        update_config(merged, changes)
        try:
            checked(merged)
        except ConfigError as error:
            faults = str(error).splitlines()[1:]
            # Files of an example need not be there.
            missing_file = re.compile(r"the file \S+ does not exist")
            assert [fault for fault in faults if not missing_file.search(fault)] == []


@every_page
def test_snakemake_commands_name_what_there_is(page, rules, parser):
    wrong = []
    for words in commands(page):
        try:
            asked = parser.parse_args(words)
        except SystemExit:
            wrong.append((words, "an option that Snakemake has not"))
            continue
        for profile in asked.profile or []:
            if not exists(f"{profile}/config.yaml"):
                wrong.append((words, profile))
        for config in asked.configfile or []:
            if "/" in str(config) and str(config) not in FILES:
                wrong.append((words, config))
        for setting in asked.config or []:
            if setting.split("=")[0] not in KEYS:
                wrong.append((words, setting))
        for target in [*asked.targets, *(asked.until or [])]:
            if target not in rules and not any(r.is_producer(target) for r in rules.values()):
                wrong.append((words, target))
    assert wrong == []


def test_targets_of_the_readme_are_rules(rules):
    (table,) = re.findall(
        r"^\| target \|.*\n\|.*\n((?:\|.*\n)+)", (ROOT / "README.md").read_text(), re.M
    )
    targets = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    assert len(targets) > 10 and not [target for target in targets if target not in rules]


def test_modules_that_are_run_exist():
    found = [
        name for page in PAGES for name in re.findall(r"-m crmnet\.([\w.]+\w)", page.read_text())
    ]
    assert found
    assert all((PACKAGE / f"{name.replace('.', '/')}.py").is_file() for name in found)


def test_every_module_has_its_place_in_the_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    (table,) = re.findall(r"^\| in `workflow/scripts/crmnet/`.*\n\|.*\n((?:\|.*\n)+)", text, re.M)
    named = {
        f"{folder.rstrip('/.')}/{module}".lstrip("/")
        for folder, modules in re.findall(r"^\| `([^`]+)` \|.*\|(.*)\|$", table, re.M)
        for module in re.findall(r"`(\w+)`", modules)
    }
    assert named == {
        str(path.relative_to(PACKAGE).with_suffix(""))
        for path in PACKAGE.rglob("*.py")
        if path.stem != "__init__"
    }


def test_every_rule_file_has_its_place_in_the_picture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawn = set(re.findall(r"^ *subgraph (\S+)$", text, re.M))
    drawn |= {"common.smk", "checks.smk", "left_out.smk"}
    assert drawn == {path.name for path in (ROOT / "rules").glob("*.smk")}
