from __future__ import annotations

import gzip
import io
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from landfall_spark.intake import BLOCK, PLAIN_CSV, PLAIN_PARQUET, Intake, _inflated, fetch_parquet, take_in
from landfall_spark.protocol import Place
from landfall_spark.record import Layout
from landfall_spark.refused import ObjectGone, RefusedSource

HEADER = b"Key,First Number,Second"
ROWS = HEADER + b"\na,1,2\n"


def inflated(packed: bytes) -> bytes:
    return b"".join(_inflated(io.BytesIO(packed)))


def source(file: Path, content: bytes) -> dict[str, Any]:
    file.write_bytes(content)
    return {"inputs": [{"uri": file.as_uri(), "bytes": len(content)}]}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "temp").mkdir()
    return Place((tmp_path / "staging").as_uri() + "/", str(tmp_path / "temp"), f"file://{tmp_path}/temp/")


def refusal(given: dict[str, Any], plan: dict[str, Any], place: Place, in_place: bool = False) -> RefusedSource:
    with pytest.raises(RefusedSource) as refused:
        take_in(given, 0, plan, place, in_place, local=True, boundary=None)
    return refused.value


def test_gzip_is_all_of_its_members_and_nothing_that_follows_them() -> None:
    first, second = gzip.compress(b"a,b\n"), gzip.compress(b"1,2\n")
    assert inflated(first) == b"a,b\n"
    assert inflated(first + gzip.compress(b"") + second) == b"a,b\n1,2\n"
    assert inflated(first + b"\0" * 512) == b"a,b\n"
    assert inflated(first + b"\x1f") == b"a,b\n"
    assert inflated(first + b"x" + second) == b"a,b\n"


def test_gzip_of_any_size_comes_in_blocks_that_memory_holds() -> None:
    noise = random.Random(1).randbytes(3 << 20)
    for content in (b"0" * (5 * BLOCK), noise, noise + b"0" * (2 * BLOCK)):
        blocks = list(_inflated(io.BytesIO(gzip.compress(content, 1))))
        assert b"".join(blocks) == content
        assert max(map(len, blocks)) <= BLOCK


@pytest.mark.parametrize("at", [0, 1, 5, 12, 20])
def test_gzip_that_ends_too_soon_is_an_error(at: int) -> None:
    with pytest.raises(zlib.error):
        inflated(gzip.compress(ROWS * 9)[:at])


def test_gzip_with_a_wrong_checksum_or_another_content_is_an_error() -> None:
    packed = gzip.compress(ROWS)
    for broken in (packed[:-8] + b"\0" * 4 + packed[-4:], packed[:-1] + b"\1", ROWS, packed + b"\x1f\x8b\x08xxx"):
        with pytest.raises(zlib.error):
            inflated(broken)


def test_a_csv_that_spark_reaches_is_read_in_place_and_any_other_from_a_copy(
    tmp_path: Path, plan: dict[str, Any], place: Place
) -> None:
    given = source(tmp_path / "x.csv", ROWS)
    uri = given["inputs"][0]["uri"]
    layout = Layout(3, (0, 1, 2))
    assert take_in(given, 7, plan, place, in_place=True, local=True, boundary=None) == Intake(uri, HEADER.decode(), layout, given["inputs"][0])
    for name, content in (("x.csv.gz", gzip.compress(ROWS)), ("_hidden.csv", ROWS), ("x*.csv", ROWS)):
        taken = take_in(source(tmp_path / name, content), 7, plan, place, in_place=True, local=True, boundary=None)
        assert taken == Intake(f"file://{place.temp}/00007.csv", HEADER.decode(), layout, None)
        assert Path(place.temp, "00007.csv").read_bytes() == ROWS


