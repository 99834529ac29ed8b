"""The origin of a run's results, as one record and as an RO-Crate: workflow, config, data with
their hashes, software, hardware, and the time and memory of each job. Needs no deep learning
framework."""

from __future__ import annotations

import base64
import csv
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from crmnet.data.checksums import sha256
from crmnet.data.delimited import open_text
from crmnet.training.machine import processor

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

ROOT = Path(__file__).parents[4]
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}
# The profiles of RO-Crate that a crate follows. All but the first need a workflow that can be
# downloaded from the web.
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}


def without_credentials(url: str) -> str:
    """Removes a user, password or token before the host of a URL; other text stays as it is."""
    return re.sub(r"://[^/?#\s]*@", "://", url)


def plain(value: object) -> object:
    """Returns a config or a part of it in types that JSON knows, and without credentials in URLs.

    Whole numbers stay keys, because they are the numbers of columns. Other keys become text, and so
    does every value of a type that JSON does not know."""
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, int) else str(key): plain(part) for key, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return without_credentials(str(value))


def workflow(root: Path = ROOT) -> dict[str, object]:
    """Returns the workflow's name and its state in git.

    Args:
        root: the folder of the Snakefile and CITATION.cff.

    Returns:
        `name`, `commit`, `modified` (whether tracked files were changed since), and `repository`,
        the URL of the clone's origin (None if that is a path on this machine). All but `name` are
        None if git is missing or does not track the Snakefile.
    """
    state = dict.fromkeys(("commit", "modified", "repository"))
    if _git(root, "ls-files", "--error-unmatch", "Snakefile") is not None:
        url = _git(root, "remote", "get-url", "origin")
        state = {
            "commit": _git(root, "rev-parse", "HEAD"),
            "modified": bool(_git(root, "status", "--porcelain", "--untracked-files=no", ".")),
            "repository": without_credentials(url) if url and _is_remote(url) else None,
        }
    if state["commit"] is None:
        print("git knows no commit of this workflow", file=sys.stderr)
    return {"name": _citation(root)["title"], **state}


def inputs(paths: Iterable[str], urls: Mapping[str, str]) -> list[dict[str, object]]:
    """Returns path, URL, bytes and SHA-256 of each file.

    Args:
        paths: files, or folders, which stand for all files in them.
        urls: path -> URL, for the paths that were downloaded.
    """
    files = []
    for path in map(Path, paths):
        within = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        url = without_credentials(urls[str(path)]) if str(path) in urls else None
        for file in within:
            print(f"sha256 of {file}", file=sys.stderr)
            size = file.stat().st_size
            files.append({"path": str(file), "url": url, "bytes": size, "sha256": sha256(file)})
    return files


def engines(tables: Mapping[str, str]) -> dict[str, str]:
    """Returns the engine of each motif job, from the column `engine` of its table.

    A job that found nothing has an empty table and is left out.

    Args:
        tables: job -> its table, a TSV file that may be compressed with gzip.
    """
    engine_of = {}
    for job, path in tables.items():
        with open_text(Path(path)) as file:
            row = next(csv.DictReader(file, delimiter="\t"), None)
        if row is None:
            print(f"{path} is empty, so the engine of the job is unknown", file=sys.stderr)
        else:
            engine_of[job] = row["engine"]
    return engine_of


def software(snakemake: str, environments: Iterable[str], root: Path = ROOT) -> dict[str, object]:
    """Returns the versions of Python, Snakemake and all packages installed for this Python.

    If a job has its own environment, Snakemake's packages are on its path but are not listed.

    Args:
        snakemake: the version of Snakemake.
        environments: file names of conda environments, whose pinned dependencies are listed, too.
        root: the folder in which envs/ has these files.
    """
    own = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    installed = importlib.metadata.distributions(path=sorted(own))
    packages = {package.name: package.version for package in installed}
    return {
        "python": platform.python_version(),
        "snakemake": snakemake,
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
        "environments": {name: _pins(root / "envs" / name) for name in environments},
    }


def hardware() -> dict[str, object]:
    """Describes this machine. Its accelerators are the GPUs that nvidia-smi lists."""
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True)
        listed = done.stdout.splitlines() if done.returncode == 0 else []
    except OSError:
        listed = []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "of": "the machine that wrote this file; on a cluster, other jobs ran on others",
        "system": platform.platform(),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "accelerators": [name.strip() for name in listed],
    }


