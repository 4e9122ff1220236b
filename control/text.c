/* SPDX-License-Identifier: Apache-2.0 */
#include "control/text.h"

#include <string.h>

/* The forms of RFC 3629 section 4, by the first byte: how many bytes follow, and the range of the second, which keeps
 * out overlong forms, surrogates and what lies beyond U+10FFFF. */
static const struct form {
    uint8_t first, last;
    uint8_t num_more;
    uint8_t second_min, second_max;
} forms[] = {
    {0x00, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct form *form_of(uint8_t first)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(forms); i++) {
        if (first >= forms[i].first && first <= forms[i].last) {
            return &forms[i];
        }
    }
    return NULL;
}

/* take_character moves one character's bytes to |out|; false: no UTF-8. */
static bool take_character(struct mg_slice *in, struct mg_slice *out)
{
    const struct form *form = form_of(in->data[0]);
    if (form == NULL || !mg_slice_take(in, out, 1u + form->num_more)) {
        return false;
    }
    for (size_t i = 1; i < out->len; i++) {
        uint8_t min = i == 1 ? form->second_min : 0x80, max = i == 1 ? form->second_max : 0xbf;
        if (out->data[i] < min || out->data[i] > max) {
            return false;
        }
    }
    return true;
}

static bool is_control(struct mg_slice character)
{
    return character.len == 1 ? character.data[0] < 0x20 || character.data[0] == 0x7f
                              : character.len == 2 && character.data[0] == 0xc2 && character.data[1] < 0xa0;
}

enum mg_status text_set(char *out, struct mg_slice text, const struct text_rule *rule, struct mg_error *error)
{
    struct mg_slice rest = text, character;
    size_t num_chars = 0;
    for (; rest.len > 0; num_chars++) {
        if (!take_character(&rest, &character)) {
            return mg_error_set(error, MG_INVALID, "%s: is not UTF-8", rule->field);
        }
        if (is_control(character)) {
            return mg_error_set(error, MG_INVALID, "%s: has a control character", rule->field);
        }
        if (character.len == 1 && rule->forbidden != NULL && strchr(rule->forbidden, character.data[0]) != NULL) {
            return mg_error_set(error, MG_INVALID, "%s: may not have any of %s", rule->field, rule->forbidden);
        }
    }
    if (num_chars < rule->min_chars || num_chars > rule->max_chars) {
        return mg_error_set(error, MG_INVALID, "%s: must have %zu to %zu characters", rule->field, rule->min_chars,
                            rule->max_chars);
    }
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = '\0';
    return MG_OK;
}
