/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: made, described, deleted; and the certificates that they hold. */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/securosys/ska_certificate.h"
#include "control/securosys/ska_internal.h"
#include "control/text.h"
#include "ossl/base64.h"

#define MAX_PASSWORD_CHARS 256

/* ---- what a key can be ---- */

static const struct key_kind {
    enum wire_key_type type;
    const char *algorithm;
    int64_t key_size;
    const char *curve_oid;     /* NULL for RSA */
    const char *algorithm_oid; /* of its SubjectPublicKeyInfo */
} kinds[] = {
    {WIRE_KEY_RSA_2048, "RSA", 2048, NULL, "1.2.840.113549.1.1.1"},
    {WIRE_KEY_RSA_3072, "RSA", 3072, NULL, "1.2.840.113549.1.1.1"},
    {WIRE_KEY_RSA_4096, "RSA", 4096, NULL, "1.2.840.113549.1.1.1"},
    {WIRE_KEY_EC_P256, "EC", 256, "1.2.840.10045.3.1.7", "1.2.840.10045.2.1"},
    {WIRE_KEY_EC_P384, "EC", 384, "1.3.132.0.34", "1.2.840.10045.2.1"},
};

static const struct key_kind *kind_of(enum wire_key_type type)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(kinds); i++) {
        if (kinds[i].type == type) {
            return &kinds[i];
        }
    }
    return &kinds[0];
}

/* What becomes of another value than the usual one. */
enum attribute_rule {
    TAKEN,
    REFUSED, /* a client would rely on what a key here cannot do */
    IGNORED, /* the vendor's own examples ask for it; the key is described as it is */
};

/* The vendor's attributes, and what they are where a client does not say. */
static const struct attribute {
    const char *name;
    bool usual;
    enum attribute_rule rule;
} attributes[] = {
    {"decrypt", false, TAKEN},       {"derive", false, TAKEN},     {"encrypt", false, TAKEN},
    {"sign", true, TAKEN},           {"unwrap", false, TAKEN},     {"verify", true, TAKEN},
    {"wrap", false, TAKEN},          {"bip32", false, REFUSED},    {"slip10", false, REFUSED},
    {"extractable", false, REFUSED}, {"copyable", false, IGNORED}, {"modifiable", false, IGNORED},
    {"destroyable", true, TAKEN},    {"sensitive", true, REFUSED},
};

/* ---- reading a wish for a key ---- */

struct key_body {
    const char *label, *algorithm, *curve_oid;
    struct http_json_integer key_size;
    const json_t *password, *attributes, *policy;
};

static const struct http_field key_fields[] = {
    {"label", HTTP_FIELD_TEXT, true, offsetof(struct key_body, label), 1, SKA_MAX_LABEL_SIZE - 1},
    {"algorithm", HTTP_FIELD_TEXT, true, offsetof(struct key_body, algorithm), 1, 32},
    {"keySize", HTTP_FIELD_INTEGER, false, offsetof(struct key_body, key_size), 0, 65536},
    {"curveOid", HTTP_FIELD_TEXT, false, offsetof(struct key_body, curve_oid), 0, 64},
    {"password", HTTP_FIELD_ARRAY, false, offsetof(struct key_body, password), 0, MAX_PASSWORD_CHARS},
    {"attributes", HTTP_FIELD_OBJECT, false, offsetof(struct key_body, attributes), 0, 0},
    {"policy", HTTP_FIELD_OBJECT, false, offsetof(struct key_body, policy), 0, 0},
};

/* matches: an RSA key by its size, an EC key by its curve. */
static bool matches(const struct key_kind *kind, const struct key_body *body)
{
    if (kind->curve_oid == NULL) {
        return body->key_size.is_set && body->key_size.value == kind->key_size;
    }
    return body->curve_oid != NULL && strcmp(body->curve_oid, kind->curve_oid) == 0;
}

