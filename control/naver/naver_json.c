/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/naver_json.h"

#include <stdio.h>
#include <string.h>

#include "control/http/json_body.h"
#include "control/http/scan.h"
#include "control/naver/pca_names.h"

#define MAX_LIST 4096
#define MAX_WORD 64
#define US_PER_MS 1000
#define MS_PER_SECOND 1000
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

/* ---- records as JSON ---- */

json_t *naver_json_pem(const char *pem)
{
    size_t len = pem == NULL ? 0 : strlen(pem);
    while (len > 0 && pem[len - 1] == '\n') {
        len--;
    }
    return json_stringn(pem == NULL ? "" : pem, len);
}

/* text_or_null: absent values are null. */
static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *urls(const char *url)
{
    return url[0] == '\0' ? json_array() : json_pack("[s]", url);
}

json_t *naver_json_info(const struct pca *pca, const struct pca_ca *ca)
{
    char crl[PCA_MAX_URL + 64];
    pca_crl_url(pca, ca->tag, crl);
    json_t *destroy = ca->destroy_us == 0 ? json_null() : json_integer(ca->destroy_us / US_PER_MS);
    return json_pack("{s:I,s:s,s:s,s:s,s:I,s:o,s:I,s:s,s:s,s:I,s:{s:[],s:o,s:o},s:s++}", "caId", (json_int_t)ca->id,
                     "alias", ca->alias, "caTag", ca->tag, "status", words_name(&pca_status_words, ca->status),
                     "statusUpdateDate", (json_int_t)(ca->status_us / US_PER_MS), "destroyDate", destroy, "rgstDate",
                     (json_int_t)(ca->created_us / US_PER_MS), "caType", words_name(&pca_type_words, ca->type), "memo",
                     ca->memo, "signingCount", (json_int_t)ca->signing_count, "urlInfo", "ca", "crl", urls(crl), "ocsp",
                     urls(ca->ocsp_url), "nrn", "nrn:mintgate:PrivateCA::ca/", ca->tag, "");
}

/* key_name writes the algorithm of a public key as RSA2048 or EC256. */
static void key_name(const EVP_PKEY *key, char *out, size_t size)
{
    snprintf(out, size, "%s%d", key != NULL && EVP_PKEY_is_a(key, "RSA") ? "RSA" : "EC",
             key == NULL ? 0 : EVP_PKEY_get_bits(key));
}

static const char *signature_name(const X509 *x509)
{
    const char *name = OBJ_nid2ln(X509_get_signature_nid(x509));
    return name == NULL ? "" : name;
}

/* common_name_of writes the CN of |name|; "" where it has none. */
static void common_name_of(const X509_NAME *name, char *out, size_t size)
{
    uint8_t *text = NULL;
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    int len = index < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
    snprintf(out, size, "%.*s", len < 0 ? 0 : len, len < 0 ? "" : (const char *)text);
    OPENSSL_free(text);
}

static void serial_of(const X509 *x509, char out[PCA_SERIAL_SIZE])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
    pca_format_serial(out, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
}

static json_t *certificate_info(const struct pca_ca *ca)
{
    X509 *x509 = NULL;
    struct mg_error error;
    int64_t not_before, not_after;
    char key[32], serial[PCA_SERIAL_SIZE], issuer[4 * PCA_MAX_NAME + 1];
    const struct pca_subject *subject = &ca->subject;
    if (ca->certificate == NULL) {
        return json_null();
    }
    if (pca_read(ca->certificate, &x509, &error) != MG_OK || !pca_validity_of(x509, &not_before, &not_after)) {
        X509_free(x509);
        return NULL;
    }
    key_name(X509_get0_pubkey(x509), key, sizeof(key));
    serial_of(x509, serial);
    common_name_of(X509_get_issuer_name(x509), issuer, sizeof(issuer));
    json_t *json = json_pack(
        "{s:I,s:s,s:s,s:I,s:I,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "caCertId", (json_int_t)ca->id, "commonName",
        subject->common_name, "issuerName", issuer, "notBeforeDate", (json_int_t)(not_before * MS_PER_SECOND),
        "notAfterDate", (json_int_t)(not_after * MS_PER_SECOND), "publicKeyAlgorithm", key, "signatureAlgorithm",
        signature_name(x509), "serialNo", serial, "country", text_or_null(subject->country), "stateProvince",
        text_or_null(subject->state), "locality", text_or_null(subject->locality), "organization",
        text_or_null(subject->organization), "organizationUnit", text_or_null(subject->unit), "certPem",
        naver_json_pem(ca->certificate), "chainPem", naver_json_pem(ca->chain));
    X509_free(x509);
    return json;
}

