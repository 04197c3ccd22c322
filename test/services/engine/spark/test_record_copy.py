from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from landfall_spark.record import BYTE_ORDER_MARK, LONGEST_HEADER
from landfall_spark.record_copy import copy_records

BOUNDARY = "\x1e-"


@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
def test_a_line_that_fills_a_block_up_to_its_cr_takes_no_other_line_along(plan: dict[str, Any], tmp_path: Path, end: bytes) -> None:
    header, long = b"Key,First Number,Second", b"x" * (LONGEST_HEADER + 2)
    content = end.join([header, long, b"b,2,3", b"c,4,5", b""])
    begun, filled = len(header) + len(end) + 1, len(header) + len(end) + len(long) + 1
    blocks = [content[:begun], content[begun:filled], content[filled:]]
    file = tmp_path / "x.csv"
    copy_records(iter(blocks), str(file), BOUNDARY, plan, "x.csv")
    records = file.read_bytes().removeprefix(BYTE_ORDER_MARK).split(BOUNDARY.encode())
    assert [record[:30] for record in records] == [header, long[:30], b"b,2,3", b"c,4,5", b""]
