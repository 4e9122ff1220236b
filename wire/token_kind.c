/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/token_kind.h"

#include <string.h>

/* Words in what tokens made of software, and their makers, call themselves. */
static const char *const programs[] = {"softhsm", "soft token", "softtoken", "softtok", "nss ", "gnome", "kryoptic"};
/* A word in their models alone (openCryptoki's is "Soft"): a device's library may well be called software. */
static const char program_model[] = "soft";

static char lower(uint8_t byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
}

/* has_word tells whether |word|, in lower case, is in |text|, whatever the case. */
static bool has_word(struct mg_slice text, const char *word)
{
    char copy[WIRE_TOKEN_MAX_LABEL + 1] = "";
    for (size_t i = 0; i < text.len && i < WIRE_TOKEN_MAX_LABEL; i++) {
        copy[i] = lower(text.data[i]);
    }
    return strstr(copy, word) != NULL;
}

enum token_kind token_kind_of(const struct wire_token_identity *identity)
{
    const struct mg_slice texts[] = {identity->module, identity->module_maker, identity->maker, identity->model};
    for (size_t i = 0; i < MG_ARRAY_LEN(texts); i++) {
        for (size_t n = 0; n < MG_ARRAY_LEN(programs); n++) {
            if (has_word(texts[i], programs[n])) {
                return TOKEN_KIND_SOFTWARE;
            }
        }
    }
    if (has_word(identity->model, program_model)) {
        return TOKEN_KIND_SOFTWARE;
    }
    return identity->is_hardware_slot ? TOKEN_KIND_HARDWARE : TOKEN_KIND_UNKNOWN;
}

const char *token_kind_name(enum token_kind kind)
{
    static const char *const names[TOKEN_NUM_KINDS] = {
        [TOKEN_KIND_UNKNOWN] = "unknown", [TOKEN_KIND_SOFTWARE] = "software", [TOKEN_KIND_HARDWARE] = "hardware"};
    return (unsigned)kind < TOKEN_NUM_KINDS ? names[kind] : "unknown";
}