static enum mg_status find_kind(const struct key_body *body, enum wire_key_type *out, struct ska_error *error)
{
    bool is_known = false;
    for (size_t i = 0; i < MG_ARRAY_LEN(kinds); i++) {
        bool is_this = strcmp(kinds[i].algorithm, body->algorithm) == 0;
        is_known = is_known || is_this;
        if (is_this && matches(&kinds[i], body)) {
            *out = kinds[i].type;
            return MG_OK;
        }
    }
    return is_known ? ska_fail(error, SKA_KEY_SIZE,
                               "keySize, curveOid: RSA has 2048, 3072 or 4096 bits; EC 1.2.840.10045.3.1.7 (P-256)"
                               " or 1.3.132.0.34 (P-384)")
                    : ska_fail(error, SKA_UNSUPPORTED, "algorithm: must be RSA or EC");
}

static enum mg_status read_attribute(const json_t *given, const struct attribute *attribute, json_t *out,
                                     struct ska_error *error)
{
    const json_t *value = json_object_get(given, attribute->name);
    bool is_given = value != NULL && !json_is_null(value);
    if (is_given && !json_is_boolean(value)) {
        return ska_fail(error, SKA_ATTRIBUTES, "attributes: %s must be true or false", attribute->name);
    }
    bool is_true = is_given && attribute->rule != IGNORED ? json_is_true(value) : attribute->usual;
    if (attribute->rule == REFUSED && is_true != attribute->usual) {
        return ska_fail(error, SKA_ATTRIBUTES, "attributes: %s cannot be %s", attribute->name,
                        is_true ? "true" : "false");
    }
    return json_object_set_new(out, attribute->name, json_boolean(is_true)) == 0
               ? MG_OK
               : mg_error_set(&error->why, MG_MEMORY, "out of memory");
}

static enum mg_status read_attributes(const json_t *given, struct ska_key *out, struct ska_error *error)
{
    enum mg_status status = MG_OK;
    out->attributes = json_object();
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes) && status == MG_OK; i++) {
        status = read_attribute(given, &attributes[i], out->attributes, error);
    }
    return status;
}

static enum mg_status read_key(struct ska_call *call, const json_t *json, struct ska_key *out)
{
    static const struct text_rule rule = {.field = "label", .min_chars = 1, .max_chars = SKA_MAX_LABEL};
    struct key_body body = {.label = NULL};
    struct ska_error *error = &call->error;
    enum mg_status status = http_json_fields(json, key_fields, MG_ARRAY_LEN(key_fields), &body, &error->why);
    if (status == MG_OK) {
        status = ska_fail_unless(error, text_set(out->label, mg_slice_of_text(body.label), &rule, &error->why),
                                 SKA_KEY_NAME);
    }
    if (status == MG_OK) {
        status = find_kind(&body, &out->type, error);
    }
    if (status == MG_OK) {
        status = read_attributes(body.attributes, out, error);
    }
    if (status == MG_OK && body.policy != NULL) {
        status = ska_policy_check(body.policy, call->now_us / SKA_US_PER_SECOND, error);
        out->policy = json_deep_copy(body.policy);
    }
    return status == MG_OK ? ska_set_password(call, out, body.password) : status;
}

/* ---- making ---- */

/* note_wish notes the key before the signer is asked for it, as one that nobody wants yet: so no crash loses it. */
static enum mg_status note_wish(struct ska_call *call, const struct ska_key *key, const struct ska_unwanted *wish)
{
    struct store_tx *tx;
    struct ska_key present;
    int64_t count = 0;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = ska_key_load(tx, key->label, &present, NULL);
    if (status == MG_OK) {
        ska_key_free(&present);
        status = ska_fail(&call->error, SKA_KEY_EXISTS, "label: there is such a key");
    } else if (status == MG_NOT_FOUND) {
        status = ska_key_count(tx, &count, &call->error.why);
    }
    if (status == MG_OK && count >= SKA_MAX_KEYS) {
        status = mg_error_set(&call->error.why, MG_LIMIT, "there are %d keys already", SKA_MAX_KEYS);
    }
    return ska_end(call, tx, status == MG_OK ? ska_unwanted_add(tx, wish, &call->error.why) : status);
}

