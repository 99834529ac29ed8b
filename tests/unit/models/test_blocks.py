"""The blocks of CRMnet against the model that they describe, and their drawing."""

import itertools

import pandas as pd
import pytest
from configs import MODEL
from matplotlib.backends.backend_agg import FigureCanvasAgg

pytest.importorskip("keras")

from crmnet.models.architectures.crmnet import crmnet
from crmnet.models.blocks import COLUMNS, blocks
from crmnet.report import model_diagram

SMALL = {"width": 16, "heads": 2}
VARIANTS = {
    "full": {},
    "released": {"flavour": "released", **SMALL},
    "without transformer": {"transformer": False, **SMALL},
    "without SE": {"squeeze_excitation": False, **SMALL},
    "three blocks": {"transformer_blocks": 3, "kernel_size": 7, **SMALL},
    "twelve blocks": {"transformer_blocks": 12, "length": 160, **SMALL},
}


@pytest.fixture(scope="module")
def models():
    return {name: crmnet(**MODEL | arguments) for name, arguments in VARIANTS.items()}


@pytest.fixture(scope="module")
def tables(models):
    return {name: blocks(model) for name, model in models.items()}


def rows(table, kind):
    return table[table["kind"] == kind].set_index("block")


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_sum_to_the_models(models, tables, variant):
    assert tuple(tables[variant].columns) == COLUMNS
    assert tables[variant]["parameters"].sum() == models[variant].count_params()


def test_the_full_model_is_the_papers(tables):
    table = tables["full"]
    assert table["parameters"].sum() == 34_170_289
    assert list(table["block"]) == [
        "input",
        *(f"encoder_{n}" for n in range(1, 5)),
        "position",
        *(f"transformer_{n}" for n in range(1, 9)),
        *(f"decoder_{n}" for n in range(1, 4)),
        "se_block",
        "mlp",
        "expression",
    ]
    encoders = rows(table, "encoder")
    assert list(encoders["positions"]) == [112, 56, 28, 14]
    assert list(encoders["channels"]) == [128, 128, 256, 256]
    assert list(rows(table, "decoder")["positions"]) == [28, 56, 112]
    assert set(rows(table, "transformer")["channels"]) == {256}
    assert list(rows(table, "mlp")["channels"]) == [32, 1]
    first = table.set_index("block").loc["input"]
    assert (first["positions"], first["channels"]) == (112, 5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_positions_halve_and_double(tables, variant):
    length = VARIANTS[variant].get("length", 112)
    halved = [length >> level for level in range(4)]
    assert list(rows(tables[variant], "encoder")["positions"]) == halved
    assert list(rows(tables[variant], "decoder")["positions"]) == halved[2::-1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_skips_join_blocks_of_one_resolution(tables, variant):
    table = tables[variant].set_index("block")
    skips = table["skip"][table["skip"] != ""]
    assert dict(skips) == {
        "decoder_1": "encoder_3",
        "decoder_2": "encoder_2",
        "decoder_3": "encoder_1",
    }
    assert (table.loc[skips, "positions"].array == table.loc[skips.index, "positions"].array).all()


@pytest.mark.parametrize(
    ("variant", "pairs"),
    [
        ("full", {3: 2, 5: 4, 7: 6}),
        ("three blocks", {3: 2}),
        ("twelve blocks", {3: 2, 5: 4, 7: 6, 9: 8, 11: 10}),
        ("without transformer", {}),
    ],
)
def test_transformer_blocks_side_by_side(tables, variant, pairs):
    table = tables[variant].set_index("block")
    found = table["beside"][table["beside"] != ""]
    assert dict(found) == {f"transformer_{a}": f"transformer_{b}" for a, b in pairs.items()}


def test_without_transformer_there_is_none(tables):
    assert not set(tables["without transformer"]["kind"]) & {"transformer", "position"}


def test_layers_are_described_as_they_are(tables):
    def layers(variant, block):
        return tables[variant].set_index("block").loc[block, "layers"]

    assert layers("full", "encoder_1") == "2 × (Conv 11 → SE → BatchNorm) → Conv 11, stride 2"
    assert layers("full", "encoder_4") == "2 × (Conv 11 → SE → BatchNorm)"
    assert layers("without SE", "encoder_4") == "2 × (Conv 11 → BatchNorm)"
    assert layers("without SE", "se_block") == "3 × Conv 11"
    assert layers("three blocks", "se_block") == "3 × (Conv 7 → SE)"
    assert layers("full", "transformer_1") == (
        "Attention, 12 heads → Add → LayerNorm → Dense 128 → Dense 256 → Add → LayerNorm"
    )
    assert layers("full", "transformer_3") == layers("full", "transformer_1") + " → Add"
    assert layers("released", "position") == "Position encoding (multiply)"


def test_another_model_is_refused():
    import keras

    tokens = keras.Input((8,), name="tokens")
    model = keras.Model(tokens, keras.layers.Dense(1, name="other")(tokens))
    with pytest.raises(ValueError, match="other"):
        blocks(model)


@pytest.mark.parametrize(
    ("variant", "expression"),
    [
        *((variant, "expression") for variant in VARIANTS),
        ("full", "regulatory activity (log2 of RNA counts over DNA counts, mean of 3 replicates)"),
    ],
)
def test_figure_1_has_no_text_over_text_or_over_the_edge(tables, variant, expression, tmp_path):
    tsv = tmp_path / "figure1.tsv"
    tables[variant].to_csv(tsv, sep="\t", index=False)
    figure = model_diagram.draw(pd.read_csv(tsv, sep="\t"), expression)
    (axis,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [text for text in axis.texts if text.get_text()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    page = figure.bbox
    for text, box in zip(texts, boxes, strict=True):
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside, text.get_text()
    for (a, box_a), (b, box_b) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        # A line's box has room above and below its letters.
        box_a, box_b = box_a.padded(-0.5), box_b.padded(-0.5)
        assert not box_a.overlaps(box_b), (a.get_text(), b.get_text())
    shown = " ".join(text.get_text() for text in texts)
    assert f"{tables[variant]['parameters'].sum():,} parameters" in shown
    assert ("outputs are added" in shown) == (tables[variant]["beside"] != "").any()
