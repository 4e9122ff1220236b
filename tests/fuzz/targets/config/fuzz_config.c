/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config;
    struct mg_error error;
    if (config_parse(&config, "fuzz.yaml", data, size, &error) == MG_OK) {
        config_free(config);
    }
    return 0;
}
