/* SPDX-License-Identifier: Apache-2.0 */
/* OData's keys, Apigee's XML, and Base64: texts that come out end where they should, and Base64 goes back. */
#include <stdlib.h>
#include <string.h>

#include "control/sap/edge_xml.h"
#include "control/sap/odata_key.h"
#include "ossl/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_base64(struct mg_slice text)
{
    struct mg_buffer bytes, again, twice;
    mg_buffer_init(&bytes, 1 << 20);
    mg_buffer_init(&again, 1 << 21);
    mg_buffer_init(&twice, 1 << 20);
    if (base64_decode(&bytes, text)) {
        base64_encode(&again, mg_buffer_slice(&bytes));
        if (!base64_decode(&twice, mg_buffer_slice(&again)) ||
            !mg_slice_equal(mg_buffer_slice(&bytes), mg_buffer_slice(&twice))) {
            abort();
        }
    }
    mg_buffer_free(&bytes);
    mg_buffer_free(&again);
    mg_buffer_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"name", "storeName"};
    struct mg_slice text = mg_slice_of(data, size);
    char values[ODATA_MAX_KEYS][ODATA_MAX_VALUE + 1], name[65];
    for (size_t num = 1; num <= ODATA_MAX_KEYS; num++) {
        if (odata_key_parse(text, names, num, values, NULL) == MG_OK && strlen(values[num - 1]) > ODATA_MAX_VALUE) {
            abort();
        }
    }
    if (edge_xml_name(text, name, sizeof(name), NULL) == MG_OK && strlen(name) >= sizeof(name)) {
        abort();
    }
    check_base64(text);
    return 0;
}
