/* SPDX-License-Identifier: Apache-2.0 */
/* A client assertion: what parses names its client, and its signature is by nobody's key. */
#include <openssl/ec.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/assertion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static EVP_PKEY *key;
    static const char *const audiences[] = {"https://api.zscaler.com", NULL};
    struct assertion assertion;
    if (key == NULL && (key = EVP_EC_gen("P-256")) == NULL) {
        abort();
    }
    if (assertion_parse(mg_slice_of(data, size), &assertion, NULL) != MG_OK) {
        return 0;
    }
    enum mg_status claims = assertion_check_claims(&assertion, audiences, INT64_C(1795247636), NULL);
    enum mg_status signature = assertion_check_signature(&assertion, key, NULL);
    if (assertion.client_id == NULL || assertion.signature_len > sizeof(assertion.signature) ||
        (claims != MG_OK && claims != MG_DENIED) || signature != MG_DENIED) {
        abort();
    }
    assertion_free(&assertion);
    return 0;
}
