"""Regions of a genome and the variants in them, against changes of the whole genome."""

import gzip
import os

import numpy as np
import pytest

from crmnet.data import variants
from crmnet.data.delimited import TableError
from crmnet.data.genome import cut
from crmnet.data.refused import OUTSIDE, VARIANT, Refused
from crmnet.data.sequences import Construct

CONSTRUCT = Construct("TTGCA", "GGA", 40, 64)
HEADER = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
GENOME = {"chr1": "ACGTTGCAAGGCTTAACCGT", "chr2": "NNACGTACGTTTGGCCAANN"}


def opposite(sequence):
    return "".join("TGCAN"["ACGTN".index(letter)] for letter in reversed(sequence))


def reference(folder, genome, width=7):
    path = folder / "genome.fa"
    lines = []
    for name, sequence in genome.items():
        lines.append(f">{name} of a yeast")
        lines += [sequence[at : at + width] for at in range(0, len(sequence), width)]
    path.write_text("\n".join(lines) + "\n")
    return path


def regions_of(folder, bed, genome=GENOME, refused=None, flanks="add"):
    (folder / "regions.bed").write_text(bed)
    path = reference(folder, genome)
    entry = {"regions": folder / "regions.bed", "reference": path, "flanks": flanks}
    return variants.read_sequences(entry, CONSTRUCT, refused or Refused(), folder)


def called(folder, lines, sequences, regions, refused=None):
    (folder / "calls.vcf").write_text(HEADER + "".join(f"{line}\n" for line in lines))
    entry = {"file": folder / "calls.vcf"}
    refused = refused or Refused()
    return list(variants.read_variants(entry, sequences, regions, CONSTRUCT, "add", refused))


def error_of(what, *arguments, **options):
    with pytest.raises(TableError) as error:
        what(*arguments, **options)
    return str(error.value)


def minimal(position, ref, alt):
    """The changed bases of the genome, from start to end, from 0."""
    start, end = position - 1, position - 1 + len(ref)
    while ref and alt and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    while ref and alt and ref[-1] == alt[-1]:
        end, ref, alt = end - 1, ref[:-1], alt[:-1]
    return start, end


@pytest.mark.parametrize("seed", range(4))
def test_a_variant_is_the_change_of_the_whole_genome(tmp_path, seed):
    random = np.random.default_rng(seed)

    def bases(number):
        return "".join(random.choice([*"ACGT"], number))

    genome = {name: bases(150) for name in ("I", "II")}
    spans = {}
    for number in range(25):
        start = int(random.integers(0, 120))
        end = min(150, start + int(random.integers(2, 40)))
        spans[f"r{number}"] = (str(random.choice([*genome])), start, end, "+-"[number % 2])
    bed = "".join(
        f"{c}\t{s}\t{e}\t{name}\t0\t{strand}\n" for name, (c, s, e, strand) in spans.items()
    )
    refused = Refused()
    sequences, regions = regions_of(tmp_path, bed, genome)
    changes = set()
    for chromosome, sequence in genome.items():
        for position in range(1, 150):
            size = int(random.integers(1, 6))
            ref = sequence[position - 1 : position - 1 + size]
            kinds = [ref[0] + bases(int(random.integers(0, 4))), bases(size), bases(2)]
            for alt in kinds:
                if alt != ref:
                    changes.add((chromosome, position, ref, alt))
    changes = sorted(changes)
    lines = [f"{c}\t{p}\t.\t{r}\t{a}\t.\tPASS\t." for c, p, r, a in changes]
    found = {}
    # Two ways to write a change are the same variant of a region.
    refused = Refused(drop=True)
    for variant in called(tmp_path, lines, sequences, regions, refused):
        found[variant.id, variant.genome] = variant
    combinations = set()
    for chromosome, position, ref, alt in changes:
        start, end = minimal(position, ref, alt)
        sequence = genome[chromosome]
        changed = sequence[: position - 1] + alt + sequence[position - 1 + len(ref) :]
        for name, (of, low, high, strand) in spans.items():
            key = name, f"{chromosome}:{position}:{ref}:{alt}"
            inside = of == chromosome and low <= start and end <= high
            if not inside:
                assert key not in found
                continue
            insert = changed[low : high + len(alt) - len(ref)]
            insert = insert if strand == "+" else opposite(insert)
            whole = CONSTRUCT.left_flank + insert + CONSTRUCT.right_flank
            if not insert:
                assert key not in found
            elif key in found:
                assert found[key].whole == whole
                combinations.add((strand, np.sign(len(alt) - len(ref)), start == low, end == high))
            else:
                assert (name, whole) in {(v.id, v.whole) for v in found.values()}
    assert len(found) > 500 and len(combinations) > 17
    # Each is what its own columns say, too.
    placed = {each.id: each for each in sequences}
    for variant in found.values():
        before = placed[variant.id]
        change = variant.position, variant.ref, variant.alt
        again = variants.changed(before.sequence, *change)
        assert variants.place("", again, CONSTRUCT, "add").whole == variant.whole


