/* SPDX-License-Identifier: Apache-2.0 */
/* PEM and DER files for both kinds of stores: what is accepted keeps the store's rules. The password is "pass-word". */
#include <stdlib.h>

#include "control/sap/sap_file.h"
#include "wire/signer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(enum sap_kind kind, enum sap_format format, struct mg_slice content)
{
    const struct material_terms terms = {.now = INT64_C(1800000000), .ignores_expiry = true};
    const struct sap_file file = {
        .format = format, .content = content, .password = mg_slice_of_text("pass-word"), .wants_lines = true};
    struct material material;
    struct mg_error error = {""};
    enum mg_status status = sap_file_read(&file, &terms, &kind, &material, &error);
    if (status != MG_OK) {
        if (status != MG_INVALID || error.text[0] == '\0') {
            abort();
        }
        return;
    }
    bool has_key = material.key != NULL;
    if (material.num_certificates == 0 || has_key != (kind == SAP_KEYSTORE) ||
        (has_key && material.num_certificates > WIRE_SIGNER_MAX_CHAIN)) {
        abort();
    }
    for (size_t i = 0; i < material.num_certificates; i++) {
        if (material_is_anchor(material.certificates[i]) && X509_get_version(material.certificates[i]) < 2) {
            abort(); /* extensions are for version 3 */
        }
    }
    material_free(&material);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice content = mg_slice_of(data, size);
    read_as(SAP_TRUSTSTORE, SAP_FORMAT_PEM, content);
    read_as(SAP_KEYSTORE, SAP_FORMAT_PEM, content);
    read_as(SAP_TRUSTSTORE, SAP_FORMAT_DER, content);
    return 0;
}
