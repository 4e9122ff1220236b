/* SPDX-License-Identifier: Apache-2.0 */
/* JAR files, and descriptors alone, which are the input once more: names that are found lie within the text. */
#include <stdlib.h>

#include "control/sap/jar.h"
#include "control/sap/jar_descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct mg_slice part, struct mg_slice whole)
{
    return part.len > 0 && part.data >= whole.data && part.data + part.len <= whole.data + whole.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice file = mg_slice_of(data, size);
    struct material material = {.key = NULL};
    struct passphrase passphrase = {.text = mg_slice_of_text("pass-word"), .budget = {.left = 20000}};
    struct jar_descriptor descriptor;
    struct mg_error error = {""};
    enum mg_status status = jar_read(&material, file, false, &passphrase, &error);
    if (status == MG_OK ? material.key == NULL || material.num_certificates == 0
                        : status != MG_INVALID || error.text[0] == '\0') {
        abort();
    }
    material_free(&material);
    if (jar_descriptor_parse(file, &descriptor, NULL) == MG_OK &&
        (!is_within(descriptor.cert_file, file) || !is_within(descriptor.key_file, file))) {
        abort();
    }
    return 0;
}
