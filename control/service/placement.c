/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/placement.h"

#include <stddef.h>

struct tally {
    const struct config_tokens *tokens;
    size_t num_keys[CONFIG_MAX_TOKENS];
};

static enum mg_status count_key(void *arg, const struct wire_control_key *key)
{
    struct tally *tally = arg;
    for (size_t i = 0; i < tally->tokens->num_items; i++) {
        tally->num_keys[i] += mg_slice_equal(mg_slice_of_text(tally->tokens->items[i].name), key->holder);
    }
    return MG_OK;
}

enum mg_status placement_choose(const struct config_tokens *tokens, struct signer_client *signer,
                                enum intermediate_region region, const char **out, struct mg_error *error)
{
    struct tally tally = {.tokens = tokens};
    enum mg_status status = signer_client_list(signer, count_key, &tally, error);
    return status == MG_OK ? key_place_choose(tokens, region, tally.num_keys, out, error) : status;
}
