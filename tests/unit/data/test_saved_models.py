"""The SavedModel in an archive."""

import io
import stat
import tarfile
import zipfile

import numpy as np
import pytest
from archives import SAVED_MODEL, as_gzipped_tar, as_tar, as_zip, below, contents

from crmnet.data import saved_models


@pytest.fixture
def find(tmp_path):
    """Runs `saved_models.find` on an archive of these bytes: returns the path and its files."""

    def find(content, member=None):
        archive, folder = tmp_path / "files-archive", tmp_path / "temporary"
        archive.write_bytes(content)
        folder.mkdir()
        found = saved_models.find(archive, member, folder)
        assert found.is_relative_to(folder)
        return found.relative_to(folder).as_posix(), contents(found)

    return find


@pytest.mark.parametrize("pack", [as_zip, as_tar, as_gzipped_tar])
@pytest.mark.parametrize("folder", ["", "7375243/complex medium/crm_net/"])
def test_a_tree_of_files(find, pack, folder):
    files = {f"{folder}{name}": content for name, content in SAVED_MODEL.items()}
    files |= {f"{folder}keras_metadata.pb": b"", f"{folder}assets/vocabulary": b"", "README": b""}
    assert find(pack(files))[1] == SAVED_MODEL


@pytest.mark.parametrize(
    ("outer", "name", "inner"),
    [
        (as_zip, "model.zip", as_zip),
        (as_zip, "model.tar.gz", as_gzipped_tar),
        (as_zip, "MODEL.TGZ", as_gzipped_tar),
        (as_zip, "model.tar", as_tar),
        (as_gzipped_tar, "model.zip", as_zip),
        # Ends as a ZIP archive does.
        (as_tar, "model.zip", as_zip),
    ],
)
def test_an_archive_in_the_archive(find, outer, name, inner):
    found, files = find(outer({"README": b"", f"record/{name}": inner(below("crm_net"))}))
    assert found.endswith(f"record/{name}/crm_net")
    assert files == SAVED_MODEL


def test_two_levels_of_archives_and_not_three(find, tmp_path):
    second = as_zip({"second.tar.gz": as_gzipped_tar(below("crm_net"))})
    found, files = find(as_zip({"first.zip": second}))
    assert found.endswith("first.zip/second.tar.gz/crm_net") and files == SAVED_MODEL
    (tmp_path / "temporary").rename(tmp_path / "before")
    with pytest.raises(ValueError, match="no SavedModel.*first.zip/second.zip/third.zip"):
        find(as_zip({"first.zip": as_zip({"second.zip": as_zip({"third.zip": second})})}))


def test_what_macos_adds_is_passed_over(find):
    archive = as_zip(below("crm_net"))
    assert (
        find(as_zip({"model.zip": archive, "__MACOSX/._model.zip": b"not one"}))[1] == SAVED_MODEL
    )


def two_media():
    defined = below("defined_media_model/crm_net", SAVED_MODEL | {"saved_model.pb": b"defined"})
    complex_media = as_zip(below("complex_media_model/crm_net"))
    return as_zip({"complex.zip": complex_media, "defined.zip": as_zip(defined)})


@pytest.mark.parametrize(
    ("member", "graph"),
    [
        ("*complex*", b"graph"),
        ("*defined_media_model*", b"defined"),
        ("defined.zip/defined_media_model/crm_net", b"defined"),
    ],
)
def test_member_chooses_one_of_several(find, member, graph):
    assert find(two_media(), member)[1]["saved_model.pb"] == graph


@pytest.mark.parametrize(
    ("member", "fault"), [(None, "several"), ("*crm_net", "several"), ("*YPD*", "none of its")]
)
def test_several_or_no_match_lists_them(find, member, fault):
    with pytest.raises(ValueError) as error:
        find(two_media(), member)
    for part in (
        "files-archive",
        fault,
        "complex.zip/complex_media_model/crm_net, defined.zip/defined_media_model/crm_net",
        "set `released: <medium>: member`",
    ):
        assert part in str(error.value)


def test_no_saved_model_lists_what_there_is(find):
    files = {"crm_net/saved_model.pb": b"", "crm_net.h5": b""}
    with pytest.raises(ValueError, match="no SavedModel.*crm_net.h5, crm_net/saved_model.pb;"):
        find(as_zip(files))


def test_a_long_list_is_cut(find):
    with pytest.raises(ValueError, match=r"file_0000, .*file_0019 and 1,480 more"):
        find(as_tar({f"file_{number:04}": b"" for number in range(1500)}))


def test_a_folder_is_read_where_it_is(tmp_path):
    record, temporary = tmp_path / "record", tmp_path / "temporary"
    for name, content in (below("a/crm_net") | below("b/crm_net")).items():
        (record / name).parent.mkdir(parents=True, exist_ok=True)
        (record / name).write_bytes(content)
    a = record / "a" / "crm_net"
    assert saved_models.find(record, "a/*", temporary) == a
    assert saved_models.find(record / "a", None, temporary) == a
    assert saved_models.find(a, None, temporary) == a
    with pytest.raises(ValueError, match="several SavedModels, a/crm_net, b/crm_net;"):
        saved_models.find(record, None, temporary)
    assert not temporary.exists()