def test_a_copy_is_in_staging_where_tasks_do_not_see_the_disk_of_the_driver(
    tmp_path: Path, plan: dict[str, Any], place: Place
) -> None:
    given = source(tmp_path / "x.csv.gz", gzip.compress(ROWS))
    taken = take_in(given, 7, plan, place, in_place=True, local=False, boundary=None)
    assert taken.uri == f"{place.staging}in/00007.csv"
    assert (tmp_path / "staging/in/00007.csv").read_bytes() == ROWS


def test_a_source_that_is_gone_is_refused(tmp_path: Path, plan: dict[str, Any], place: Place) -> None:
    given = source(tmp_path / "x.csv", ROWS)
    (tmp_path / "x.csv").unlink()
    error = refusal(given, plan, place, in_place=True)
    assert isinstance(error, ObjectGone)
    assert str(error) == f"{tmp_path}/x.csv is gone, or is no longer the version that landed."


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_source_over_the_limit_of_the_contract_is_refused(
    tmp_path: Path, plan: dict[str, Any], place: Place, packed: bool, in_place: bool
) -> None:
    content = ROWS + b"a,1,2\n" * 200
    given = source(tmp_path / ("x.csv.gz" if packed else "x.csv"), gzip.compress(content) if packed else content)
    error = refusal(given, plan, place, in_place)
    assert error.code == "too_large"
    assert "x.csv" in str(error) and "holds more than 1000 bytes, the limit of the contract of small" in str(error)


def test_a_broken_gzip_is_refused_by_its_name(tmp_path: Path, plan: dict[str, Any], place: Place) -> None:
    error = refusal(source(tmp_path / "x.csv.gz", gzip.compress(ROWS)[:-9]), plan, place)
    assert (error.code, str(error)) == (
        "corrupt_gzip",
        f"{tmp_path}/x.csv.gz is not a whole gzip file (unexpected end of file). Pack it again and land it again.",
    )


def test_a_stream_is_judged_by_what_comes_first(tmp_path: Path, plan: dict[str, Any], place: Place) -> None:
    large = {**plan, "limits": {"maxBytes": 100 * BLOCK}}
    packed = gzip.compress(b"wrong,header\n" + random.Random(1).randbytes(2 * BLOCK), 1)
    assert refusal(source(tmp_path / "x.csv.gz", packed[:-9]), large, place).code == "header_mismatch"
    assert refusal(source(tmp_path / "y.csv.gz", packed), {**plan, "limits": {"maxBytes": BLOCK}}, place).code == "header_mismatch"


@pytest.mark.parametrize("name", ["_x", ".x", "x y", "x*", "x?", "{x}", "[x]", "x%20y", "x:y", "é", "x,y", "x\\y"])
def test_hadoop_is_given_no_name_that_it_would_take_for_something_else(name: str) -> None:
    for place in ("s3://bucket/data/sales", "file:///tmp"):
        assert not PLAIN_CSV.match(f"{place}/{name}.csv")
        assert not PLAIN_PARQUET.match(f"{place}/{name}.parquet")
        assert PLAIN_CSV.match(f"{place}/x~0a1b/Sales-2015_v=1.CSV")
        assert PLAIN_PARQUET.match(f"{place}/x~0a1b/run_-00001-of-00002.parquet")
    assert not PLAIN_CSV.match("s3://bucket/data/x.csv.gz")


def test_parts_are_read_in_place_where_spark_reaches_them(tmp_path: Path, place: Place) -> None:
    given = {"inputs": [*source(tmp_path / "a.parquet", b"1")["inputs"], *source(tmp_path / "b c.parquet", b"2")["inputs"]]}
    first = given["inputs"][0]["uri"]
    copies = [f"file://{place.temp}/00003-0000{at}.parquet" for at in (0, 1)]
    assert fetch_parquet(given, 3, place, lambda uri: True, local=True) == [first, copies[1]]
    assert fetch_parquet(given, 3, place, lambda uri: False, local=True) == copies
    assert [Path(place.temp, f"00003-0000{at}.parquet").read_bytes() for at in (0, 1)] == [b"1", b"2"]