def jobs(benchmarks: Iterable[str], folder: str) -> list[dict[str, object]]:
    """Returns wall and CPU seconds and peak resident memory (MB) of each job's last run.

    Args:
        benchmarks: Snakemake's benchmark files, `<folder>/<rule>.tsv`, or for a rule with wildcards
            `<folder>/<rule>/<wildcards>.tsv`. A job without such a file is left out, and the log
            names it; it ran before its rule had a benchmark file.
        folder: the folder of the benchmark files.

    Returns:
        A row per job, sorted by rule and wildcards. A number that Snakemake did not measure is
        None.
    """
    measured_jobs = []
    for path in sorted(map(Path, benchmarks)):
        if not path.is_file():
            print(f"{path} is missing, so the time of the job is unknown", file=sys.stderr)
            continue
        with path.open(newline="") as file:
            *_, row = csv.DictReader(file, delimiter="\t")
        rule, _, wildcards = path.relative_to(folder).as_posix().removesuffix(".tsv").partition("/")
        measured = {"seconds": "s", "cpu_seconds": "cpu_time", "peak_mb": "max_rss"}
        numbers = {key: _number(row[column]) for key, column in measured.items()}
        measured_jobs.append({"rule": rule, "job": wildcards, **numbers})
    return measured_jobs


def total(measured: Sequence[Mapping[str, object]]) -> dict[str, float | None]:
    """Returns the sums of all jobs' wall and CPU seconds, and the largest peak memory (MB)."""

    def known(key):
        return [job[key] for job in measured if job[key] is not None]

    return {
        "seconds": round(sum(known("seconds")), 2),
        "cpu_seconds": round(sum(known("cpu_seconds")), 2),
        "peak_mb": max(known("peak_mb"), default=None),
    }


