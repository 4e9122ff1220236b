/* SPDX-License-Identifier: Apache-2.0 */
#include "control/key_place.h"

#include <string.h>

static bool names(const struct config_token *token, const struct config_token *partner)
{
    return strcmp(token->partner, partner->name) == 0;
}

/* is_standby tells whether the token at |index| is another one's partner, and not that one's primary. */
static bool is_standby(const struct config_tokens *tokens, size_t index)
{
    const struct config_token *token = &tokens->items[index];
    for (size_t i = 0; i < tokens->num_items; i++) {
        if (i != index && names(&tokens->items[i], token) && (i < index || !names(token, &tokens->items[i]))) {
            return true;
        }
    }
    return false;
}

static bool takes_keys_of(const struct config_tokens *tokens, size_t index, enum intermediate_region region)
{
    static const enum intermediate_region regions[] = {
        [CONFIG_REGION_GLOBAL] = INTERMEDIATE_GLOBAL,
        [CONFIG_REGION_ASIA] = INTERMEDIATE_ASIA,
        [CONFIG_REGION_EUROPE] = INTERMEDIATE_EUROPE,
        [CONFIG_REGION_US] = INTERMEDIATE_US,
    };
    return regions[tokens->items[index].region] == region && !is_standby(tokens, index);
}

bool key_place_exists(const struct config_tokens *tokens, enum intermediate_region region)
{
    bool found = false;
    for (size_t i = 0; i < tokens->num_items; i++) {
        found = found || takes_keys_of(tokens, i, region);
    }
    return found;
}

enum mg_status key_place_choose(const struct config_tokens *tokens, enum intermediate_region region,
                                const size_t *num_keys, const char **out, struct mg_error *error)
{
    size_t best = tokens->num_items;
    for (size_t i = 0; i < tokens->num_items; i++) {
        if (takes_keys_of(tokens, i, region) && (best == tokens->num_items || num_keys[i] < num_keys[best])) {
            best = i;
        }
    }
    if (best == tokens->num_items) {
        return mg_error_set(error, MG_NOT_FOUND, "region: no token keeps keys in %s",
                            words_name(&intermediate_region_words, region));
    }
    *out = tokens->items[best].name;
    return MG_OK;
}
