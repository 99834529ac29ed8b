"""What a checked config amounts to: where its files are, what is trained, what predicts, and what
the figures show. Rules read this; the config itself stays as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crmnet.data.downloads import file_name

PRETRAINED = "pretrained"
CRMNET = "crmnet"
# A predictor of this name is a model's published predictions, not one that is trained here.
PUBLISHED = "{model}-published"
# A predictor of this name is the mean of the predictions of a model's trainings from several seeds.
ENSEMBLE = "{model}-ensemble"
# The figures of measured against predicted expression, and those of the motif jobs.
SCATTERS = ("figure2", "figureS1")
MOTIF_FIGURES = ("figure5", "figureS2", "figure_sanity")
# The figures that the config's section of this name can have.
FIGURES = (*SCATTERS, "figure3", "figure4")
# The table that `rule hold_out` makes, in `outdir`.
HELD_OUT = "data/{medium}/held_out/{test_set}.tsv"


@dataclass(frozen=True)
class Plan:
    """What a config amounts to.

    Attributes:
        config: a config as `configuration.checked` returns it.
    """

    config: dict

    # Files

    def simulated(self, *parts: str) -> Path:
        """The folder of the simulated tables, or a path in it."""
        return Path(self.config["outdir"], "simulated", *parts)

    def path(self, entry: dict) -> str:
        """Where the workflow finds the file of a table or an archive.

        Raises:
            DownloadError: it is a URL that names no file.
        """
        file = entry["file"]
        if is_url(file):
            return str(Path(self.config["resources"], entry.get("saved_as") or file_name(file)))
        return str(Path(file))

    @cached_property
    def downloads(self) -> dict[str, dict]:
        """Path of each file that is downloaded -> its entry in the config."""
        entries = [entry for _, entry in declared(self.config)]
        return {self.path(entry): entry for entry in entries if is_url(entry["file"])}

    @cached_property
    def files(self) -> list[str]:
        """Paths of the tables and archives that the config declares, and of held-out test sets."""
        held_out = [
            self.test_tables(medium)[name]["path"]
            for medium in self.config["media"]
            for name in self.held_out(medium)
        ]
        return [*(self.path(entry) for _, entry in declared(self.config)), *held_out]

    def given_files(self) -> Iterator[tuple[str, Path]]:
        """The files and folders that a run reads and does not make, each with the key that names
        it: local tables and archives, what `mirror` has of the downloads, what is to be scored."""
        for key, entry in declared(self.config):
            path = Path(self.path(entry))
            if is_url(entry["file"]):
                if self.config["mirror"]:
                    yield "mirror", Path(self.config["mirror"], path.name)
            elif self.simulated() not in path.parents:
                yield f"{key}.file", path
        for key, table in (self.config["score"] or {}).items():
            if isinstance(table, dict) and "file" in table:
                yield f"score.{key}.file", Path(table["file"])

    def train_tables(self, medium: str) -> list[dict]:
        """`path`, `header` and `columns` of each training table of a medium: what a job reads of
        it. No job has to run again for another key, such as whether a test set is drawn."""
        return [self._as_read(table) for table in self.config["media"][medium]["train"]]

    def test_tables(self, medium: str) -> dict[str, dict]:
        """The same of each test set, by name."""
        entry, tables = self.config["media"][medium], {}
        for name, table in entry["test"].items():
            if "held_out" not in table:
                tables[name] = self._as_read(table)
                continue
            path = Path(self.config["outdir"], HELD_OUT.format(medium=medium, test_set=name))
            columns = {"sequence": "sequence", "expression": "expression"}
            if entry["split"] == "families":
                columns["family"] = "family"
            tables[name] = {"path": str(path), "header": True, "columns": columns}
        return tables

    def held_out(self, medium: str) -> dict[str, float]:
        """The test sets that are taken from the training tables -> share of their rows."""
        tests = self.config["media"][medium]["test"]
        return {name: table["held_out"] for name, table in tests.items() if "held_out" in table}

    def _as_read(self, table: dict) -> dict:
        return {"path": self.path(table), "header": table["header"], "columns": table["columns"]}

    # Models and trainings

    def architecture(self, model: str) -> dict:
        """The name of a model's `architecture`, and the arguments of its builder. CRMnet takes the
        keys of `model` with the model's own over them, and the bins of its recipe; any other
        architecture takes the width."""
        config, own = self.config, self.config["models"][model]
        name = own["architecture"]
        if name != CRMNET:
            return {"architecture": name, "width": own.get("width", config["model"]["width"])}
        arguments = config["model"] | {k: v for k, v in own.items() if k in config["model"]}
        bins = (config["training"] | config["recipes"][self.recipe_name(model)])["bins"]
        if self.released(model):
            arguments["flavour"] = "released"
        return {"architecture": name, **arguments, "bins": bins}

    def recipe_name(self, model: str) -> str:
        """The recipe of a model: its own, or that of all."""
        return self.config["models"][model].get("recipe", self.config["recipe"])

    def precision(self, model: str) -> str:
        """The precision in which a model is trained: its own, or that of `training`."""
        own = self.config["models"][model]
        return own.get("precision", self.config["training"]["precision"])

    def recipe(self, model: str, stage: str) -> dict:
        """The keys of `training` that change what is trained, as they are in one stage (`pretrain`,
        `finetune` or `scratch`) of a model. Of `training`, the model's recipe, the stage in
        `training` and the stage in the recipe, the last that has a key decides."""
        base, over = self.config["training"], self.config["recipes"][self.recipe_name(model)]
        merged = base | over
        merged |= base["stages"].get(stage, {}) | over.get("stages", {}).get(stage, {})
        merged["precision"] = self.precision(model)
        return {k: v for k, v in merged.items() if k not in ("bins", "stages", "threads", "mem_mb")}

    def hardware(self) -> dict:
        """The keys of `training` that a prediction depends on."""
        return {key: self.config["training"][key] for key in ("backend", "device", "precision")}

    def stages(self, model: str) -> tuple[str, ...]:
        """The stages of a model's training, by their names in `training: stages`."""
        pretrained = self.config["models"][model]["pretrain"]
        return ("pretrain", "finetune") if pretrained else ("scratch",)

    def stage_kind(self, model: str, stage: str) -> str:
        """Which of `stages` a training is: `stage` is `PRETRAINED` or a medium."""
        return "pretrain" if stage == PRETRAINED else self.stages(model)[-1]

    def seeds(self, model: str) -> list[int]:
        """The seeds of a model, which is trained once for each."""
        return self.config["models"][model].get("seeds", self.config["seeds"])

    def budget(self, model: str) -> dict[str, dict[str, int]] | None:
        """Epochs and batch size of both stages that a model with `equal_steps` would have if it
        were pre-trained: it has as many steps as these. None for any other model."""
        if not self.config["models"][model].get("equal_steps"):
            return None
        stages = {stage: self.recipe(model, stage) for stage in ("pretrain", "finetune")}
        return {
            stage: {key: keys[key] for key in ("epochs", "batch_size")}
            for stage, keys in stages.items()
        }

    def released(self, model: str) -> list[str]:
        """The media in which a model takes the authors' weights: with `weights: released`, those
        that have some, for the whole CRMnet."""
        config, own = self.config, self.config["models"][model]
        # A model that is trained in another way is there to show what that does.
        changed = {*config["model"], "precision"} & set(own)
        changed = changed or self.recipe_name(model) != config["recipe"]
        whole = own["architecture"] == CRMNET and own["pretrain"] and not changed
        return list(config["released"]) if whole and config["weights"] == "released" else []

    @cached_property
    def trainings(self) -> list[tuple[str, int, str]]:
        """Every training that the predictions need: model, seed, and stage, which is `PRETRAINED`
        or a medium."""
        needed = []
        for model, media in self.predictors.items():
            if model in self.config["models"]:
                media = [medium for medium in media if medium not in self.released(model)]
                pretrained = media and self.config["models"][model]["pretrain"]
                first = [PRETRAINED] if pretrained else []
                needed += [
                    (model, seed, stage) for seed in self.seeds(model) for stage in (*first, *media)
                ]
        return needed

    # Predictions

    def predicted_sets(self, model: str, medium: str) -> list[str]:
        """The test sets of a medium on which a model that is trained here predicts: all for CRMnet;
        for a baseline, with `baselines: published`, those for which no predictions of it are
        published."""
        tests = self.config["media"][medium]["test"]
        crmnet = self.config["models"][model]["architecture"] == CRMNET
        if crmnet or self.config["baselines"] != "published":
            return list(tests)
        return [name for name, table in tests.items() if model not in table["published"]]

    def published_sets(self, model: str, medium: str) -> list[str]:
        """The test sets of a medium for which a model's published predictions are shown."""
        if self.config["baselines"] == "trained":
            return []
        tests = self.config["media"][medium]["test"]
        return [name for name, table in tests.items() if model in table["published"]]

    def published_table(self, model: str, medium: str, test_set: str) -> dict:
        """`path`, `header` and `columns` of a model's published predictions."""
        return self._as_read(self.config["media"][medium]["test"][test_set]["published"][model])

    @cached_property
    def predictors(self) -> dict[str, list[str]]:
        """What has predictions -> in which media. A predictor is a model, its ensemble (`ENSEMBLE`)
        where it is trained from several seeds, or its published predictions (`PUBLISHED`)."""
        media_of = {}
        for model in self.config["models"]:
            predicted, published = (
                [medium for medium in self.config["media"] if sets(model, medium)]
                for sets in (self.predicted_sets, self.published_sets)
            )
            averaged = [medium for medium in predicted if medium not in self.released(model)]
            several = len(self.seeds(model)) > 1
            media_of[model] = predicted
            media_of[ENSEMBLE.format(model=model)] = averaged if several else []
            media_of[PUBLISHED.format(model=model)] = published
        return {name: media for name, media in media_of.items() if media}

    # Figures

    @cached_property
    def figures(self) -> list[str]:
        """The figures of the config's section of this name that are drawn."""
        return [name for name in self.config["figures"] if name not in self.left_out]

    def figure_media(self, figure: str) -> list[str]:
        """The media that a figure shows. There are none for Figure S1 where a config has but one
        medium."""
        return self.config["figures"][figure].get("media", [])

    def panels(self, figure: str) -> list[tuple[str, str]]:
        """Medium and test set of each panel of Figure 2, S1, 3 or 4."""
        return [
            (medium, name)
            for medium in self.figure_media(figure)
            if medium in self.config["media"]
            for name, table in self.config["media"][medium]["test"].items()
            if table["scatter"] or figure not in SCATTERS
        ]

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The figures and tables that this config's data or models do not suffice for -> why."""
        figures = self.config["figures"]
        absent = [name for name in FIGURES if name not in figures]
        reasons = dict.fromkeys(absent, "the config does not ask for it (`figures`)")
        for name, figure in figures.items():
            media = self.figure_media(name)
            if not media:
                reasons[name] = "the config has no medium besides that of Figure 2"
            elif name in SCATTERS and not self.panels(name):
                reasons[name] = f"no test set of {', '.join(media)} is drawn (`scatter: false`)"
            elif not figure.get("against", True):
                reasons[name] = f"there is no model to compare {figure['model']} with (`against`)"
        if not self.config["motifs"]:
            reasons |= dict.fromkeys(MOTIF_FIGURES, "there are no motif jobs (`motifs: null`)")
        if not self.config["benchmark"]:
            reasons["table1"] = "no training times are measured (`benchmark: null`)"
        return reasons


def declared(config: dict) -> Iterator[tuple[str, dict]]:
    """Each file that a config declares, as the key and the entry: tables of measurements and of
    published predictions, and archives of weights."""
    for medium, entry in config["media"].items():
        for number, table in enumerate(entry["train"]):
            yield f"media.{medium}.train.{number}", table
        for name, table in entry["test"].items():
            if "file" in table:
                yield f"media.{medium}.test.{name}", table
            for model, predictions in table["published"].items():
                yield f"media.{medium}.test.{name}.published.{model}", predictions
    for medium, archive in config["released"].items():
        yield f"released.{medium}", archive


def is_url(file: str) -> bool:
    """Whether a table's `file` is to be downloaded."""
    return file.lower().startswith(("http://", "https://"))


def trained(predictor: str) -> str:
    """The model whose trainings a predictor is, or averages."""
    return predictor.removesuffix(ENSEMBLE.format(model=""))


def is_published(predictor: str) -> bool:
    """Whether a predictor is the published predictions of a model."""
    return predictor.endswith(PUBLISHED.format(model=""))
