from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from landfall_spark import objects
from landfall_spark.refused import ObjectGone


def test_the_key_of_an_object_is_what_people_know_of_it() -> None:
    assert objects.key_of("s3://bucket/data/sales/a b.csv") == "data/sales/a b.csv"
    assert objects.key_of("file:///tmp/a%20b.csv") == objects.path_of("file:///tmp/a%20b.csv") == "/tmp/a b.csv"


def test_a_file_is_sent_whole_with_the_etag_that_s3_would_give_it(tmp_path: Path) -> None:
    content = b"0" * (3 * objects.CHUNK + 1)
    (tmp_path / "from").write_bytes(content)
    target = (tmp_path / "a/b c/to").as_uri()
    written = objects.upload(str(tmp_path / "from"), target)
    assert written == objects.head(target) == objects.Written(f'"{hashlib.md5(content).hexdigest()}"', len(content))
    assert (objects.read(target), objects.size_of(target)) == (content, len(content))


def test_a_tail_is_all_of_a_shorter_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    uri = (tmp_path / "x").as_uri()
    assert [objects.read_tail(uri, size) for size in (4, 10, 11)] == [b"6789", b"0123456789", b"0123456789"]


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    uri = (tmp_path / "new/report.json").as_uri()
    assert objects.put_if_absent(uri, "first")
    assert not objects.put_if_absent(uri, "second")
    assert objects.read(uri) == b"first"


def test_objects_below_a_folder_are_listed_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = ["b.parquet", "a/2", "a/1", "a=1/é x"]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    (tmp_path / "in-other").touch()
    found = objects.list_below(f"{(tmp_path / 'in').as_uri()}/")
    assert found == sorted((tmp_path / "in" / name).as_uri() for name in names)
    assert objects.list_below(f"{tmp_path.as_uri()}/none/") == []


def test_a_file_that_is_not_there_is_gone(tmp_path: Path) -> None:
    uri = (tmp_path / "x.csv").as_uri()
    for ask in (objects.check_current, objects.open_source):
        with pytest.raises(ObjectGone, match=r"x\.csv is gone, or is no longer the version that landed"):
            ask({"uri": uri})
    (tmp_path / "x.csv").touch()
    objects.check_current({"uri": uri})


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://bucket/", "s3:///key", "https://bucket/key"])
def test_what_is_no_object_is_an_error_that_names_it(uri: str) -> None:
    with pytest.raises(ValueError, match=f"^Not the URI of an S3 object: {uri}$"):
        objects.size_of(uri)