def test_a_region_has_the_letters_of_its_strand(tmp_path):
    bed = (
        "track name=mine\n# a comment\nchr1\t0\t8\tfirst\t0\t+\nchr1\t2\t10\tsecond\t0\t-\n\n"
        "chr2\t0\t6\t.\t0\t.\nchr1 18 20\n"
    )
    sequences, regions = regions_of(tmp_path, bed)
    assert [placed.id for placed in sequences] == ["first", "second", "chr2:0-6", "chr1:18-20"]
    assert [placed.sequence for placed in sequences] == ["ACGTTGCA", "CTTGCAAC", "NNACGT", "GT"]
    assert (sequences[2].first, sequences[2].last) == (3, 6)
    assert regions[1] == ("chr1", 2, 10, "-")


@pytest.mark.parametrize("packed", [False, True])
def test_a_reference_that_cannot_be_written_beside(tmp_path, packed):
    folder = tmp_path / "shared"
    folder.mkdir()
    path = reference(folder, GENOME)
    if packed:
        path = folder / "genome.fa.gz"
        path.write_bytes(gzip.compress((folder / "genome.fa").read_bytes()))
        (folder / "genome.fa").unlink()
    (tmp_path / "regions.bed").write_text("chr1\t3\t9\n")
    (tmp_path / "mine").mkdir()
    (found,) = cut(tmp_path / "regions.bed", path, tmp_path / "mine")
    assert found.sequence == GENOME["chr1"][3:9]
    assert [each.name for each in folder.iterdir()] == [path.name]
    assert not list((tmp_path / "mine").iterdir())


def test_line_ends_and_lower_case_of_a_reference(tmp_path):
    (tmp_path / "regions.bed").write_bytes(b"b\t5\t9\r\na\t0\t3\r\n")
    (tmp_path / "genome.fa").write_bytes(b">a x\r\nacg\r\nTTA\r\nC\r\n>b\r\nCCAA\r\nNggT\r\nG")
    found = list(cut(tmp_path / "regions.bed", tmp_path / "genome.fa", tmp_path))
    assert [each.sequence for each in found] == ["GGTG", "ACG"]


