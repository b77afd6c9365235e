from __future__ import annotations

from tests.support.mesos import stubs

_READELF = """Version needs section '.gnu.version_r' contains 4 entries:
  0x0060: Version: 1  File: libssl.so.1.0.0  Cnt: 1
  0x0070:   Name: OPENSSL_1.0.2  Flags: none  Version: 9
  0x0080: Version: 1  File: libcrypto.so.1.0.0  Cnt: 1
  0x0090:   Name: OPENSSL_1.0.2  Flags: none  Version: 8
  0x00a0: Version: 1  File: libc.so.6  Cnt: 1
  0x00b0:   Name: GLIBC_2.17  Flags: none  Version: 7
"""
_UNDEFINED = """                 U SSL_new@OPENSSL_1.0.2
                 U BN_new@OPENSSL_1.0.2
                 U fopen@GLIBC_2.17
                 U Py_Initialize
                 U PyExc_ValueError
                 U svn_txdelta
                 U deflate
"""


def test_every_missing_name_goes_to_the_library_that_had_it() -> None:
    plan = stubs.plan(_READELF, _UNDEFINED)
    names = {library: stub.names for library, stub in plan.items() if any(stub.names.values())}
    assert names == {
        "libssl.so.1.0.0": {"OPENSSL_1.0.2": ["SSL_new"]},
        "libcrypto.so.1.0.0": {"OPENSSL_1.0.2": ["BN_new"]},
        "libpython-stub.so": {"": ["Py_Initialize", "PyExc_ValueError"]},
        "libsvn_delta-1.so.1": {"": ["svn_txdelta"]},
    }


def test_data_is_data_and_functions_abort_unless_a_start_calls_them() -> None:
    source = stubs.Stub({"": ["PyExc_ValueError", "svn_txdelta", "sasl_server_init"]}).source()
    assert "long PyExc_ValueError[8];" in source
    assert 'long svn_txdelta(void) { return missing("svn_txdelta"); }' in source
    assert "long sasl_server_init(void) { return 0; }" in source


def test_a_version_that_no_name_uses_is_defined_all_the_same() -> None:
    assert stubs.Stub({"V1": [], "V2": ["f", "g"]}).version_script() == "V1 {  };\nV2 { global: f; g; };\n"
