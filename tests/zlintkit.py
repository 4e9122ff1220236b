# SPDX-License-Identifier: Apache-2.0
"""zlint over certificates, and the lints whose errors are none here, each with its reason.

MINTGATE_ZLINT: the program, if not the one that scripts/bootstrap unpacked.
"""

import json
import os
import pathlib
import shutil
import subprocess

_UNPACKED = pathlib.Path(__file__).resolve().parents[1] / "build/deps/zlint/usr/bin/zlint"
ZLINT = os.environ.get("MINTGATE_ZLINT") or (_UNPACKED if _UNPACKED.exists() else shutil.which("zlint"))

# RFC 5280 wants host names of the LDH syntax. A leaf names the host that the client asked for, and hosts that are not
# of that syntax exist; a client that reaches one without Mintgate has to reach it with Mintgate too. These lints apply
# to no other leaf.
BEYOND_LDH = {
    "e_rfc_dnsname_hyphen_in_sld",
    "e_rfc_dnsname_underscore_in_sld",
}

# What a certificate must be to stand in a public trust store, and a leaf of a private issuer need not.
NOT_PUBLICLY_TRUSTED = {
    # Policies and revocation: no public policy is claimed, and pointers are there only where configured.
    "e_sub_cert_certificate_policies_missing",
    "e_sub_cert_cert_policy_empty",
    "e_sub_cert_aia_missing",
    "e_sub_cert_aia_does_not_contain_ocsp_url",
    # Names: those that the server has, which may be private.
    "e_dnsname_not_valid_tld",
    "e_dnsname_hyphen_in_sld",
    "e_dnsname_underscore_in_sld",
    "e_underscore_not_permissible_in_dnsname",
    "e_ext_san_contains_reserved_ip",
    # Subject: the server's own, whoever signed it.
    "e_sub_cert_country_name_must_appear",
    "e_sub_cert_locality_name_must_appear",
    "e_sub_cert_province_must_appear",
    "e_subject_common_name_not_exactly_from_san",
}


def errors(paths, *options):
    """The names of the lints that found an error, by path of a certificate in PEM."""
    done = subprocess.run([ZLINT, *options, *paths], check=True, capture_output=True, text=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(paths)
    assert all("pass" in (lint["result"] for lint in result.values()) for result in results)
    return {path: {name for name, lint in result.items() if lint["result"] in ("error", "fatal")}
            for path, result in zip(paths, results)}
