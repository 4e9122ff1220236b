/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What control asks a private CA's key to sign: a TBSCertificate or a TBSCertList, by the issuer below, whose name and
 * key identifier the seeds have. What is accepted must hold up.
 */
#include <stdlib.h>

#include "hsm/private_ca_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1800000000)

static const uint8_t subject[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03,
                                  0x55, 0x04, 0x03, 0x0c, 0x02, 'C',  'A'};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice der = mg_slice_of(data, size), names = mg_slice_of(NULL, 0);
    struct tbs tbs;
    struct private_ca ca = {.has_certificate = true, .path_len = (int)(size % 3) - 1};
    ca.facts = (struct leaf_issuer){.key_type = key_type_get0(WIRE_KEY_EC_P256),
                                    .subject = mg_slice_of(subject, sizeof(subject)),
                                    .ski = mg_slice_of_text("issuer's stored SKI"),
                                    .not_before = NOW - 1000 * INT64_C(86400),
                                    .not_after = NOW + 1000 * INT64_C(86400)};
    bool is_crl = private_ca_check_crl(&ca, der, NULL) == MG_OK;
    if (tbs_parse(der, &tbs, NULL) != MG_OK) {
        return 0;
    }
    expect(!is_crl); /* nothing is both */
    if (private_ca_check_certificate(&ca, &tbs, &names, NULL) == MG_OK) {
        expect(tbs.version == 3 && mg_slice_equal(tbs.issuer, ca.facts.subject));
        expect(tbs.not_before >= ca.facts.not_before && tbs.not_after <= ca.facts.not_after);
        expect(names.len == 0 || (names.data >= data && names.data + names.len <= data + size));
    }
    return 0;
}
