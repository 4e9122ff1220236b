/* SPDX-License-Identifier: Apache-2.0 */
/* An attestation from a file: what is read has every part of one, and can be verified and judged. */
#include <stdlib.h>

#include "control/attestation/attestation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attestation attestation;
    struct mg_error error = {""};
    if (attestation_read(mg_slice_of(data, size), &attestation, &error) != MG_OK) {
        if (attestation.statement != NULL || attestation.key != NULL || error.text[0] == '\0') {
            abort();
        }
        return 0;
    }
    if (attestation.signed_text.data != data || attestation.signed_text.len >= size || attestation.signature_len == 0 ||
        attestation.key == NULL || !json_is_object(attestation.statement)) {
        abort();
    }
    enum mg_status verified = attestation_verify(&attestation, NULL, NULL);
    enum mg_status judged = attestation_judge(&attestation, NULL);
    if ((verified != MG_OK && verified != MG_DENIED) || (judged != MG_OK && judged != MG_DENIED)) {
        abort();
    }
    attestation_free(&attestation);
    return 0;
}
