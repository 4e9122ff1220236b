/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/token_attributes.h"

enum mg_status token_attributes_check(const struct wire_token_attributes *attributes, struct mg_error *error)
{
    static const struct {
        enum wire_token_attribute attribute;
        enum wire_token_answer wanted;
        bool may_be_unknown;
    } rows[WIRE_TOKEN_NUM_ATTRIBUTES] = {
        {WIRE_TOKEN_IS_LOCAL, WIRE_TOKEN_YES, false},
        {WIRE_TOKEN_IS_SENSITIVE, WIRE_TOKEN_YES, false},
        {WIRE_TOKEN_WAS_ALWAYS_SENSITIVE, WIRE_TOKEN_YES, false},
        {WIRE_TOKEN_IS_EXTRACTABLE, WIRE_TOKEN_NO, false},
        {WIRE_TOKEN_WAS_NEVER_EXTRACTABLE, WIRE_TOKEN_YES, false},
        {WIRE_TOKEN_IS_MODIFIABLE, WIRE_TOKEN_NO, true},
        {WIRE_TOKEN_IS_PRIVATE, WIRE_TOKEN_YES, false},
        {WIRE_TOKEN_MAY_SIGN, WIRE_TOKEN_YES, false},
        {WIRE_TOKEN_MAY_DECRYPT, WIRE_TOKEN_NO, true},
        {WIRE_TOKEN_MAY_UNWRAP, WIRE_TOKEN_NO, true},
        {WIRE_TOKEN_MAY_DERIVE, WIRE_TOKEN_NO, true},
        {WIRE_TOKEN_IS_READABLE, WIRE_TOKEN_NO, false},
    };
    static const char *const words[] = {"no", "yes", "unknown"};
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        enum wire_token_answer answer = attributes->answers[rows[i].attribute];
        if (answer != rows[i].wanted && !(answer == WIRE_TOKEN_UNKNOWN && rows[i].may_be_unknown)) {
            return mg_error_set(error, MG_DENIED, "%s: the token says %s, and it must be %s",
                                wire_token_attribute_name(rows[i].attribute), words[answer], words[rows[i].wanted]);
        }
    }
    return MG_OK;
}
