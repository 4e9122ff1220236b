/* SPDX-License-Identifier: Apache-2.0 */
/* A query or form: each name once, each text within the storage; pages within the list. */
#include <stdlib.h>

#include "control/http/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_paging(const struct http_params *params)
{
    struct http_paging paging;
    size_t first, num;
    if (http_paging_read(params, 100, 1000, &paging, NULL) == MG_OK) {
        http_paging_range(&paging, 250, &first, &num);
        if (num > 1000 || first > 250 || num > 250 - first) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_params params = {.num_items = 0};
    if (http_params_decode(&params, mg_slice_of(data, size), NULL) != MG_OK) {
        if (params.storage != NULL || params.num_items != 0) {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < params.num_items; i++) {
        if (http_params_get0(&params, params.items[i].name) != params.items[i].value) {
            abort();
        }
    }
    check_paging(&params);
    http_params_free(&params);
    return 0;
}