json_t *naver_json_ca(const struct pca *pca, const struct pca_ca *ca)
{
    return json_pack("{s:o,s:o}", "caInfo", naver_json_info(pca, ca), "caCertInfo", certificate_info(ca));
}

json_t *naver_json_chain(const struct pca_ca *ca)
{
    char *text;
    if (asprintf(&text, "%s%s", ca->certificate, ca->chain == NULL ? "" : ca->chain) < 0) {
        return NULL;
    }
    json_t *json = naver_json_pem(text);
    free(text);
    return json;
}

/* chain_array is naver_json_chain with each certificate a text of its own. */
static json_t *chain_array(const struct pca_ca *ca)
{
    json_t *array = json_pack("[o]", naver_json_pem(ca->certificate));
    const char *at = ca->chain == NULL ? NULL : strstr(ca->chain, PEM_BEGIN);
    while (at != NULL) {
        const char *next = strstr(at + 1, PEM_BEGIN);
        char *one = mg_slice_dup_text(mg_slice_of(at, next == NULL ? strlen(at) : (size_t)(next - at)));
        (void)json_array_append_new(array, one == NULL ? NULL : naver_json_pem(one));
        free(one);
        at = next;
    }
    return array;
}

json_t *naver_json_signed(const struct pca_issued *issued)
{
    return json_pack("{s:o,s:o,s:s,s:o,s:s}", "certificate", naver_json_pem(issued->certificate.pem), "caChain",
                     chain_array(&issued->issuer), "ocspResponder", issued->issuer.ocsp_url, "issuer",
                     naver_json_pem(issued->issuer.certificate), "serialNo", issued->certificate.serial);
}

json_t *naver_json_issued(const struct pca_issued *issued)
{
    json_t *json = naver_json_signed(issued);
    const struct mg_buffer *key = &issued->private_key;
    if (json_object_set_new(json, "caChain", naver_json_chain(&issued->issuer)) != 0 ||
        json_object_set_new(json, "privateKey", json_stringn((const char *)key->data, key->len)) != 0) {
        http_json_free(json);
        return NULL;
    }
    return json;
}

json_t *naver_json_certificate(const struct pca_ca *ca, const struct pca_certificate *certificate)
{
    X509 *x509;
    struct mg_error error;
    char key[32];
    if (pca_read(certificate->pem, &x509, &error) != MG_OK) {
        return NULL;
    }
    key_name(X509_get0_pubkey(x509), key, sizeof(key));
    json_t *revoked = certificate->revoked_us == 0 ? json_null() : json_integer(certificate->revoked_us / US_PER_MS);
    json_t *json =
        json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:o,s:o,s:s,s:o}", "serialNo", certificate->serial, "commonName",
                  certificate->common_name, "notBeforeDate", (json_int_t)(certificate->not_before * MS_PER_SECOND),
                  "notAfterDate", (json_int_t)(certificate->not_after * MS_PER_SECOND), "publicKeyAlgorithm", key,
                  "signatureAlgorithm", signature_name(x509), "certPem", naver_json_pem(certificate->pem), "caChain",
                  naver_json_chain(ca), "ocspResponder", ca->ocsp_url, "revokeDate", revoked);
    X509_free(x509);
    return json;
}

/* ---- members ---- */

static bool is_absent(const json_t *value)
{
    return value == NULL || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0);
}

enum mg_status naver_json_read_text(struct pca_call *call, const json_t *body, const char *name, size_t max_len,
                                    const char *missing, const char **out, struct mg_error *error)
{
    const json_t *value = json_object_get(body, name);
    *out = NULL;
    if (is_absent(value)) {
        return missing == NULL ? MG_OK : pca_fail(call, error, MG_INVALID, missing, "%s is missing.", name);
    }
    if (!json_is_string(value) || json_string_length(value) > max_len) {
        return pca_fail(call, error, MG_INVALID, "INVALID_REQUEST", "%s: must be a text of at most %zu bytes", name,
                        max_len);
    }
    *out = json_string_value(value);
    return MG_OK;
}