def test_the_index_beside_a_reference_is_used_unless_it_is_older(tmp_path):
    path = reference(tmp_path, GENOME)
    (tmp_path / "regions.bed").write_text("other\t0\t4\n")
    index = tmp_path / "genome.fa.fai"
    index.write_text(f"other\t20\t{len('>chr1 of a yeast') + 1}\t7\t8\n")
    (found,) = cut(tmp_path / "regions.bed", path, tmp_path)
    assert found.sequence == "ACGT"
    os.utime(index, (0, 0))
    (found,) = cut(tmp_path / "regions.bed", path, tmp_path)
    assert "no chromosome other, but chr1, chr2" in found.fault


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1\t0\t4\ta", "no chromosome 1, but chr1, chr2; give the chromosomes the same names"),
        ("chr1\t0\t21\ta", "end 21 is not on chromosome chr1 of the reference, which has 20"),
        ("chr1\t4\t4\ta", "start 4 does not come before the end 4"),
        ("chr1\t-1\t4\ta", "begins with a chromosome, a start (from 0) and an end"),
        ("chr1\tgene\tx\ta", "begins with a chromosome, a start (from 0) and an end"),
        ("chr1", "begins with a chromosome, a start (from 0) and an end"),
        ("chr1\t0\t4\ta\t0\tx", "strand must be +, - or ., not 'x'"),
        ("chr1\t0\t5\tfirst", "line 1 has the same id"),
        ("chr2\t0\t2\ta", "no sequence"),
        ("chr1\t0\t5\ta\x1b[31m", "control or invisible character '\\x1b'"),
    ],
)
def test_bad_regions(tmp_path, line, said):
    message = error_of(regions_of, tmp_path, f"chr1\t0\t8\tfirst\n{line}\n")
    assert message.startswith(f"{tmp_path / 'regions.bed'}: 1 bad row(s):\n  line 2 (")
    assert said in message
    refused = Refused(drop=True)
    sequences, regions = regions_of(tmp_path, f"{line}\nchr1\t0\t8\tlast\n", refused=refused)
    assert sequences[-1].id == "last" and len(sequences) == len(regions)


def test_no_region_and_no_reference(tmp_path):
    assert "has no region" in error_of(regions_of, tmp_path, "# none\n")
    (tmp_path / "genome.txt").write_text("ACGT\n")
    assert "is not a FASTA file" in error_of(
        lambda: list(cut(tmp_path / "regions.bed", tmp_path / "genome.txt", tmp_path))
    )
    (tmp_path / "ragged.fa").write_text(">a\nAC\nGTT\nA\n>b\nA\n")
    assert "must have the same length" in error_of(
        lambda: list(cut(tmp_path / "regions.bed", tmp_path / "ragged.fa", tmp_path))
    )
    (tmp_path / "blank.fa").write_text(">a\nACGT\nACGT\n\n>b\nAC\nGTT\n\n\n\nA\n")
    assert "cannot be read as a reference" in error_of(
        lambda: list(cut(tmp_path / "regions.bed", tmp_path / "blank.fa", tmp_path))
    )
    (tmp_path / "twice.fa").write_text(">a\nAC\n>a\nGT\n")
    assert "another name" in error_of(
        lambda: list(cut(tmp_path / "regions.bed", tmp_path / "twice.fa", tmp_path))
    )


def test_names_and_genome_positions_are_kept(tmp_path):
    bed = "chr1\t2\t10\tplus\t0\t+\nchr1\t4\t12\tminus\t0\t-\n"
    sequences, regions = regions_of(tmp_path, bed)
    lines = ["chr1\t6\trs1\tG\tA,GTT", "chr1\t2\t.\tCG\tC", "chr1\t4\t.\tTT\tT"]
    found = called(tmp_path, lines, sequences, regions)
    assert [tuple(variant)[1:5] + tuple(variant)[6:] for variant in found] == [
        ("plus", 4, "G", "A", "rs1", "chr1:6:G:A"),
        ("minus", 7, "C", "T", "rs1", "chr1:6:G:A"),
        ("plus", 4, "G", "GTT", "rs1", "chr1:6:G:GTT"),
        ("minus", 6, "G", "GAA", "rs1", "chr1:6:G:GTT"),
        # The base before the deletion is not in the region.
        ("plus", 1, "GT", "T", "", "chr1:2:CG:C"),
        ("plus", 2, "TT", "T", "", "chr1:4:TT:T"),
        ("minus", 7, "CA", "C", "", "chr1:4:TT:T"),
    ]