static enum mg_status ask_for_key(struct ska *ska, const struct ska_unwanted *wish, struct wire_key_id *out,
                                  struct mg_error *error)
{
    return signer_client_make_key_for(ska->config.signer, WIRE_PURPOSE_SKA, wish->type, &wish->token, wish->label, "",
                                      out, error);
}

static enum mg_status make_in_signer(struct ska_call *call, struct ska_key *key, const struct ska_unwanted *wish)
{
    struct mg_buffer spki;
    mg_buffer_wrap(&spki, key->public_key, sizeof(key->public_key));
    enum mg_status status = ask_for_key(call->ska, wish, &key->signer_key, &call->error.why);
    if (status == MG_OK) {
        status = signer_client_public_key(call->ska->config.signer, &key->signer_key, &spki, &call->error.why);
        key->public_key_len = spki.len;
    }
    return status;
}

static enum mg_status note_approvers(struct ska_call *call, struct store_tx *tx, const struct ska_key *key)
{
    struct ska_rule *rule;
    enum mg_status status =
        ska_rule_new(&rule, json_object_get(key->policy, "ruleUse"), call->now_us / SKA_US_PER_SECOND, &call->error);
    for (size_t i = 0; status == MG_OK && i < rule->num_approvers; i++) {
        status = ska_approver_add(tx, key->id, &rule->approvers[i], &call->error.why);
        if (status != MG_OK) {
            free(rule);
            return status;
        }
    }
    if (status == MG_OK) {
        free(rule);
    }
    return status;
}

static enum mg_status note_made(struct ska_call *call, struct ska_key *key)
{
    struct store_tx *tx;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = ska_key_insert(tx, key, &call->error.why);
    if (status == MG_OK) {
        status = ska_unwanted_forget(tx, &key->token, &call->error.why);
    }
    if (status == MG_OK) {
        status = note_approvers(call, tx, key);
    }
    if (status == MG_OK) {
        status = ska_audit(call, tx, "createKey", "ska-key", key->label,
                           key->policy != NULL ? "{\"policy\":true}" : "{\"policy\":false}");
    }
    return ska_end(call, tx, status);
}

static enum mg_status make(struct ska_call *call, struct ska_key *key)
{
    struct ska_unwanted wish = {.type = key->type};
    if (RAND_bytes(key->token.bytes, sizeof(key->token.bytes)) != 1) {
        return mg_error_set(&call->error.why, MG_INTERNAL, "no randomness");
    }
    wish.token = key->token;
    ska_unwanted_label(&wish);
    pthread_mutex_lock(&call->ska->work);
    enum mg_status status = note_wish(call, key, &wish);
    if (status == MG_OK) {
        status = make_in_signer(call, key, &wish);
    }
    if (status == MG_OK) {
        status = note_made(call, key);
    }
    pthread_mutex_unlock(&call->ska->work);
    return status;
}

enum mg_status ska_create_key(struct ska_call *call, const json_t *body)
{
    struct ska_key key = {.created_us = call->now_us};
    enum mg_status status = read_key(call, body, &key);
    if (status == MG_OK) {
        status = make(call, &key);
    }
    ska_key_free(&key);
    return status;
}

/* ---- destroying ---- */

static enum mg_status next_unwanted(struct ska *ska, struct ska_unwanted *out, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(ska->config.store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, ska_unwanted_next(tx, out, error), error) : status;
}

static enum mg_status forget_unwanted(struct ska *ska, const struct ska_unwanted *unwanted, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(ska->config.store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, ska_unwanted_forget(tx, &unwanted->token, error), error) : status;
}