/* read_number takes a number, or a text of digits; false: it is neither. */
static bool read_number(const json_t *value, uint64_t max, int64_t *out)
{
    uint64_t number;
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return *out >= 0 && (uint64_t)*out <= max;
    }
    if (!json_is_string(value) || !scan_decimal(mg_slice_of_text(json_string_value(value)), 0, max, &number)) {
        return false;
    }
    *out = (int64_t)number;
    return true;
}

enum mg_status naver_json_read_period(struct pca_call *call, const json_t *body, bool max_is_allowed, int64_t fallback,
                                      int64_t *out, struct mg_error *error)
{
    const json_t *value = json_object_get(body, "period");
    if (is_absent(value) && fallback != 0) {
        *out = fallback;
        return MG_OK;
    }
    if (max_is_allowed && json_is_string(value) && strcmp(json_string_value(value), "MAX") == 0) {
        *out = PCA_PERIOD_MAX;
        return MG_OK;
    }
    if (!read_number(value, PCA_MAX_PERIOD_DAYS, out) || *out < 1) {
        return pca_fail(call, error, MG_INVALID, "INVALID_INPUT_PERIOD", "period: must be 1 to %d days%s",
                        PCA_MAX_PERIOD_DAYS, max_is_allowed ? ", or MAX" : "");
    }
    return MG_OK;
}

/* object_of returns the first of |names| that |body| has, for the contract's own spellings; NULL: none. */
static const json_t *object_of(const json_t *body, const char *const *names)
{
    for (; *names != NULL; names++) {
        const json_t *value = json_object_get(body, *names);
        if (value != NULL && !json_is_null(value)) {
            return value;
        }
    }
    return NULL;
}

/* ---- subjects ---- */

/* A subject's attribute, and the spelling that the vendor's documents also have. */
static const struct attribute {
    const char *name, *other_name;
    size_t offset, max_chars;
    const char *missing; /* the code where it is required */
} attributes[] = {
#define ATTRIBUTE(name, other, field, max, missing)                                                                    \
    {                                                                                                                  \
        name, other, offsetof(struct pca_subject, field), max, missing                                                 \
    }
    ATTRIBUTE("commonName", NULL, common_name, PCA_MAX_NAME, "EMPTY_COMMON_NAME"),
    ATTRIBUTE("country", "contry", country, 2, NULL),
    ATTRIBUTE("locality", NULL, locality, PCA_MAX_PLACE, NULL),
    ATTRIBUTE("stateProvince", NULL, state, PCA_MAX_PLACE, NULL),
    ATTRIBUTE("organization", NULL, organization, PCA_MAX_NAME, NULL),
    ATTRIBUTE("organizationUnit", "organicationUnit", unit, PCA_MAX_NAME, NULL),
#undef ATTRIBUTE
};

static enum mg_status read_attribute(struct pca_call *call, const json_t *parameters, const struct attribute *attribute,
                                     struct pca_subject *out, struct mg_error *error)
{
    const char *text;
    bool has_other = attribute->other_name != NULL && is_absent(json_object_get(parameters, attribute->name));
    enum mg_status status = naver_json_read_text(call, parameters, has_other ? attribute->other_name : attribute->name,
                                                 TEXT_SIZE(attribute->max_chars) - 1, attribute->missing, &text, error);
    if (status != MG_OK || text == NULL) {
        return status;
    }
    const struct text_rule rule = {attribute->name, 1, attribute->max_chars, NULL};
    status = text_set((char *)out + attribute->offset, mg_slice_of_text(text), &rule, error);
    if (status != MG_OK) {
        call->code = attribute->missing != NULL ? "EXCEED_COMMON_NAME" : "INVALID_REQUEST";
    }
    return status;
}

static bool is_country(const char *text)
{
    return text[0] == '\0' || (strlen(text) == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2);
}

