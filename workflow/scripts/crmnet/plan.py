"""Derives from a checked config where its files are, which models are trained, which models
predict, and what the figures show. The rules read the plan, and the config itself stays
unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crmnet.data.flanks import ADD
from crmnet.data.predictions import RELEASED as RELEASED
from crmnet.data.web import file_name
from crmnet.models.origin import PRETRAINED as PRETRAINED

CRMNET = "crmnet"
# The name of a predictor that stands for a model's published predictions, not for a training.
PUBLISHED = "{model}-published"
# The name of a predictor that averages the predictions of a model's trainings from several seeds.
ENSEMBLE = "{model}-ensemble"
# The tables and maps that `rule score_predictions` can make, in score/.
SCORES = {
    **{"predictions": "predictions.tsv", "variants": "variants.tsv"},
    **{"saliency": "saliency.tsv", "maps": "saliency.npz"},
}
# The tables of each medium that `rule simulate` makes.
SIMULATED = {"train": "train.tsv.gz", "native": "native.csv", "random": "random.csv"}
# The maps that can stand beside the paper's (`attributions.METHODS`, which needs a framework).
MAPS = ("corrected", "integrated", "smooth", "mutagenesis")
# The figures of measured against predicted expression, and the figures of the motif jobs.
SCATTERS = ("figure2", "figureS1")
MOTIF_FIGURES = ("figure5", "figureS2", "figure_sanity")
# The figures that the section `figures` of a config can have.
FIGURES = (*SCATTERS, "figure3", "figure4")
# The settings of a recipe that decide how long a training step takes.
STEP_KEYS = ("weight_decay", "ema", "reverse_complement", "synchronized", "steps_per_execution")
# The keys of a table that say how it is read.
READ_KEYS = (
    *("header", "columns", "separator", "comment", "where", "transform", "missing", "flanks"),
)
# The table that `rule hold_out` writes, in `outdir`.
HELD_OUT = "data/{medium}/held_out/{test_set}.tsv"
# The table of a fold of the cross-validation, in `outdir`, and the name of its test set. No other
# test set has a name with a space.
FOLD_TABLE = "folds/{fold}/data/{medium}/test.tsv"
FOLD_SET = "fold {fold}"


@dataclass(frozen=True)
class Plan:
    """What the workflow does with a config.

    Attributes:
        config: a config that `configuration.checked` has returned.
    """

    config: dict

    # Files

    def simulated(self, *parts: str) -> Path:
        """Returns the folder of the simulated tables, or a path in it."""
        return Path(self.config["outdir"], "simulated", *parts)

    def path(self, entry: dict) -> str:
        """Returns the path of the file of a table or an archive.

        Raises:
            DownloadError: the entry is a URL that names no file.
        """
        file = entry["file"]
        if is_url(file):
            return str(Path(self.config["resources"], entry.get("saved_as") or file_name(file)))
        return str(Path(file))

    @cached_property
    def downloads(self) -> dict[str, dict]:
        """The path of each download -> its entry in the config."""
        entries = [entry for _, entry in declared(self.config)]
        return {self.path(entry): entry for entry in entries if is_url(entry["file"])}

    @cached_property
    def files(self) -> list[str]:
        """The paths of the tables and archives that the config declares, of held-out test sets,
        and of a file of known motifs."""
        held_out = [
            self.test_tables(medium)[name]["path"]
            for medium in self.config["media"]
            for name in self.held_out(medium)
        ]
        declared_ = (self.path(entry) for _, entry in declared(self.config))
        return [*declared_, *held_out, *map(str, self.known_motifs)]

    @property
    def known_motifs(self) -> list[Path]:
        """The user's file of known motifs; empty if they come from JASPAR, or are not used."""
        known = (self.config["motifs"] or {}).get("known")
        return [Path(known)] if isinstance(known, str) else []

    def given_files(self) -> Iterator[tuple[str, Path]]:
        """Yields the files and folders that a run reads but does not write, each with its key in
        the config: local tables and archives, downloads in `mirror`, and tables to score."""
        for key, entry in declared(self.config):
            path = Path(self.path(entry))
            if is_url(entry["file"]):
                if self.config["mirror"]:
                    yield "mirror", Path(self.config["mirror"], path.name)
            elif self.simulated() not in path.parents:
                yield f"{key}.file", path
        yield from ((key, Path(file)) for key, file in self.scored_files().items())
        yield from (("motifs.known", path) for path in self.known_motifs)

    def scored_files(self) -> dict[str, str]:
        """Returns the files of the section `score`: key in the config -> file."""
        score = self.config["score"] or {}
        tables = ((key, score.get(key)) for key in ("sequences", "variants"))
        return {
            f"score.{key}.{name}": table[name]
            for key, table in tables
            if isinstance(table, dict)
            for name in ("file", "regions", "reference")
            if name in table
        }

    def sources(self) -> list[dict]:
        """Returns each file that the config declares: its `key` in the config, `url` (None for a
        local file), `path`, `checksum`, and `table` (`header` and `columns`; None for an
        archive)."""
        found = {}
        for key, entry in declared(self.config):
            path, url = self.path(entry), entry["file"]
            found[path] = {
                "key": key,
                "url": url if is_url(url) else None,
                "path": path,
                "checksum": entry.get("checksum"),
                "table": self._table(key, entry) if "columns" in entry else None,
            }
        return list(found.values())

    def train_tables(self, medium: str, by: str | int | None = None) -> list[dict]:
        """Returns how each training table of a medium is read and what it must fit, and the further
        columns that decide what its rows are for, with one more if it is given (`by`).
        These are the keys that jobs read, so no job runs again when another key changes."""
        further = self._labels(medium, by)
        tables = self.config["media"][medium]["train"]
        return [self._measured(medium, table) | further for table in tables]

    def _labels(self, medium: str, by: str | int | None) -> dict[str, list]:
        columns = dict.fromkeys([*self.columns_of_draws(medium), by])
        columns = [column for column in columns if column not in (None, "split")]
        return {"by": columns} if columns else {}

    def test_tables(self, medium: str) -> dict[str, dict]:
        """Returns how each test set is read and what it must fit, by name."""
        entry, tables = self.config["media"][medium], {}
        for name, table in entry["test"].items():
            if "held_out" not in table:
                tables[name] = self._measured(medium, table)
                continue
            tables[name] = self._made_table(medium, HELD_OUT.format(medium=medium, test_set=name))
        return tables

    def _made_table(self, medium: str, path: str) -> dict:
        """Returns how a table is read that `rule hold_out` makes."""
        columns = {"sequence": "sequence", "expression": "expression"}
        if self.by_families(medium):
            columns["family"] = "family"
        return {"path": str(Path(self.config["outdir"], path)), "header": True, "columns": columns}

    def held_out(self, medium: str) -> dict[str, float | dict]:
        """Returns the test sets that are held out of the training tables -> how they are drawn (see
        `splits.Draw`)."""
        tests = self.config["media"][medium]["test"]
        return {name: table["held_out"] for name, table in tests.items() if "held_out" in table}

    def by_families(self, medium: str) -> bool:
        """Tells whether relatives in the training tables of a medium are searched for."""
        return self.config["media"][medium]["split"] == "families"

    def by_column(self, medium: str) -> dict[str, str | int]:
        """Returns the test sets that a column of the training tables decides -> the column."""
        return {
            name: given["by"]
            for name, given in self.held_out(medium).items()
            if isinstance(given, dict) and given.get("by", "family") != "family"
        }

    def columns_of_draws(self, medium: str) -> list[str | int]:
        """Returns the columns of a medium's training tables, besides `columns`, that decide what a
        row is for; "split" stands for the column of that name in `columns`."""
        entry = self.config["media"][medium]
        columns = [*self.by_column(medium).values()]
        columns.append(entry.get("validation", {}).get("by", "family"))
        if any("split" in table["columns"] for table in entry["train"]):
            columns.append("split")
        return [column for column in dict.fromkeys(columns) if column != "family"]

    @cached_property
    def split_media(self) -> list[str]:
        """The media whose rows a table of purposes splits (`rule split`), because families or a
        column decide. In other media, a hash of each sequence decides.

        With pre-training, it splits all media or none, so that a sequence has one purpose."""
        media = self.config["media"]
        split = [
            medium
            for medium, entry in media.items()
            if self.by_families(medium) or self.columns_of_draws(medium) or "validation" in entry
        ]
        together = any(model["pretrain"] for model in self.config["models"].values())
        return list(media) if split and together else split

    # Cross-validation

    @cached_property
    def folds(self) -> list[int]:
        """The numbers of the folds of the cross-validation; empty without one."""
        section = self.config["cross_validation"]
        return list(range(1, section["folds"] + 1)) if section else []

    @property
    def column_of_folds(self) -> str | int | None:
        """The column whose values are dealt to the folds; None if families are."""
        by = (self.config["cross_validation"] or {}).get("by", "family")
        return None if by == "family" else by

    def fold_table(self, medium: str, fold: int | str) -> dict[str, dict]:
        """Returns the test set of a fold in a medium -> how its table is read."""
        path = FOLD_TABLE.format(fold=fold, medium=medium)
        return {FOLD_SET.format(fold=fold): self._made_table(medium, path)}

    def _as_read(self, table: dict) -> dict:
        """Returns what a job reads of a table's entry: its `path` and keys of `READ_KEYS`; and
        `on_bad_rows`, if bad rows are dropped."""
        read = {"path": self.path(table)} | {key: table[key] for key in READ_KEYS if key in table}
        drop = self.config["data"]["on_bad_rows"] == "drop"
        return read | ({"on_bad_rows": "drop"} if drop else {})

    def _table(self, key: str, entry: dict) -> dict:
        """Returns the table of an entry of `declared`, as its job reads it."""
        _, medium, kind, *place = key.split(".")
        if len(place) > 1:
            return self._predicted(entry)
        further = self._labels(medium, self.column_of_folds) if kind == "train" else {}
        return self._measured(medium, entry) | further

    def _predicted(self, table: dict) -> dict:
        """Returns a table of published predictions. Its sequences are compared with measured ones,
        so it needs the construct only to add flanks."""
        added = table.get("flanks") == ADD
        return self._as_read(table) | ({"construct": self.config["construct"]} if added else {})

    def _measured(self, medium: str, table: dict) -> dict:
        """Returns a table of measurements, which are compared with the construct."""
        return self._as_read(table) | {
            "construct": self.config["construct"],
            "longer": self.config["media"][medium]["longer"],
        }

    # Models and trainings

    def architecture(self, model: str) -> dict:
        """Returns the name of a model's `architecture` and the arguments of its builder.

        CRMnet takes the keys of `model`, overridden by the model's own, and the bins of its recipe.
        Any other architecture takes the width.
        """
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
        """Returns the name of a model's recipe: its own, or the one of the top-level `recipe`."""
        return self.config["models"][model].get("recipe", self.config["recipe"])

    def precision(self, model: str) -> str:
        """Returns the precision in which a model is trained: its own, or the one in `training`."""
        own = self.config["models"][model]
        return own.get("precision", self.config["training"]["precision"])

    def recipe(self, model: str, stage: str) -> dict:
        """Returns the keys of `training` that affect the trained model, for one stage (`pretrain`,
        `finetune` or `scratch`) of a model.

        A key may be set in `training`, in the model's recipe, in the stage in `training` and in the
        stage in the recipe. The last of these that has the key decides.
        """
        base, over = self.config["training"], self.config["recipes"][self.recipe_name(model)]
        merged = base | over
        merged |= base["stages"].get(stage, {}) | over.get("stages", {}).get(stage, {})
        merged["precision"] = self.precision(model)
        return {k: v for k, v in merged.items() if k not in ("bins", "stages", "threads", "mem_mb")}

    def step(self, model: str, stage: str) -> dict:
        """Returns what decides how long a training step takes: `architecture`, `precision`,
        `batch_size` of one device, and the keys `STEP_KEYS` of the `recipe`."""
        recipe = self.recipe(model, stage)
        return {
            "architecture": self.architecture(model),
            "precision": recipe["precision"],
            "batch_size": recipe["batch_size"],
            "recipe": {key: recipe[key] for key in STEP_KEYS},
        }

    def hardware(self) -> dict:
        """Returns the keys of `training` that a prediction depends on."""
        return {key: self.config["training"][key] for key in ("backend", "device", "precision")}

    def stages(self, model: str) -> tuple[str, ...]:
        """Returns the stages of a model's training, by their names in `training: stages`."""
        pretrained = self.config["models"][model]["pretrain"]
        return ("pretrain", "finetune") if pretrained else ("scratch",)

    def stage_kind(self, model: str, stage: str) -> str:
        """Returns which of `stages` a training belongs to; `stage` is `PRETRAINED` or a medium."""
        return "pretrain" if stage == PRETRAINED else self.stages(model)[-1]

    def seeds(self, model: str) -> list[int]:
        """Returns the seeds of a model, which is trained once for each of them."""
        return self.config["models"][model].get("seeds", self.config["seeds"])

    def budget(self, model: str) -> dict[str, dict[str, int]] | None:
        """Returns the epochs and batch size of the two stages whose number of steps a model with
        `equal_steps` matches, those of pre-training and fine-tuning. None for any other model."""
        if not self.config["models"][model].get("equal_steps"):
            return None
        stages = {stage: self.recipe(model, stage) for stage in ("pretrain", "finetune")}
        return {
            stage: {key: keys[key] for key in ("epochs", "batch_size")}
            for stage, keys in stages.items()
        }

    def released(self, model: str) -> list[str]:
        """Returns the media in which a model takes the authors' weights. With `weights: released`,
        the complete CRMnet takes them in each medium of `released`; other models take none."""
        config, own = self.config, self.config["models"][model]
        # A model with other settings is in the config to show their effect, so it is trained.
        changed = {*config["model"], "precision"} & set(own)
        changed = changed or self.recipe_name(model) != config["recipe"]
        whole = own["architecture"] == CRMNET and own["pretrain"] and not changed
        return list(config["released"]) if whole and config["weights"] == "released" else []

    @cached_property
    def trainings(self) -> list[tuple[str, int, str]]:
        """The trainings that the predictions need: model, seed, and stage (`PRETRAINED` or a
        medium)."""
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
        """Returns the test sets of a medium on which a trained model predicts. CRMnet predicts all.
        With `baselines: published`, a baseline predicts only the test sets for which it has no
        published predictions."""
        tests = self.config["media"][medium]["test"]
        crmnet = self.config["models"][model]["architecture"] == CRMNET
        if crmnet or self.config["baselines"] != "published":
            return list(tests)
        return [name for name, table in tests.items() if model not in table["published"]]

    def published_sets(self, model: str, medium: str) -> list[str]:
        """Returns the test sets of a medium for which a model's published predictions are shown."""
        if self.config["baselines"] == "trained":
            return []
        tests = self.config["media"][medium]["test"]
        return [name for name, table in tests.items() if model in table["published"]]

    def published_table(self, model: str, medium: str, test_set: str) -> dict:
        """Returns `path`, `header` and `columns` of a model's published predictions."""
        return self._predicted(self.config["media"][medium]["test"][test_set]["published"][model])

    @cached_property
    def predictors(self) -> dict[str, list[str]]:
        """Each predictor -> the media in which it has predictions. A predictor is a model, its
        ensemble if it is trained from several seeds (`ENSEMBLE`), or its published predictions
        (`PUBLISHED`)."""
        media_of = {}
        for model in self.config["models"]:
            predicted, published = (
                [medium for medium in self._needed_media(model) if sets(model, medium)]
                for sets in (self.predicted_sets, self.published_sets)
            )
            averaged = [medium for medium in predicted if medium not in self.released(model)]
            several = len(self.seeds(model)) > 1
            media_of[model] = predicted
            media_of[ENSEMBLE.format(model=model)] = averaged if several else []
            media_of[PUBLISHED.format(model=model)] = published
        return {name: media for name, media in media_of.items() if media}

    def _needed_media(self, model: str) -> list[str]:
        """Returns the media in which figures, motif jobs or scores need a model; all media for a
        model that none of them needs."""
        shown = set()
        for name, figure in self.config["figures"].items():
            if model in map(trained, (figure["model"], *figure.get("against", []))):
                shown.update(self.figure_media(name))
        for section in filter(None, (self.config["motifs"], self.config["score"])):
            if model == trained(section["model"]):
                shown.update([section["medium"]] if section["medium"] else self.config["media"])
        return [medium for medium in self.config["media"] if medium in shown or not shown]

    # Figures

    @cached_property
    def figures(self) -> list[str]:
        """The figures of the section `figures` that are drawn."""
        return [name for name in self.config["figures"] if name not in self.left_out]

    def figure_media(self, figure: str) -> list[str]:
        """Returns the media that a figure shows. Figure S1 has none if the config has only one
        medium."""
        return self.config["figures"][figure].get("media", [])

    def panels(self, figure: str) -> list[tuple[str, str]]:
        """Returns the medium and the test set of each panel of Figure 2, S1, 3 or 4."""
        return [
            (medium, name)
            for medium in self.figure_media(figure)
            if medium in self.config["media"]
            for name, table in self.config["media"][medium]["test"].items()
            if table["scatter"] or figure not in SCATTERS
        ]

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The figures and tables that cannot be made from this config -> the reason."""
        figures = self.config["figures"]
        absent = [name for name in FIGURES if name not in figures]
        reasons = dict.fromkeys(absent, "the config does not ask for it (`figures`)")
        for name, figure in figures.items():
            media = self.figure_media(name)
            if not media:
                reasons[name] = "the config has only one medium, which Figure 2 shows"
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
    """Yields the key and the entry of each file that a config declares: tables of measurements and
    of published predictions, and archives of weights."""
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
    """Tells whether a `file` of the config is a URL, so that it is downloaded."""
    return file.lower().startswith(("http://", "https://"))


def trained(predictor: str) -> str:
    """Returns the model that a predictor is, or whose trainings it averages."""
    return predictor.removesuffix(ENSEMBLE.format(model=""))


def is_published(predictor: str) -> bool:
    """Tells whether a predictor stands for the published predictions of a model."""
    return predictor.endswith(PUBLISHED.format(model=""))