@pytest.mark.parametrize("pack", [as_zip, as_tar])
@pytest.mark.parametrize(
    "name",
    ["../evil", "crm_net/../../evil", "/tmp/evil", "..\\evil", "crm_net/variables/../../../evil"],
)
def test_paths_outside_of_the_archive_are_refused(find, tmp_path, pack, name):
    with pytest.raises(ValueError, match="files-archive: .*evil lies outside of the archive"):
        find(pack(below("crm_net") | {name: b"evil"}))
    assert set(contents(tmp_path)) == {"files-archive"}


def test_paths_outside_of_an_inner_archive_are_refused(find):
    with pytest.raises(ValueError, match=r"files-archive: model\.zip: \.\./evil lies outside"):
        find(as_zip({"model.zip": as_zip(below("crm_net") | {"../evil": b"evil"})}))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_archive_are_refused(find, kind):
    buffer = io.BytesIO(as_tar(below("crm_net")))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        info = tarfile.TarInfo("crm_net/variables/variables.data-00001-of-00002")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(ValueError, match="variables.data-00001-of-00002 is a link or a device"):
        find(buffer.getvalue())


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_archive_are_refused(find, kind):
    buffer = io.BytesIO(as_zip(below("crm_net")))
    with zipfile.ZipFile(buffer, "a") as archive:
        info = zipfile.ZipInfo("crm_net/variables/other")
        info.external_attr = (kind | 0o644) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match="crm_net/variables/other is a link or a device"):
        find(buffer.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack", [as_zip, as_tar])
@pytest.mark.parametrize("inner", [lambda content: content, lambda c: as_zip({"inner.zip": c})])
@pytest.mark.parametrize("other", ["variables/variables.index", "variables/./variables.index"])
def test_two_files_of_one_path_are_refused(find, pack, inner, other):
    """Which of the two was meant is not clear."""
    buffer = io.BytesIO(pack(below("crm_net")))
    if pack is as_zip:
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr(f"crm_net/{other}", b"another")
    else:
        with tarfile.open(fileobj=buffer, mode="a") as archive:
            archive.addfile(tarfile.TarInfo(f"crm_net/{other}"))
    with pytest.raises(ValueError, match=r"two files of the path crm_net/variables/variables\.ind"):
        find(inner(buffer.getvalue()))


def flat():
    """The files of a SavedModel as a record of Zenodo can have them, which has no folders."""
    return {name.rpartition("/")[2]: content for name, content in SAVED_MODEL.items()}


@pytest.mark.parametrize("folder", ["", "record/"])
def test_a_saved_model_without_folders(find, folder):
    files = {f"{folder}{name}": content for name, content in flat().items()}
    assert find(as_zip(files | {f"{folder}seq_list.pkl": b"not unpacked"}))[1] == flat()


def test_which_saved_models_an_archive_holds(tmp_path):
    archive = tmp_path / "any name"
    archive.write_bytes(two_media())
    assert list(map(str, saved_models.held(archive))) == [
        "complex.zip/complex_media_model/crm_net",
        "defined.zip/defined_media_model/crm_net",
    ]
    archive.write_bytes(as_gzipped_tar({"a/saved_model.pb": b"", "exp_list.pkl": b""}))
    assert saved_models.held(archive) == []
    archive.write_bytes(b"pickled")
    with pytest.raises(ValueError, match="neither a ZIP nor a tar archive"):
        saved_models.held(archive)
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize(
    ("names", "may"),
    [
        (below("a/b"), True),
        (flat(), True),
        (["a/inner.TGZ"], True),
        ([r"a\b\saved_model.pb", r"a\b\variables\variables.index"], True),
        (["saved_model.pb", "other/variables/variables.index"], False),
        (["__MACOSX/._model.zip", "zip", "model.h5"], False),
        ([], False),
    ],
)
def test_whether_an_archive_with_these_names_may_hold_one(names, may):
    assert saved_models.may_hold(names) == may


@pytest.mark.parametrize("outer", [lambda content: content, lambda c: as_zip({"inner.tar.gz": c})])
@pytest.mark.parametrize("pack", [as_zip, as_tar, as_gzipped_tar])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_an_error_tells_that_an_archive_is_cut_short(find, outer, pack, share):
    noise = np.random.default_rng(4).bytes(100_000)
    content = pack(below("crm_net") | {"crm_net/variables/variables.data-00000-of-00001": noise})
    with pytest.raises(ValueError, match="files-archive.* cut short.*download or copy it again"):
        find(outer(content[: int(share * len(content))]))


def test_an_error_tells_that_an_archive_is_damaged(find):
    noise = np.random.default_rng(4).bytes(100_000)
    files = below("crm_net") | {"crm_net/variables/variables.data-00000-of-00001": noise}
    content = bytearray(as_zip(files))
    content[50_000] ^= 1
    with pytest.raises(ValueError, match="files-archive.* damaged.*download or copy it again"):
        find(content)


@pytest.mark.parametrize("inner", [False, True])
def test_a_file_far_larger_than_its_archive_is_refused(find, monkeypatch, inner):
    """For instance a zip bomb, which would fill the disk."""
    monkeypatch.setattr(saved_models, "ALLOWED_BYTES", 1000)
    zeros = {"variables/variables.index": bytes(1 << 20)}
    files = {"bomb.zip": bytes(1 << 20)} if inner else SAVED_MODEL | zeros
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"files-archive: its file \S+ has more than [\d,]+ bytes"):
        find(packed.getvalue())