static enum mg_status read_subject(struct pca_call *call, const json_t *parameters, struct pca_subject *out,
                                   struct mg_error *error)
{
    enum mg_status status = MG_OK;
    *out = (struct pca_subject){.common_name = ""};
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes) && status == MG_OK; i++) {
        status = read_attribute(call, parameters, &attributes[i], out, error);
    }
    if (status == MG_OK && !is_country(out->country)) {
        status =
            pca_fail(call, error, MG_INVALID, "INVALID_REQUEST", "country: must be two capital letters (ISO 3166)");
    }
    return status;
}

static enum mg_status read_parameters(struct pca_call *call, const json_t *body, const json_t **out,
                                      struct mg_error *error)
{
    static const char *const names[] = {"x509Parameters", "X509CaParameters", "X509EndCertParameters", NULL};
    *out = object_of(body, names);
    if (*out == NULL) {
        return pca_fail(call, error, MG_INVALID, "EMPTY_X509_PARAMETERS", "x509Parameters are missing.");
    }
    return json_is_object(*out)
               ? MG_OK
               : pca_fail(call, error, MG_INVALID, "INVALID_REQUEST", "x509Parameters: must be an object");
}

/* ---- names ---- */

static const struct name_member {
    const char *name;
    enum pca_name_kind kind;
    const char *code;
} name_members[] = {
    {"altName", PCA_NAME_HOST, "INVALID_REQUEST"},
    {"ip", PCA_NAME_ADDRESS, "INVALID_X509_IP"},
    {"uri", PCA_NAME_URI, "INVALID_X509_URI"},
    {"other", PCA_NAME_OTHER, "INVALID_X509_OTHER"},
};

