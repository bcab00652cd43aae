# SPDX-License-Identifier: GPL-2.0-or-later
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.protocol import (
    BandSource,
    Cancel,
    ErrorCode,
    Hello,
    JobFailure,
    JobRequest,
    JobResult,
    JobWarning,
    OutputPaths,
    Progress,
    Ready,
    SardineError,
    decode,
    encode,
)

text = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
requests = st.builds(
    JobRequest,
    bands=st.lists(st.builds(BandSource, text, text, st.integers(1, 12)), max_size=3).map(tuple),
    model=text,
    outputs=st.builds(OutputPaths, landcover=st.none() | text, attention=st.none() | text),
    calibration_db=st.none() | numbers,
    bounds=st.none() | st.tuples(numbers, numbers, numbers, numbers),
    overlap=numbers,
    batch_size=st.none() | st.integers(1, 64),
    overwrite=st.booleans(),
)
RESULT = JobResult(
    {"landcover": "Zürich, „lc“.tif"},
    None,
    (0.0, 0.0, 10.0, 10.0),
    1,
    1,
    "db",
    "values",
    "",
    1.0,
    0.5,
    None,
    {"80": 1.25},
    1,
    1,
    "cpu",
    "fp32",
    0.5,
    "m",
    "ab",
    ("one", "two"),
)


@given(requests)
def test_request_should_survive_the_wire(request):
    line = encode(request)
    assert line.endswith("\n")
    assert line.isascii()
    assert "\n" not in line[:-1]
    assert decode(line) == request


@pytest.mark.parametrize(
    "message",
    [
        Cancel(),
        Hello({"python": "3.11"}),
        Ready("cpu", "bf16", "m"),
        Progress("land cover", 3, 7, 0.5, None),
        JobWarning("code", "text"),
        RESULT,
        JobFailure("cancelled", "a", "b", "c"),
    ],
)
def test_message_should_survive_the_wire(message):
    assert decode(encode(message).encode()) == message


def test_unknown_fields_should_be_ignored():
    line = json.dumps({"type": "warning", "code": "c", "text": "t", "since": "version 2"})
    assert decode(line) == JobWarning("c", "t")


@pytest.mark.parametrize("line", ["", "garbage", "[1]", '{"type": "dance"}', '{"type": []}', "{" * 5000, b"\xff\xfe"])
def test_garbage_should_be_refused_as_invalid(line):
    with pytest.raises(SardineError) as caught:
        decode(line)
    assert caught.value.code == ErrorCode.REQUEST_INVALID


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", 3),
        ("overlap", "much"),
        ("overwrite", 1),
        ("bands", "VV"),
        ("bounds", [1, 2, 3]),
        ("batch_size", 1.5),
        ("outputs", []),
    ],
)
def test_wrong_type_should_be_refused_naming_the_field(field, value):
    data = json.loads(encode(JobRequest((), "m", OutputPaths())))
    data[field] = value
    with pytest.raises(SardineError, match=field) as caught:
        decode(json.dumps(data))
    assert caught.value.code == ErrorCode.REQUEST_INVALID


def test_missing_field_should_be_named():
    with pytest.raises(SardineError, match="model"):
        decode(json.dumps({"type": "predict", "protocol": 1, "bands": [], "outputs": {}}))


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_other_protocol_version_should_be_refused(version):
    with pytest.raises(SardineError) as caught:
        decode(json.dumps({"type": "hello", "versions": {}, "protocol": version}))
    assert caught.value.code == ErrorCode.PROTOCOL_MISMATCH


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("VV=scene.tif:1", BandSource("VV", "scene.tif", 1)),
        ("VV=scene.tif", BandSource("VV", "scene.tif", 1)),
        (r"VH=C:\data\scene.tif:2", BandSource("VH", r"C:\data\scene.tif", 2)),
        (r"VH=C:\scene.tif", BandSource("VH", r"C:\scene.tif", 1)),
        ("VV=NETCDF:a.nc:vv:12", BandSource("VV", "NETCDF:a.nc:vv", 12)),
        ("VV=NETCDF:a.nc:vv", BandSource("VV", "NETCDF:a.nc:vv", 1)),
        ("VV_spring=/a=b/s.tif:3", BandSource("VV_spring", "/a=b/s.tif", 3)),
        ("VV=a.tif:²", BandSource("VV", "a.tif:²", 1)),
        ("scene.tif", BandSource("", "scene.tif", 0)),
        ("/a=b/scene.tif:2", BandSource("", "/a=b/scene.tif", 2)),
        (r"C:\scene.tif", BandSource("", r"C:\scene.tif", 0)),
    ],
)
def test_band_source_should_take_the_digits_after_the_last_colon_as_band(given_text, expected):
    assert BandSource.parse(given_text) == expected


@pytest.mark.parametrize("given_text", ["=scene.tif", "VV=", "VV=:2", "VV=scene.tif:0", "scene.tif:0", "", " "])
def test_band_source_should_refuse_what_has_no_source_or_band(given_text):
    with pytest.raises(SardineError) as caught:
        BandSource.parse(given_text)
    assert caught.value.code == ErrorCode.REQUEST_INVALID


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (JobFailure("cancelled", "", "", ""), 130),
        (JobFailure("disk_full", "", "", "", refused=False), 3),
        (JobFailure("source_missing", "", "", "", refused=True), 2),
    ],
)
def test_exit_status_should_follow_the_kind_of_failure(failure, status):
    assert failure.exit_status == status