def test_variants_outside_all_regions_are_listed_and_no_error(tmp_path):
    sequences, regions = regions_of(tmp_path, "chr1\t2\t10\tmine\n")
    lines = ["chr1\t5\t.\tT\tA", "chr1\t1\t.\tA\tC", "chr2\t5\t.\tG\tC", "chr1\t10\t.\tGG\tC"]
    with (tmp_path / "refused.tsv").open("w") as sink:
        refused = Refused(sink)
        (found,) = called(tmp_path, lines, sequences, regions, refused)
    assert found.position == 3 and refused.counts == {OUTSIDE: 3}
    rows = [line.split("\t") for line in (tmp_path / "refused.tsv").read_text().splitlines()]
    assert rows[0] == ["kind", "file", "place", "id", "reason"]
    assert [row[2] for row in rows[1:]] == ["line 4", "line 5", "line 6"]
    assert [row[4] for row in rows[1:]] == [
        "lies in no region",
        "lies in no region",
        "reaches beyond the region chr1:2-10",
    ]
    message = error_of(called, tmp_path, lines[1:], sequences, regions)
    assert "none of its 3 variants lies in a region" in message and "line 3" in message


def test_alleles_without_bases_outside_all_regions_are_no_error(tmp_path):
    sequences, regions = regions_of(tmp_path, "chr1\t2\t10\tmine\n")
    right, symbolic = "chr1\t5\t.\tT\tA", "{}\t{}\t.\t{}\t<DEL>,*"
    lines = [right, symbolic.format("chr1", 12, "C"), symbolic.format("chr2", 5, "N")]
    refused = Refused()
    assert len(called(tmp_path, lines, sequences, regions, refused)) == 1
    assert refused.counts == {OUTSIDE: 4}
    message = error_of(
        called, tmp_path, [right, symbolic.format("chr1", 6, "G")], sequences, regions
    )
    assert "2 bad row(s)" in message and "alt is '<DEL>', which has no letters" in message


def test_other_names_of_chromosomes_are_said(tmp_path):
    sequences, regions = regions_of(tmp_path, "chr1\t2\t10\tmine\n")
    message = error_of(called, tmp_path, ["1\t5\t.\tT\tA"], sequences, regions)
    assert "the file has chromosome 1, but the regions have chr1; give" in message
    sequences, regions = regions_of(tmp_path, "1\t2\t10\tmine\n", {"1": GENOME["chr1"]})
    message = error_of(called, tmp_path, ["chr1\t5\t.\tT\tA"], sequences, regions)
    assert "the file has chromosome chr1, but the regions have 1; give" in message


def test_a_reference_of_another_assembly_is_told(tmp_path):
    sequences, regions = regions_of(tmp_path, "chr1\t2\t10\tmine\n")
    right, wrong = "chr1\t5\t.\tT\tA", ["chr1\t6\t.\tA\tT", "chr1\t7\t.\tA\tT"]
    message = error_of(called, tmp_path, [right, wrong[0]], sequences, regions)
    assert "1 bad row(s)" in message and "ref is A, but the reference has G at 6" in message
    # Bad rows may be dropped, but not most of them.
    refused = Refused(drop=True)
    (found,) = called(tmp_path, [right, wrong[0]], sequences, regions, refused)
    assert found.genome == "chr1:5:T:A" and refused.counts == {VARIANT: 1}
    message = error_of(called, tmp_path, [right, *wrong], sequences, regions, Refused(drop=True))
    assert "2 variants have another ref than the reference, and 1 the same" in message
    assert "assembly" in message


def test_a_deletion_of_a_whole_region(tmp_path):
    sequences, regions = regions_of(tmp_path, "chr1\t2\t4\tmine\n")
    message = error_of(called, tmp_path, ["chr1\t2\t.\tCGT\tC"], sequences, regions)
    assert "deletes all of the region" in message


def test_n_at_the_edges_of_a_region_is_padding(tmp_path):
    sequences, regions = regions_of(tmp_path, "chr2\t0\t20\tp\t0\t+\nchr2\t0\t20\tm\t0\t-\n")
    found = called(tmp_path, ["chr2\t3\t.\tAC\tA", "chr2\t3\t.\tA\tG"], sequences, regions)
    inserts = [variant.whole[5:-3] for variant in found]
    bare = GENOME["chr2"].strip("N")
    deleted, replaced = bare[0] + bare[2:], "G" + bare[1:]
    assert inserts == [deleted, opposite(deleted), replaced, opposite(replaced)]
