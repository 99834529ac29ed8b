"""The paper's config reads each public file in its own format."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from crmnet.configuration import checked
from crmnet.data.published import join
from crmnet.data.sequences import letters
from crmnet.data.tables import read, table_of
from crmnet.plan import Plan, declared, is_url

PAPER = yaml.safe_load((Path(__file__).parents[3] / "config" / "config.yaml").read_text())
LEFT, RIGHT = PAPER["construct"]["left_flank"], PAPER["construct"]["right_flank"]
ROWS = 5
# The first lines of the files, as they are published; None: the first line is a row.
WITH_PREDICTIONS = ",sequence,Measured Expression,Predicted Expression"
HEADERS = {
    "complex_media_training_data_Glu.txt": None,
    "defined_media_training_data_SC_Ura.txt": None,
    "LegNet_complex_Native.txt": None,
    "LegNet_defined_Native.txt": None,
    "All_promoter_fragments_Native.csv": ",seq110,Measured Expression",
    "Random_defined.csv": ",seq110,expt,meanEL,proTotal,representation,sdEL,relativeSD,sdScale,"
    "origID,edvPred,tiling,baseSeq,motif,positionSpike,isRC,designed,designedCond,designedDir,"
    "designedID,designedSNPDEV,designedSNPDEVMin,mutDesc,ED,gini,HQ,rand,randMut,native,nativeGene,"
    "nativeProPart,nativeMut,trajectory,trajDir,trajOpt,Measured Expression,Predicted Expression",
    **dict.fromkeys(
        ["Native_complex.csv", "Native_defined.csv", "Random_complex.csv"], WITH_PREDICTIONS
    ),
    **dict.fromkeys(
        [
            *(
                f"{kind}_test_{model}_model.csv"
                for kind in ("Native", "Random")
                for model in ("tpu", "gpu", "DanQ", "DeepSEA", "DeepAtt")
            ),
            *(
                f"{kind}_test_{model}_model_defined_media.csv"
                for kind in ("Native", "Random")
                for model in ("tpu", "gpu")
            ),
            *(
                f"Native_allchunks_test_{model}_model.csv"
                for model in ("tpu", "gpu", "DanQ", "DeepSEA", "DeepAtt")
            ),
        ],
        WITH_PREDICTIONS,
    ),
}


@pytest.fixture(scope="module")
def inserts():
    random = np.random.default_rng(1)
    return ["".join(random.choice(list("ACGT"), 80)) for _ in range(ROWS)]


@pytest.fixture(scope="module")
def mirror(inserts, tmp_path_factory):
    """A folder with the first lines of every public file; the sequences are made up."""
    folder = tmp_path_factory.mktemp("mirror")
    for name, header in HEADERS.items():
        lines = []
        for row, insert in enumerate(inserts):
            sequence = f"{LEFT}{insert}{RIGHT}"
            if name.startswith("Random") and "defined" not in name:
                # Shorter sequences of this set are padded with N on the left, and some lack a part
                # of the flank.
                sequence = f"NNN{sequence[0 if row else 3 :]}"
            if header is None:
                lines.append(f"{sequence}\t{row + 0.5}")
                continue
            cells = {
                "": row,
                "sequence": sequence,
                "seq110": sequence,
                "Measured Expression": row + 0.5,
                "Predicted Expression": row + 0.5,
            }
            lines.append(",".join(str(cells.get(column, "False")) for column in header.split(",")))
        text = [header] if header else []
        (folder / name).write_text("\n".join([*text, *lines, ""]))
    return folder


@pytest.fixture(scope="module")
def plan(mirror):
    """The plan of the paper's config, with the mirror's folder as the folder of its downloads."""
    config = checked({**PAPER, "mirror": str(mirror), "resources": str(mirror)})
    assert all(is_url(entry["file"]) for _, entry in declared(config))
    return Plan(config)


def test_the_config_declares_each_public_file(plan):
    used = {Path(path).name for path in plan.files}
    assert used - set(HEADERS) == {"crmnet_released.archive"}
    assert set(HEADERS) <= used


@pytest.mark.parametrize("medium", ["complex", "defined"])
def test_the_config_reads_each_public_file(plan, inserts, medium):
    tests = plan.test_tables(medium)
    for table in [*plan.train_tables(medium), *tests.values()]:
        tokens, values = read(table_of(table), 112)
        assert [letters(row).removesuffix(RIGHT)[-80:] for row in tokens] == inserts
        np.testing.assert_array_equal(values["expression"], np.arange(ROWS) + 0.5)
    for name, table in tests.items():
        tokens, _ = read(table_of(table), 112)
        for model in plan.config["media"][medium]["test"][name]["published"]:
            published = table_of(plan.published_table(model, medium, name))
            found = join([letters(row) for row in tokens], published, 112)
            np.testing.assert_array_equal(found, np.arange(ROWS) + 0.5)
