/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a certificate in JSON, as SAP's family and our own API have it: what is given on is within its bounds. */
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/sap/sap_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum mg_status look(void *arg, const struct sap_file *file, struct mg_error *error)
{
    (void)arg;
    (void)error;
    if (file->format == 0 || file->content.len > MATERIAL_MAX_FILE || file->key.len > MATERIAL_MAX_FILE) {
        abort();
    }
    return MG_EXISTS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json;
    struct mg_error error = {""};
    if (http_json_parse(mg_slice_of(data, size), &json, NULL) != MG_OK) {
        return 0;
    }
    enum mg_status status = json_is_object(json) ? sap_body_read(json, look, NULL, &error) : MG_EXISTS;
    if (status != MG_EXISTS && (status != MG_INVALID || error.text[0] == '\0')) {
        abort();
    }
    http_json_free(json);
    return 0;
}
