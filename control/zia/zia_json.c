/* SPDX-License-Identifier: Apache-2.0 */
#include "control/zia/zia_json.h"

#include <stddef.h>

#include "base/buffer.h"
#include "control/http/json_body.h"

/* ---- records as JSON ---- */

enum member_kind {
    MEMBER_NUMBER,     /* int64_t */
    MEMBER_TIME,       /* int64_t in seconds since 1970; 0 is absent */
    MEMBER_FLAG,       /* bool */
    MEMBER_WORD,       /* an enum of |words| */
    MEMBER_TEXT,       /* char[]; "" is absent */
    MEMBER_OWNED_TEXT, /* char *; NULL is absent */
};

enum object { CERT = 1, LITE = 2, READY = 4 };

/* The members of Cert in the order of the recorded answers, and which objects have them. */
static const struct member {
    const char *name;
    enum member_kind kind;
    size_t offset; /* in struct intermediate */
    const struct words *words;
    unsigned objects;
} members[] = {
#define MEMBER(name, kind, field, words, objects)                                                                      \
    {                                                                                                                  \
        name, MEMBER_##kind, offsetof(struct intermediate, field), words, objects                                      \
    }
    MEMBER("id", NUMBER, id, NULL, CERT | LITE | READY),
    MEMBER("name", TEXT, name, NULL, CERT | LITE | READY),
    MEMBER("type", WORD, type, &intermediate_type_words, CERT | LITE),
    MEMBER("region", WORD, region, &intermediate_region_words, CERT | LITE),
    MEMBER("status", WORD, status, &intermediate_status_words, CERT | LITE),
    MEMBER("defaultCertificate", FLAG, is_default, NULL, CERT | LITE | READY),
    MEMBER("keyType", WORD, key_type, &intermediate_key_type_words, CERT | LITE),
    MEMBER("fallbackCertId", NUMBER, fallback_id, NULL, CERT | LITE),
    MEMBER("certStartDate", TIME, not_before, NULL, CERT | LITE),
    MEMBER("certExpDate", TIME, not_after, NULL, CERT | LITE),
    MEMBER("description", TEXT, description, NULL, CERT | LITE),
    MEMBER("currentState", WORD, state, &intermediate_state_words, CERT | LITE),
    MEMBER("publicKey", OWNED_TEXT, public_key, NULL, CERT),
    MEMBER("keyGenerationTime", TIME, key_time, NULL, CERT),
    MEMBER("hsmAttestationVerifiedTime", TIME, attestation_time, NULL, CERT),
    MEMBER("csrFileName", TEXT, csr.file_name, NULL, CERT),
    MEMBER("csrGenerationTime", TIME, csr_time, NULL, CERT),
    MEMBER("uploadedCertFileName", TEXT, certificate_file, NULL, CERT),
#undef MEMBER
};

