/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's reader of TBSCertificates and the leaf policy behind it, as the engine reaches them. The seeds are
 * leaves of the issuer below. What is accepted must hold up: it parses the same way again, and its names can be walked.
 */
#include <stdlib.h>

#include "hsm/leaf_names.h"
#include "hsm/leaf_policy.h"

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

static bool lies_within(struct mg_slice part, struct mg_slice whole)
{
    return part.data >= whole.data && part.data + part.len <= whole.data + whole.len;
}

static void check_accepted(struct mg_slice der, const struct tbs *tbs, struct mg_slice names)
{
    expect(tbs->version == 3 && tbs->serial.len >= 8 && tbs->num_extensions >= 5);
    expect(tbs->not_after - tbs->not_before <= LEAF_POLICY_DEFAULT_MAX_VALIDITY);
    expect(lies_within(tbs->spki, der) && lies_within(names, der));
    size_t num_names = 0;
    for (struct leaf_name name; leaf_names_next(&names, &name); num_names++) {
        expect(name.value.len > 0 && name.value.len <= 253);
    }
    expect(num_names > 0 && names.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice der = mg_slice_of(data, size), names;
    struct mg_error error;
    struct tbs tbs;
    if (tbs_parse_certificate(der, &tbs, &error) == MG_OK) {
        expect(lies_within(tbs.subject, der));
    }
    if (tbs_parse(der, &tbs, &error) != MG_OK) {
        return 0;
    }
    for (size_t i = 0; i < tbs.num_extensions; i++) {
        expect(lies_within(tbs.extensions[i].oid, der) && lies_within(tbs.extensions[i].value, der));
    }
    struct leaf_issuer issuer = {
        .role = size % 2 == 0 ? WIRE_ISSUER_DEFAULT : WIRE_ISSUER_UNTRUST,
        .key_type = key_type_get0(WIRE_KEY_EC_P256),
        .subject = mg_slice_of(subject, sizeof(subject)),
        .ski = mg_slice_of_text("issuer's stored SKI"),
        .not_before = NOW - 1000 * INT64_C(86400),
        .not_after = NOW + 1000 * INT64_C(86400),
    };
    if (leaf_policy_check(&tbs, &issuer, LEAF_POLICY_DEFAULT_MAX_VALIDITY, NOW, &names, &error) == WIRE_SIGN_OK) {
        check_accepted(der, &tbs, names);
    }
    return 0;
}
