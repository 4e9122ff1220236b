/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#12 files under the password "pass-word", with a budget of iterations that a fuzzer can wait for: it is never
 * overdrawn, and what is accepted has a key and a certificate. */
#include <stdlib.h>

#include "control/sap/pkcs12_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUDGET 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct material material = {.key = NULL};
    struct passphrase passphrase = {.text = mg_slice_of_text("pass-word"), .budget = {.left = BUDGET}};
    struct mg_error error = {""};
    enum mg_status status = pkcs12_file_read(&material, mg_slice_of(data, size), &passphrase, &error);
    bool is_whole = material.key != NULL && material.num_certificates > 0;
    if (passphrase.budget.left > BUDGET || (status == MG_OK && !is_whole) ||
        (status != MG_OK && (status != MG_INVALID || error.text[0] == '\0'))) {
        abort();
    }
    material_free(&material);
    return 0;
}