/* present returns |text|, or NULL where it is empty. */
static const char *present(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static bool is_absent(const struct member *member, const void *place)
{
    switch (member->kind) {
    case MEMBER_TIME:
        return *(const int64_t *)place == 0;
    case MEMBER_TEXT:
        return present(place) == NULL;
    case MEMBER_OWNED_TEXT:
        return present(*(char *const *)place) == NULL;
    default:
        return false;
    }
}

/* value_of returns a new value, or NULL for no memory. */
static json_t *value_of(const struct member *member, const void *place)
{
    switch (member->kind) {
    case MEMBER_FLAG:
        return json_boolean(*(const bool *)place);
    case MEMBER_WORD:
        return json_string(words_name(member->words, *(const unsigned *)place));
    case MEMBER_TEXT:
        return json_string(place);
    case MEMBER_OWNED_TEXT:
        return json_string(*(char *const *)place);
    default:
        return json_integer(*(const int64_t *)place);
    }
}

/* add_member adds one member to |object|, unless it is absent; false: no memory. */
static bool add_member(json_t *object, const struct member *member, const void *place)
{
    return is_absent(member, place) || json_object_set_new(object, member->name, value_of(member, place)) == 0;
}

static json_t *render(const struct intermediate *record, enum object which)
{
    json_t *object = json_object();
    for (size_t i = 0; i < MG_ARRAY_LEN(members); i++) {
        const struct member *member = &members[i];
        if ((member->objects & which) != 0 && !add_member(object, member, (const char *)record + member->offset)) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *zia_json_cert(const struct intermediate *record)
{
    return render(record, CERT);
}

json_t *zia_json_lite(const struct intermediate *record)
{
    return render(record, LITE);
}

json_t *zia_json_ready(const struct intermediate *record)
{
    return render(record, READY);
}

json_t *zia_json_csr(const struct intermediate *record)
{
    const struct intermediate_csr *csr = &record->csr;
    return json_pack("{s:I,s:s*,s:s*,s:s*,s:s*,s:s*,s:s*,s:s*,s:I,s:s*,s:I,s:I}", "certId", (json_int_t)record->id,
                     "csrFileName", present(csr->file_name), "commName", present(csr->common_name), "orgName",
                     present(csr->organization), "deptName", present(csr->unit), "city", present(csr->city), "state",
                     present(csr->state), "country", present(csr->country), "keySize", (json_int_t)csr->key_size,
                     "signatureAlgorithm", present(csr->digest), "pathLengthConstraint", (json_int_t)csr->path_len,
                     "csrGenerationTime", (json_int_t)record->csr_time);
}

json_t *zia_json_signed(const struct intermediate *record, const struct certificate_subject *subject)
{
    return json_pack("{s:I,s:s*,s:s*,s:s*,s:s*,s:s*,s:s*,s:s*,s:I}", "certId", (json_int_t)record->id, "csrFileName",
                     present(record->csr.file_name), "commName", present(subject->common_name), "orgName",
                     present(subject->organization), "deptName", present(subject->unit), "city",
                     present(subject->locality), "state", present(subject->state), "country", present(subject->country),
                     "keySize", (json_int_t)record->csr.key_size);
}

/* ---- what clients send ---- */

/* The life cycle counts characters; in bytes a text cannot have more than these. */
#define MAX_BYTES(max_chars) (TEXT_SIZE(max_chars) - 1)
#define MAX_WORD 32

/* slice_of returns a slice without memory for an absent text. */
static struct mg_slice slice_of(const char *text)
{
    return text == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(text);
}

/* list_words writes "A, B, C" into |out|, as a text. */
static void list_words(const struct words *words, char *out, size_t size)
{
    struct mg_buffer text;
    mg_buffer_wrap(&text, out, size - 1);
    for (unsigned value = 1; value < words->num_names; value++) {
        mg_buffer_append_text(&text, value > 1 ? ", " : "");
        mg_buffer_append_text(&text, words->names[value]);
    }
    out[text.len] = '\0';
}

/* A member whose text is a word of a list. */
struct word_member {
    const char *name;
    const char *text; /* NULL or "": absent */
    const struct words *words;
    unsigned *out;
};

static enum mg_status read_words(const struct word_member *list, size_t num, struct mg_error *error)
{
    for (size_t i = 0; i < num; i++) {
        char allowed[256];
        if (present(list[i].text) == NULL) {
            continue;
        }
        *list[i].out = words_value(list[i].words, mg_slice_of_text(list[i].text));
        if (*list[i].out == 0) {
            list_words(list[i].words, allowed, sizeof(allowed));
            return mg_error_set(error, MG_INVALID, "%s: must be one of %s", list[i].name, allowed);
        }
    }
    return MG_OK;
}

struct draft_body {
    const char *name, *description, *type, *region, *status, *key_type;
    struct http_json_integer fallback_id;
};

static const struct http_field draft_fields[] = {
#define TEXT(name, field, max_bytes)                                                                                   \
    {                                                                                                                  \
        name, HTTP_FIELD_TEXT, false, offsetof(struct draft_body, field), 0, max_bytes                                 \
    }
    TEXT("name", name, MAX_BYTES(INTERMEDIATE_MAX_NAME)),
    TEXT("description", description, MAX_BYTES(INTERMEDIATE_MAX_DESCRIPTION)),
    TEXT("type", type, MAX_WORD),
    TEXT("region", region, MAX_WORD),
    TEXT("status", status, MAX_WORD),
    TEXT("keyType", key_type, MAX_WORD),
    {"fallbackCertId", HTTP_FIELD_INTEGER, false, offsetof(struct draft_body, fallback_id), 0, INT64_MAX},
#undef TEXT
};

enum mg_status zia_json_read_draft(const json_t *object, struct lifecycle_draft *out, struct mg_error *error)
{
    struct draft_body body = {.name = NULL};
    unsigned type = 0, region = 0, state = 0, key_type = 0;
    enum mg_status status = http_json_fields(object, draft_fields, MG_ARRAY_LEN(draft_fields), &body, error);
    if (status == MG_OK) {
        const struct word_member words[] = {
            {"type", body.type, &intermediate_type_words, &type},
            {"region", body.region, &intermediate_region_words, &region},
            {"status", body.status, &intermediate_status_words, &state},
            {"keyType", body.key_type, &intermediate_key_type_words, &key_type},
        };
        status = read_words(words, MG_ARRAY_LEN(words), error);
    }
    if (status == MG_OK) {
        *out = (struct lifecycle_draft){.name = slice_of(body.name),
                                        .description = slice_of(body.description),
                                        .type = type,
                                        .region = region,
                                        .status = state,
                                        .key_type = key_type,
                                        .fallback_id = body.fallback_id.is_set ? body.fallback_id.value : -1};
    }
    return status;
}

struct csr_body {
    const char *file_name, *common_name, *organization, *unit, *city, *state, *country, *digest;
    struct http_json_integer key_size, path_len;
};

static const struct http_field csr_fields[] = {
#define TEXT(name, field, max_chars)                                                                                   \
    {                                                                                                                  \
        name, HTTP_FIELD_TEXT, false, offsetof(struct csr_body, field), 0, MAX_BYTES(max_chars)                        \
    }
    TEXT("csrFileName", file_name, INTERMEDIATE_MAX_FILE_NAME),
    TEXT("commName", common_name, INTERMEDIATE_MAX_ATTRIBUTE),
    TEXT("orgName", organization, INTERMEDIATE_MAX_ATTRIBUTE),
    TEXT("deptName", unit, INTERMEDIATE_MAX_ATTRIBUTE),
    TEXT("city", city, INTERMEDIATE_MAX_PLACE),
    TEXT("state", state, INTERMEDIATE_MAX_PLACE),
    TEXT("country", country, 2),
    TEXT("signatureAlgorithm", digest, 8),
    {"keySize", HTTP_FIELD_INTEGER, false, offsetof(struct csr_body, key_size), 0, INT32_MAX},
    {"pathLengthConstraint", HTTP_FIELD_INTEGER, false, offsetof(struct csr_body, path_len), 0, INT32_MAX},
#undef TEXT
};

enum mg_status zia_json_read_csr_wish(const json_t *object, struct lifecycle_csr_wish *out, struct mg_error *error)
{
    struct csr_body body = {.file_name = NULL};
    enum mg_status status = http_json_fields(object, csr_fields, MG_ARRAY_LEN(csr_fields), &body, error);
    if (status == MG_OK) {
        *out = (struct lifecycle_csr_wish){.file_name = slice_of(body.file_name),
                                           .common_name = slice_of(body.common_name),
                                           .organization = slice_of(body.organization),
                                           .unit = slice_of(body.unit),
                                           .city = slice_of(body.city),
                                           .state = slice_of(body.state),
                                           .country = slice_of(body.country),
                                           .digest = slice_of(body.digest),
                                           .key_size = body.key_size.is_set ? body.key_size.value : -1,
                                           .path_len = body.path_len.is_set ? body.path_len.value : -1};
    }
    return status;
}

struct id_body {
    struct http_json_integer id, cert_id;
};

static const struct http_field id_fields[] = {
    {"id", HTTP_FIELD_INTEGER, false, offsetof(struct id_body, id), 0, INT64_MAX},
    {"certId", HTTP_FIELD_INTEGER, false, offsetof(struct id_body, cert_id), 0, INT64_MAX},
};

enum mg_status zia_json_read_id(const json_t *object, int64_t *out, struct mg_error *error)
{
    struct id_body body = {.id = {.is_set = false}};
    enum mg_status status = http_json_fields(object, id_fields, MG_ARRAY_LEN(id_fields), &body, error);
    if (status == MG_OK && !body.id.is_set && !body.cert_id.is_set) {
        status = mg_error_set(error, MG_INVALID, "id: is required where the path has none");
    }
    if (status == MG_OK) {
        *out = body.id.is_set ? body.id.value : body.cert_id.value;
    }
    return status;
}

struct file_body {
    const char *file;
};

static const struct http_field file_fields[] = {
    {"fileUpload", HTTP_FIELD_TEXT, true, offsetof(struct file_body, file), 1, CERTIFICATE_MAX_CHAIN_FILE},
};

enum mg_status zia_json_read_file(const json_t *object, struct mg_slice *out, struct mg_error *error)
{
    struct file_body body = {.file = NULL};
    enum mg_status status = http_json_fields(object, file_fields, MG_ARRAY_LEN(file_fields), &body, error);
    if (status == MG_OK) {
        *out = mg_slice_of_text(body.file);
    }
    return status;
}
