# SPDX-License-Identifier: Apache-2.0
"""The main job, once, by curl."""

import pytest


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_an_intercepted_page_has_a_minted_certificate(lab, family):
    lab.mark()
    result = lab.curl(family, "-v", "--cacert", lab.env["MINTGATE_ROOT_PEM"], "https://www.good.lab.test/")
    assert "www.good.lab.test" in result.stdout
    assert "issuer: O=Mintgate" in result.stderr
    (record,) = lab.records(sni="www.good.lab.test")
    assert record["action"] == "intercept" and record["upstream_verdict"] == "ok" and record["issuer"] == "trust"


def test_the_engine_has_one_libcrypto(lab):
    with open(f"/proc/{lab.engine_pid()}/maps") as maps:
        libraries = {line.split()[-1] for line in maps if ".so" in line}
    assert not [name for name in libraries if "libcrypto" in name or "libssl" in name or "librte" in name], libraries
