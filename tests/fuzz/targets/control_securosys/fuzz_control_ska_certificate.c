/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate or a certification request from a client, and public keys of approvers. */
#include <stdlib.h>

#include "control/securosys/ska_certificate.h"
#include "control/securosys/ska_public_key.h"

#define NOW INT64_C(1795254060)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* certify tries to put together a certificate, under an issuer that is the certificate itself. */
static void certify(const char *csr, struct mg_slice issuer, const struct ska_public_key *key)
{
    struct ska_wish wish = {.operation = SKA_CERTIFY, .days = 90, .csr = csr};
    struct ska_error error = {.code = SKA_NO_CODE};
    struct mg_buffer out;
    wish.subject[SKA_COMMON_NAME] = "x";
    const struct ska_certificate_plan plan = {.wish = &wish,
                                              .public_key = ska_public_key_slice(key),
                                              .issuer = issuer,
                                              .digest = WIRE_SKA_SHA256,
                                              .now = NOW};
    mg_buffer_init(&out, WIRE_CONTROL_MAX_DER);
    (void)!ska_certificate_issued_tbs(&plan, &out, &error);
    mg_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice text = mg_slice_of(data, size);
    struct ska_public_key key = {.len = 0};
    struct ska_error error = {.code = SKA_NO_CODE};
    struct mg_buffer der;
    char *csr = mg_slice_dup_text(text);
    if (csr == NULL) {
        return 0;
    }
    mg_buffer_init(&der, SKA_MAX_CERTIFICATE);
    bool is_certificate = ska_certificate_parse(text, &der, &error) == MG_OK;
    if (ska_public_key_of_certificate(&key, text, 0, &error) == MG_OK &&
        !ska_certificate_matches(mg_buffer_slice(&der), ska_public_key_slice(&key))) {
        abort();
    }
    (void)!ska_public_key_read(&key, text, &error);
    certify(csr, is_certificate ? mg_buffer_slice(&der) : mg_slice_of(NULL, 0), &key);
    mg_buffer_free(&der);
    free(csr);
    return 0;
}