def record(
    *,
    config: Mapping[str, object],
    files: Iterable[str],
    urls: Mapping[str, str],
    snakemake: str,
    environments: Iterable[str],
    tables: Mapping[str, str],
    benchmarks: Iterable[str],
    folder: str,
) -> dict[str, object]:
    """Returns the whole record, the content of provenance.json.

    Args:
        config: the config with every default.
        files, urls: see `inputs`.
        snakemake, environments: see `software`; no environments if conda is not used.
        tables: see `engines`.
        benchmarks, folder: see `jobs`.
    """
    measured = jobs(benchmarks, folder)
    return {
        "workflow": workflow(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": plain(config),
        "seed": config["seed"],
        "inputs": inputs(files, urls),
        "software": {**software(snakemake, environments), "engines": engines(tables)},
        "hardware": hardware(),
        "jobs": measured,
        "total": total(measured),
    }


def crate(
    run: Mapping[str, object], outdir: Path, results: Iterable[Path], root: Path = ROOT
) -> ROCrate:
    """Describes a run as an RO-Crate 1.1 (doi:10.3233/DS-210053) whose root is `outdir`.

    It is a Workflow Run Crate 0.5 (doi:10.1371/journal.pone.0309210), or a Process Run Crate if the
    workflow's commit is in no repository on the web. Nothing is copied. A file outside `outdir` is
    named by its URL, or by its SHA-256 (RFC 6920) if it has no URL.

    Args:
        run: the result of `record`. It lies in `outdir` as provenance.json, and the run's config as
            config.yaml.
        outdir: the folder of the results.
        results: the figures and tables in that folder.
        root: the folder of the Snakefile and CITATION.cff.
    """
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    paper = _citation(root)["preferred-citation"]
    name, made = run["workflow"]["name"], run["made"]
    made_of = ROCrate(version="1.1")
    # RO-Crate 1.1 does not define this term.
    made_of.metadata.extra_terms["sha256"] = "https://schema.org/sha256"

    def context(identifier, kind, **properties):
        properties["@type"] = kind
        return made_of.add(ContextEntity(made_of, identifier, properties=properties))

    def file(path, **properties):
        path = Path(path)
        if media_type := MEDIA_TYPES.get(path.suffix):
            properties["encodingFormat"] = media_type
        inside = path.is_relative_to(outdir)
        place = {"dest_path": path.relative_to(outdir)} if inside else {"source": properties["url"]}
        return made_of.add_file(**place, properties=properties)

    license_ = context(
        f"https://spdx.org/licenses/{_citation(root)['license']}",
        "CreativeWork",
        name=f"{_citation(root)['license']} License",
    )
    article = context(
        f"https://doi.org/{paper['doi']}",
        "ScholarlyArticle",
        name=paper["title"],
        datePublished=str(paper["year"]),
    )
    commit = run["workflow"]["commit"]
    web = commit and _web(run["workflow"]["repository"])
    snakefile = root / "Snakefile"
    digest = sha256(snakefile)
    properties = {
        "name": name,
        "encodingFormat": "text/plain",
        "contentSize": str(snakefile.stat().st_size),
        "sha256": digest,
        "license": license_,
        "citation": article,
        "codeRepository": web,
        "url": web,
        "version": commit,
    }
    instrument = made_of.add_workflow(
        _in_web(web, commit, "Snakefile") if web else _named_by_hash(digest),
        main=bool(web),
        lang="snakemake",
        lang_version=run["software"]["snakemake"],
        properties={key: value for key, value in properties.items() if value},
    )
    objects = [
        file(
            each["path"],
            name=Path(each["path"]).name,
            contentSize=str(each["bytes"]),
            sha256=each["sha256"],
            url=each["url"] or _named_by_hash(each["sha256"]),
        )
        for each in run["inputs"]
    ]
    config = file(outdir / "config.yaml", name="Config, as it was given")
    provenance = file(
        outdir / "provenance.json",
        name="Provenance",
        description="Workflow, config, inputs, software, hardware, and each job's time and memory",
    )
    shown = [file(path, name=_title(path)) for path in sorted(results)]
    action = made_of.add_action(
        instrument,
        identifier="#run",
        object=[config, *objects],
        result=[*shown, provenance],
        properties={
            "name": f"Run of {name}",
            "description": f"Jobs: {len(run['jobs'])}, of {run['total']['seconds']:.0f} s in all."
            + " Files of the workflow had uncommitted changes." * bool(run["workflow"]["modified"]),
            "endTime": made,
        },
    )
    crate_root = made_of.root_dataset
    made_of.name = f"Results of {name}"
    made_of.description = (
        f"Figures and tables that the workflow made from this crate's config and inputs. The "
        f"workflow reproduces: {paper['title']}."
    )
    made_of.license = license_
    crate_root["datePublished"] = made
    crate_root["citation"] = article
    crate_root["mentions"] = action
    profiles = [
        context(profile, "CreativeWork", name=title, version=version)
        for profile, (title, version) in PROFILES.items()
    ]
    crate_root["conformsTo"] = profiles if web else profiles[0]
    return made_of


def _git(root: Path, *arguments: str) -> str | None:
    """Returns the output of a git command, or None if git is missing or the command fails."""
    try:
        command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _is_remote(url: str) -> bool:
    return "://" in url.replace("file://", "") or bool(re.match(r"[\w.-]+@[\w.-]+:", url))


def _web(repository: str | None) -> str | None:
    """Returns the web address of a repository, which may have been cloned by SSH, or None."""
    if repository is None:
        return None
    address = repository.removesuffix(".git")
    if by_ssh := re.match(r"(?:ssh://|[\w.-]+@)([\w.-]+)(?::\d+/|[:/])(.+)", address):
        address = "https://{}/{}".format(*by_ssh.groups())
    return address if address.startswith(("http://", "https://")) else None


def _in_web(repository: str, commit: str, file: str) -> str:
    """Returns the URL of a file at a commit."""
    raw = "-/raw" if "gitlab" in repository else "raw"
    return f"{repository}/{raw}/{commit}/{file}"


def _citation(root: Path) -> dict:
    return yaml.safe_load((root / "CITATION.cff").read_text())


def _pins(path: Path) -> list[str]:
    """Returns the pinned dependencies of a conda environment, with pip's packages last."""
    pins = []
    for entry in yaml.safe_load(path.read_text())["dependencies"]:
        pins += entry["pip"] if isinstance(entry, dict) else [entry]
    return pins


def _number(text: str) -> float | None:
    """Returns a number of a benchmark file, or None for NA or -, which mean "not measured"."""
    return None if text in ("NA", "-", "") else float(text)


def _named_by_hash(digest: str) -> str:
    """Returns the URI that names a file by its SHA-256 (RFC 6920)."""
    coded = base64.urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip("=")
    return f"ni:///sha-256;{coded}"


def _title(path: Path) -> str:
    """Returns the title of a result file: `figureS1.tsv` -> "Figure S1, numbers"."""
    words = re.sub(r"(?<=figure|.table)(?=S?\d)", " ", path.stem.replace("_", " "))
    numbers = path.suffix == ".tsv" and path.with_suffix(".pdf").exists()
    return words[0].upper() + words[1:] + (", numbers" if numbers else "")
