"""Dictionaries of header keys in ESO's form."""

from pathlib import Path

import pytest

from qcbench.core.errors import PackError
from qcbench.instruments import read_dictionary

TEXT = """\
# who  when  what
Dictionary Name:   ESO-VLT-DIC.X_ICS
Description:       Keys of an instrument.

Parameter Name:    INSi FILTi NAME
Class:             header|setup
Context:           Instrument
Type:              string
Value Format:      %30s
Unit:
Comment Format:    Filter name
Description:       Name of the filter
                   in its wheel.

#
Parameter name:	   DET WINi BINX
class:             header
Type:              integer
Unit:              none
Comment Field:     Binning

Parameter Name:    TEL AMBI TEMP
Type:              double
Unit:              C
Description:       Temperature, in \xb0C
"""


@pytest.fixture
def write(tmp_path: Path):
    def write_text(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "ESO-VLT-DIC.X_ICS"
        path.write_bytes(text.encode(encoding))
        return path

    return write_text


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_dictionary_tells_type_unit_and_meaning_of_a_key(write, encoding):
    keys = read_dictionary(write(TEXT, encoding))
    spec = keys.find("TEL.AMBI.TEMP")
    assert (spec.type, spec.unit, spec.description) == ("float", "C", "Temperature, in °C")
    assert keys.find("INS.FILT1.NAME").description == "Name of the filter in its wheel."
    assert (keys.find("DET.WIN1.BINX").unit, keys.find("DET.WIN1.BINX").description) == ("", "Binning")


@pytest.mark.parametrize("key", ["INS.FILT1.NAME", "INS2.FILT12.NAME", "INS.FILT.NAME", "DET.WIN.BINX"])
def test_an_index_stands_for_numbers_or_for_none(write, key):
    assert read_dictionary(write(TEXT)).find(key) is not None


@pytest.mark.parametrize("key", ["INS.FILTX.NAME", "INS.FILT1", "INS.FILTI.NAME"])
def test_other_keys_are_not_known(write, key):
    assert read_dictionary(write(TEXT)).find(key) is None


def test_a_wrong_record_is_named_with_its_line(write):
    with pytest.raises(PackError, match=r"line 5, key INSi\.FILTi\.NAME: expected a type .* found 'text'"):
        read_dictionary(write(TEXT.replace("string", "text")))
    with pytest.raises(PackError, match="line 16: expected the name of a key") as caught:
        read_dictionary(write(TEXT.replace("DET WINi BINX", "")))
    assert caught.value.line == 16


def test_a_file_that_is_no_dictionary_is_refused(write, tmp_path):
    with pytest.raises(PackError, match="is this a dictionary of header keys"):
        read_dictionary(write("INS.FILT1.NAME: filter\n"))
    with pytest.raises(PackError, match="No such file"):
        read_dictionary(tmp_path / "none")


@pytest.mark.esorex
def test_the_dictionaries_of_the_pipelines_are_read():
    files = [path for path in Path("/usr/share/cpl-plugins").glob("*/dic/*") if "-DIC." in path.name]
    assert len(files) > 40
    found = {path.name: read_dictionary(path) for path in files}
    assert found["ESO-VLT-DIC.HAWKI_ICS"].find("INS.FILT1.NAME").type == "text"
    # "-" in the file: it has a header and no keys
    assert found["ESO-VLT-DIC.AMBER_OS"].specs == {}