/* read_names fills *out with the names of |parameters|; NULL where there are none. */
static enum mg_status read_names(struct pca_call *call, const json_t *parameters, GENERAL_NAMES **out,
                                 struct mg_error *error)
{
    enum mg_status status = MG_OK;
    *out = sk_GENERAL_NAME_new_null();
    for (size_t i = 0; i < MG_ARRAY_LEN(name_members) && status == MG_OK; i++) {
        const struct name_member *member = &name_members[i];
        const char *text;
        status = naver_json_read_text(call, parameters, member->name, MAX_LIST, NULL, &text, error);
        if (status == MG_OK && !pca_names_add(*out, member->kind, text)) {
            status = pca_fail(call, error, MG_INVALID, member->code, "%s: has a name that is malformed", member->name);
        }
    }
    if (*out != NULL && sk_GENERAL_NAME_num(*out) == 0) {
        GENERAL_NAMES_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- CAs ---- */

static enum mg_status read_ca_key(struct pca_call *call, const json_t *body, enum wire_key_type *out,
                                  struct mg_error *error)
{
    static const struct {
        const char *word;
        enum wire_key_type type;
    } types[] = {{"RSA2048", WIRE_KEY_RSA_2048},
                 {"RSA4096", WIRE_KEY_RSA_4096},
                 {"EC256", WIRE_KEY_EC_P256},
                 {"EC521", WIRE_KEY_EC_P521}};
    const char *text;
    enum mg_status status = naver_json_read_text(call, body, "keyType", MAX_WORD, "EMPTY_KEY_TYPE", &text, error);
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(types); i++) {
        if (strcmp(text, types[i].word) == 0) {
            *out = types[i].type;
            return MG_OK;
        }
    }
    return status != MG_OK ? status
                           : pca_fail(call, error, MG_INVALID, "INVALID_X509_KEY_TYPE",
                                      "keyType: must be RSA2048, RSA4096, EC256 or EC521");
}

static enum mg_status read_memo(struct pca_call *call, const json_t *body, const char **out, struct mg_error *error)
{
    char memo[TEXT_SIZE(PCA_MAX_MEMO)];
    const struct text_rule rule = {"memo", 0, PCA_MAX_MEMO, NULL};
    enum mg_status status = naver_json_read_text(call, body, "memo", TEXT_SIZE(PCA_MAX_MEMO) - 1, NULL, out, error);
    *out = *out == NULL ? "" : *out;
    if (status == MG_OK && text_set(memo, mg_slice_of_text(*out), &rule, error) != MG_OK) {
        call->code = "INVALID_REQUEST";
        status = MG_INVALID;
    }
    return status;
}

enum mg_status naver_json_read_wish(struct pca_call *call, const json_t *body, struct pca_wish *out,
                                    struct mg_error *error)
{
    const json_t *parameters;
    bool is_signed_here = out->type == PCA_ROOT || out->issuer_tag != NULL;
    enum mg_status status =
        naver_json_read_text(call, body, "alias", TEXT_SIZE(PCA_MAX_ALIAS), "EMPTY_CA_ALIAS", &out->alias, error);
    if (status == MG_OK) {
        status = read_memo(call, body, &out->memo, error);
    }
    if (status == MG_OK) {
        status = read_ca_key(call, body, &out->key_type, error);
    }
    if (status == MG_OK) {
        status = naver_json_read_period(call, body, true, is_signed_here ? 0 : 1, &out->period_days, error);
    }
    if (status == MG_OK) {
        status = read_parameters(call, body, &parameters, error);
    }
    if (status == MG_OK) {
        status = read_subject(call, parameters, &out->subject, error);
    }
    return status == MG_OK ? read_names(call, parameters, &out->names, error) : status;
}

/* ---- end-entities ---- */

static enum mg_status read_end_key(struct pca_call *call, const json_t *body, enum pca_key_kind *out,
                                   struct mg_error *error)
{
    static const struct {
        const char *word;
        enum pca_key_kind kind;
    } kinds[] = {{"RSA2048", PCA_KEY_RSA_2048},
                 {"RSA4096", PCA_KEY_RSA_4096},
                 {"EC256", PCA_KEY_EC_256},
                 {"EC521", PCA_KEY_EC_521}};
    const char *text;
    enum mg_status status = naver_json_read_text(call, body, "keyType", MAX_WORD, NULL, &text, error);
    if (status != MG_OK) {
        return status;
    }
    *out = PCA_KEY_RSA_2048;
    for (size_t i = 0; text != NULL && i < MG_ARRAY_LEN(kinds); i++) {
        if (strcmp(text, kinds[i].word) == 0) {
            *out = kinds[i].kind;
            return MG_OK;
        }
    }
    return text == NULL ? MG_OK
                        : pca_fail(call, error, MG_INVALID, "INVALID_X509_KEY_TYPE",
                                   "keyType: must be RSA2048, RSA4096, EC256 or EC521");
}

static enum mg_status read_key_usages(struct pca_call *call, const json_t *list, unsigned *out, struct mg_error *error)
{
    size_t i;
    json_t *word;
    json_array_foreach(list, i, word)
    {
        unsigned flag = json_is_string(word) ? pca_key_usage_of(json_string_value(word)) : 0;
        if (flag == 0) {
            return pca_fail(call, error, MG_INVALID, "INVALID_X509_KEY_USAGE",
                            "keyUsage: has a word that is none for end-entities");
        }
        *out |= flag;
    }
    return list == NULL || json_is_null(list) || json_is_array(list)
               ? MG_OK
               : pca_fail(call, error, MG_INVALID, "INVALID_X509_KEY_USAGE", "keyUsage: must be an array");
}

static enum mg_status read_extended_usages(struct pca_call *call, const json_t *list, EXTENDED_KEY_USAGE **out,
                                           struct mg_error *error)
{
    size_t i;
    json_t *word;
    if (list != NULL && !json_is_null(list) && !json_is_array(list)) {
        return pca_fail(call, error, MG_INVALID, "INVALID_X509_EXTENDED_KEY_USAGE",
                        "extendedKeyUsage: must be an array");
    }
    json_array_foreach(list, i, word)
    {
        int nid = json_is_string(word) ? pca_extended_usage_of(json_string_value(word)) : NID_undef;
        if (nid == NID_undef) {
            return pca_fail(call, error, MG_INVALID, "INVALID_X509_EXTENDED_KEY_USAGE",
                            "extendedKeyUsage: has a word that is none");
        }
        *out = *out == NULL ? sk_ASN1_OBJECT_new_null() : *out;
        if (*out == NULL || sk_ASN1_OBJECT_push(*out, OBJ_nid2obj(nid)) <= 0) {
            return mg_error_set(error, MG_MEMORY, "out of memory");
        }
    }
    return MG_OK;
}

/* add_places adds the attributes that only end-entities have. */
static enum mg_status add_places(struct pca_call *call, const json_t *parameters, X509_NAME *name,
                                 struct mg_error *error)
{
    static const struct {
        const char *member;
        int nid;
        size_t max_len;
    } places[] = {{"streetAddress", NID_streetAddress, 128}, {"postalCode", NID_postalCode, 40}};
    for (size_t i = 0; i < MG_ARRAY_LEN(places); i++) {
        const char *text;
        enum mg_status status =
            naver_json_read_text(call, parameters, places[i].member, places[i].max_len, NULL, &text, error);
        if (status != MG_OK) {
            return status;
        }
        if (text != NULL &&
            X509_NAME_add_entry_by_NID(name, places[i].nid, MBSTRING_UTF8, (const uint8_t *)text, -1, 0, 0) != 1) {
            return pca_fail(call, error, MG_INVALID, "INVALID_REQUEST", "%s: cannot stand in a name", places[i].member);
        }
    }
    return MG_OK;
}

/* add_common_name makes the common name a host name too, where useCnAsSan asks for that. */
static enum mg_status add_common_name(struct pca_call *call, const json_t *parameters, const char *common_name,
                                      GENERAL_NAMES **names, struct mg_error *error)
{
    const json_t *wanted = json_object_get(parameters, "useCnAsSan");
    bool is_wanted = json_is_true(wanted) || (json_is_string(wanted) && strcmp(json_string_value(wanted), "true") == 0);
    if (!is_wanted) {
        return MG_OK;
    }
    *names = *names == NULL ? sk_GENERAL_NAME_new_null() : *names;
    if (strchr(common_name, ',') != NULL || !pca_names_add(*names, PCA_NAME_HOST, common_name)) {
        return pca_fail(call, error, MG_INVALID, "INVALID_REQUEST", "useCnAsSan: commonName is no host name");
    }
    return MG_OK;
}

static enum mg_status read_end_subject(struct pca_call *call, const json_t *parameters, struct naver_end_wish *out,
                                       struct mg_error *error)
{
    struct pca_subject subject;
    enum mg_status status = read_subject(call, parameters, &subject, error);
    if (status == MG_OK) {
        status = pca_name_of(&subject, &out->subject, error);
        call->code = status == MG_OK ? call->code : "INVALID_REQUEST";
    }
    if (status == MG_OK) {
        status = add_places(call, parameters, out->subject, error);
    }
    if (status == MG_OK) {
        status = read_names(call, parameters, &out->names, error);
    }
    return status == MG_OK ? add_common_name(call, parameters, subject.common_name, &out->names, error) : status;
}

enum mg_status naver_json_read_end_wish(struct pca_call *call, const json_t *body, struct naver_end_wish *out,
                                        struct mg_error *error)
{
    const json_t *parameters;
    struct pca_end_wish *wish = &out->wish;
    *out = (struct naver_end_wish){.subject = NULL};
    enum mg_status status = read_end_key(call, body, &wish->key, error);
    if (status == MG_OK) {
        status = naver_json_read_period(call, body, true, PCA_PERIOD_DEFAULT, &wish->days, error);
    }
    if (status == MG_OK) {
        status = read_parameters(call, body, &parameters, error);
    }
    if (status == MG_OK) {
        status = read_end_subject(call, parameters, out, error);
    }
    if (status == MG_OK) {
        status = read_key_usages(call, json_object_get(parameters, "keyUsage"), &wish->key_usage, error);
    }
    if (status == MG_OK) {
        status = read_extended_usages(call, json_object_get(parameters, "extendedKeyUsage"), &out->usages, error);
    }
    wish->subject = out->subject;
    wish->names = out->names;
    wish->usages = out->usages;
    return status;
}

void naver_end_wish_free(struct naver_end_wish *wish)
{
    X509_NAME_free(wish->subject);
    GENERAL_NAMES_free(wish->names);
    EXTENDED_KEY_USAGE_free(wish->usages);
    *wish = (struct naver_end_wish){.subject = NULL};
}