/* take_back destroys a key. Which that is only asking for it says; if it was not made, it is now. */
static enum mg_status take_back(struct ska *ska, const struct ska_unwanted *unwanted, struct mg_error *error)
{
    struct wire_key_id key;
    enum mg_status status = ask_for_key(ska, unwanted, &key, error);
    if (status == MG_OK) {
        status = signer_client_destroy(ska->config.signer, &key, error);
    }
    if (status == MG_OK || status == MG_LIMIT) { /* no room for one: so it is not there */
        status = forget_unwanted(ska, unwanted, error);
    }
    return status;
}

enum mg_status ska_destroy_unwanted(struct ska *ska, struct mg_error *error)
{
    struct ska_unwanted unwanted;
    enum mg_status status;
    pthread_mutex_lock(&ska->work);
    while ((status = next_unwanted(ska, &unwanted, error)) == MG_OK) {
        status = take_back(ska, &unwanted, error);
        if (status != MG_OK) {
            break;
        }
    }
    pthread_mutex_unlock(&ska->work);
    return status == MG_NOT_FOUND ? MG_OK : status;
}

static enum mg_status delete_key(struct ska_call *call, struct store_tx *tx, const struct ska_key *key)
{
    enum mg_status status = ska_cancel_all(call, tx, key->id);
    if (status == MG_OK) {
        status = ska_key_delete(tx, key, &call->error.why);
    }
    return status == MG_OK ? ska_audit(call, tx, "deleteKey", "ska-key", key->label, NULL) : status;
}

/* delete_loaded deletes |key|, which was there a moment ago, and may be another by now. */
static enum mg_status delete_loaded(struct ska_call *call, const struct ska_key *key)
{
    struct store_tx *tx;
    struct ska_key present;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = ska_load_key(call, tx, key->label, &present);
    if (status == MG_OK && present.id != key->id) {
        status = ska_fail(&call->error, SKA_NO_KEY, "label: the key has been deleted");
    }
    if (status == MG_OK) {
        status = delete_key(call, tx, &present);
    }
    ska_key_free(&present);
    return ska_end(call, tx, status);
}

enum mg_status ska_delete_key(struct ska_call *call, const char *label, const json_t *password)
{
    struct ska_key key;
    struct mg_error ignored;
    enum mg_status status = ska_read_key(call, label, &key);
    if (status == MG_OK) {
        status = ska_check_password(call, &key, password);
    }
    if (status == MG_OK && json_is_false(json_object_get(key.attributes, "destroyable"))) {
        status = ska_fail(&call->error, SKA_FORBIDDEN_FOR_KEY, "label: the key's attribute destroyable is false");
    }
    if (status == MG_OK) {
        status = delete_loaded(call, &key);
    }
    if (status == MG_OK) {
        (void)!ska_destroy_unwanted(call->ska, &ignored); /* else the thread does, as soon as it can */
    }
    ska_key_free(&key);
    return status;
}

/* ---- describing ---- */

enum mg_status ska_list_keys(struct ska_call *call, json_t **out)
{
    struct store_tx *tx;
    json_t *labels = json_array();
    enum mg_status status = ska_begin(call, STORE_READ, &tx);
    if (status == MG_OK) {
        status = ska_end(call, tx, ska_key_labels(tx, labels, &call->error.why));
    }
    if (status != MG_OK) {
        json_decref(labels);
        return status;
    }
    *out = labels;
    return MG_OK;
}

static json_t *public_key_json(const struct ska_key *key)
{
    char storage[SKA_MAX_PUBLIC_KEY * 4 / 3 + 8];
    struct mg_buffer text;
    mg_buffer_wrap(&text, storage, sizeof(storage));
    base64_encode(&text, mg_slice_of(key->public_key, key->public_key_len));
    return json_stringn(storage, text.len);
}

