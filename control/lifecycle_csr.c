/* SPDX-License-Identifier: Apache-2.0 */
/* What a CSR is to say: the wish, the defaults, and the bounds of RFC 5280 appendix A.1. */
#include <stdio.h>

#include "control/lifecycle_step.h"

#define MAX_PATH_LEN 8

/* A text field of the wish, where it goes, and its rule. */
struct field {
    struct mg_slice given;
    char *out;
    struct text_rule rule;
};

static enum mg_status set_fields(const struct field *fields, size_t num, struct mg_error *error)
{
    for (size_t i = 0; i < num; i++) {
        enum mg_status status = text_set(fields[i].out, fields[i].given, &fields[i].rule, error);
        if (status != MG_OK) {
            return status;
        }
    }
    return MG_OK;
}

static struct mg_slice or_else(struct mg_slice given, const char *otherwise)
{
    return given.len > 0 ? given : mg_slice_of_text(otherwise);
}

static enum mg_status set_texts(const struct lifecycle_csr_wish *wish, const struct intermediate *record,
                                struct intermediate_csr *out, struct mg_error *error)
{
    char file_name[sizeof(record->name) + sizeof("-csr")];
    snprintf(file_name, sizeof(file_name), "%s-csr", record->name);
    const struct field fields[] = {
        {or_else(wish->file_name, file_name), out->file_name, {"csrFileName", 1, INTERMEDIATE_MAX_FILE_NAME, "\"/\\"}},
        {or_else(wish->common_name, record->name), out->common_name, {"commName", 1, INTERMEDIATE_MAX_ATTRIBUTE, NULL}},
        {wish->organization, out->organization, {"orgName", 0, INTERMEDIATE_MAX_ATTRIBUTE, NULL}},
        {wish->unit, out->unit, {"deptName", 0, INTERMEDIATE_MAX_ATTRIBUTE, NULL}},
        {wish->city, out->city, {"city", 0, INTERMEDIATE_MAX_PLACE, NULL}},
        {wish->state, out->state, {"state", 0, INTERMEDIATE_MAX_PLACE, NULL}},
        {wish->country, out->country, {"country", 0, 2, NULL}},
        {or_else(wish->digest, "SHA256"), out->digest, {"signatureAlgorithm", 1, 8, NULL}},
    };
    return set_fields(fields, MG_ARRAY_LEN(fields), error);
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int64_t size_of_key(enum wire_key_type type)
{
    static const int64_t sizes[] = {
        [WIRE_KEY_EC_P256] = 256,   [WIRE_KEY_EC_P384] = 384,   [WIRE_KEY_RSA_2048] = 2048,
        [WIRE_KEY_RSA_3072] = 3072, [WIRE_KEY_RSA_4096] = 4096,
    };
    return sizes[type];
}

static enum mg_status check_words(const struct intermediate_csr *csr, struct mg_error *error)
{
    if (csr->country[0] != '\0' && !(is_letter(csr->country[0]) && is_letter(csr->country[1]))) {
        return mg_error_set(error, MG_INVALID, "country: must be two letters (ISO 3166)");
    }
    if (strcmp(csr->digest, "SHA256") != 0 && strcmp(csr->digest, "SHA384") != 0) {
        return mg_error_set(error, MG_INVALID, "signatureAlgorithm: must be SHA256 or SHA384");
    }
    return MG_OK;
}

static enum mg_status set_numbers(const struct lifecycle_csr_wish *wish, const struct intermediate *record,
                                  struct intermediate_csr *out, struct mg_error *error)
{
    out->key_size = size_of_key(record->key_type);
    if (wish->key_size >= 0 && wish->key_size != out->key_size) {
        return mg_error_set(error, MG_INVALID, "keySize: the key was made with %lld bits (keyType %s)",
                            (long long)out->key_size, words_name(&intermediate_key_type_words, record->key_type));
    }
    out->path_len = wish->path_len >= 0 ? wish->path_len : record->type == INTERMEDIATE_HSM ? 0 : 1;
    if (out->path_len > MAX_PATH_LEN) {
        return mg_error_set(error, MG_INVALID, "pathLengthConstraint: must be 0 to %d", MAX_PATH_LEN);
    }
    return MG_OK;
}

/* resolve fills |out| from the wish and the defaults. */
static enum mg_status resolve(const struct lifecycle_csr_wish *wish, const struct intermediate *record,
                              struct intermediate_csr *out, struct mg_error *error)
{
    enum mg_status status = set_texts(wish, record, out, error);
    if (status == MG_OK) {
        status = check_words(out, error);
    }
    return status == MG_OK ? set_numbers(wish, record, out, error) : status;
}

enum mg_status lifecycle_check_csr(struct lifecycle_call *call, int64_t id, const struct lifecycle_csr_wish *wish,
                                   struct intermediate_csr *csr, struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    enum mg_status status = lifecycle_check(call, LIFECYCLE_MAKE_CSR, id, &record, error);
    if (status != MG_OK) {
        return status;
    }
    status = resolve(wish, &record, csr, error);
    if (status == MG_OK && out != NULL) {
        *out = record;
        return MG_OK;
    }
    intermediate_free(&record);
    call->code = status == MG_OK ? NULL : "INVALID_INPUT_ARGUMENT";
    return status;
}