/* attributes_xml is what the vendor's HSM attests in XML; here it is the same, and attested by nobody. */
static json_t *attributes_xml(const struct ska_key *key)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 4096);
    mg_buffer_append_text(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><key_attributes>");
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes); i++) {
        bool is_true = json_is_true(json_object_get(key->attributes, attributes[i].name));
        mg_buffer_append_format(&text, "<%s>%s</%s>", attributes[i].name, is_true ? "true" : "false",
                                attributes[i].name);
    }
    mg_buffer_append_text(&text, "</key_attributes>");
    json_t *json = json_stringn((const char *)text.data, text.len);
    mg_buffer_free(&text);
    return json;
}

static json_t *key_json(const struct ska_key *key)
{
    const struct key_kind *kind = kind_of(key->type);
    json_t *json = json_pack("{s:s, s:O, s:I, s:O?, s:o, s:s, s:s, s:s?, s:n, s:n}", "label", key->label, "attributes",
                             key->attributes, "keySize", (json_int_t)kind->key_size, "policy", key->policy, "publicKey",
                             public_key_json(key), "algorithm", kind->algorithm, "algorithmOid", kind->algorithm_oid,
                             "curveOid", kind->curve_oid, "derivedAttributes", "id");
    return json_pack("{s:o, s:o, s:s, s:s}", "json", json, "xml", attributes_xml(key), "xmlSignature", "",
                     "attestationKeyName", "");
}

enum mg_status ska_describe_key(struct ska_call *call, const char *label, const json_t *password, json_t **out)
{
    struct ska_key key;
    enum mg_status status = ska_read_key(call, label, &key);
    if (status == MG_OK) {
        status = ska_check_password(call, &key, password);
    }
    if (status == MG_OK) {
        *out = key_json(&key);
        status = *out != NULL ? MG_OK : mg_error_set(&call->error.why, MG_MEMORY, "out of memory");
    }
    ska_key_free(&key);
    return status;
}

/* ---- certificates ---- */

/* set_certificate gives a key |der|, or takes its certificate away. */
static enum mg_status set_certificate(struct ska_call *call, const char *label, struct mg_slice der,
                                      const char *operation)
{
    struct store_tx *tx;
    struct ska_key key;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = ska_load_key(call, tx, label, &key);
    if (status == MG_OK && der.data == NULL && key.certificate.len == 0) {
        status = ska_fail(&call->error, SKA_NO_KEY, "label: the key has no certificate");
    }
    if (status == MG_OK && der.data != NULL &&
        !ska_certificate_matches(der, mg_slice_of(key.public_key, key.public_key_len))) {
        status = ska_fail(&call->error, SKA_INVALID_CERTIFICATE, "certificate: is not for this key");
    }
    if (status == MG_OK) {
        status = ska_key_set_certificate(tx, key.id, der, &call->error.why);
    }
    if (status == MG_OK) {
        status = ska_audit(call, tx, operation, "ska-key", label, NULL);
    }
    ska_key_free(&key);
    return ska_end(call, tx, status);
}

enum mg_status ska_import_certificate(struct ska_call *call, const char *label, const char *text)
{
    struct mg_buffer der;
    mg_buffer_init(&der, SKA_MAX_CERTIFICATE);
    enum mg_status status = ska_certificate_parse(mg_slice_of_text(text), &der, &call->error);
    if (status == MG_OK) {
        status = set_certificate(call, label, mg_buffer_slice(&der), "importCertificate");
    }
    mg_buffer_free(&der);
    return status;
}

enum mg_status ska_delete_certificate(struct ska_call *call, const char *label)
{
    return set_certificate(call, label, mg_slice_of(NULL, 0), "deleteCertificate");
}

enum mg_status ska_get_certificate(struct ska_call *call, const char *label, struct mg_buffer *out)
{
    struct ska_key key;
    enum mg_status status = ska_read_key(call, label, &key);
    if (status == MG_OK && key.certificate.len == 0) {
        status = ska_fail(&call->error, SKA_NO_KEY, "label: the key has no certificate");
    }
    if (status == MG_OK) {
        ska_pem(out, "CERTIFICATE", mg_buffer_slice(&key.certificate));
    }
    ska_key_free(&key);
    return status;
}
