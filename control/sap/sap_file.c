/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_file.h"

#include "control/http/scan.h"
#include "control/sap/jar.h"
#include "control/sap/pem_bundle.h"
#include "control/sap/pkcs12_file.h"

static const char *const kinds[] = {NULL, "KEYSTORE", "TRUSTSTORE"};
const struct words sap_kind_words = WORDS_OF(kinds);

static const char *const formats[] = {NULL, "PEM", "DER", "PKCS12", "JAR"};
const struct words sap_format_words = WORDS_OF(formats);

enum sap_format sap_format_of_name(struct mg_slice name)
{
    static const struct {
        const char *ending;
        enum sap_format format;
    } endings[] = {
        {"cer", SAP_FORMAT_PEM},     {"crt", SAP_FORMAT_PEM},       {"pem", SAP_FORMAT_PEM},
        {"der", SAP_FORMAT_DER},     {"p12", SAP_FORMAT_PKCS12},    {"pfx", SAP_FORMAT_PKCS12},
        {"pkcs", SAP_FORMAT_PKCS12}, {"pkcs12", SAP_FORMAT_PKCS12}, {"jar", SAP_FORMAT_JAR},
    };
    struct mg_slice ending = name;
    while (scan_find(ending, mg_slice_of_text(".")) < ending.len) {
        (void)scan_until(&ending, '.');
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(endings) && ending.len < name.len; i++) {
        if (scan_equal_nocase(ending, endings[i].ending)) {
            return endings[i].format;
        }
    }
    return 0;
}

/* read_certificates reads what has no key in it: PEM, or one certificate in DER. */
static enum mg_status read_certificates(const struct sap_file *file, const struct pem_bundle_rules *rules,
                                        struct passphrase *passphrase, struct material *out, struct mg_error *error)
{
    bool is_pem = file->format == SAP_FORMAT_PEM && pem_bundle_looks_like(file->content);
    return is_pem ? pem_bundle_read(out, file->content, rules, passphrase, error)
                  : material_add_der(out, file->content, error);
}

/* read_pem reads certificates, and the key that is in the same file or in one of its own. */
static enum mg_status read_pem(const struct sap_file *file, enum sap_kind kind, struct passphrase *passphrase,
                               struct material *out, struct mg_error *error)
{
    const struct pem_bundle_rules key = {.parts = PEM_BUNDLE_KEY};
    bool has_own_key = file->key.data != NULL,
         has_key_inside = kind == SAP_KEYSTORE && !has_own_key && !file->is_renewal;
    const struct pem_bundle_rules content = {.parts = has_key_inside ? PEM_BUNDLE_BOTH : PEM_BUNDLE_CERTIFICATES,
                                             .wants_lines = file->wants_lines};
    enum mg_status status = read_certificates(file, &content, passphrase, out, error);
    return status == MG_OK && has_own_key ? pem_bundle_read(out, file->key, &key, passphrase, error) : status;
}

static enum mg_status read_format(const struct sap_file *file, enum sap_kind kind, struct passphrase *passphrase,
                                  struct material *out, struct mg_error *error)
{
    switch (file->format) {
    case SAP_FORMAT_PKCS12:
        return pkcs12_file_read(out, file->content, passphrase, error);
    case SAP_FORMAT_JAR:
        return jar_read(out, file->content, file->wants_lines, passphrase, error);
    default:
        return read_pem(file, kind, passphrase, out, error);
    }
}

/* holds_key tells whether |file| is of a format for a key, or has one beside it. */
static bool holds_key(const struct sap_file *file)
{
    return file->format == SAP_FORMAT_PKCS12 || file->format == SAP_FORMAT_JAR || file->key.data != NULL;
}

/* check_format: what holds keys is for key stores, what cannot for trust stores. */
static enum mg_status check_format(const struct sap_file *file, enum sap_kind kind, struct mg_error *error)
{
    if (file->content.len > MATERIAL_MAX_FILE || file->key.len > MATERIAL_MAX_FILE) {
        return mg_error_set(error, MG_INVALID, "file: must have at most %zu bytes", MATERIAL_MAX_FILE);
    }
    if (kind == SAP_TRUSTSTORE && holds_key(file)) {
        return mg_error_set(error, MG_INVALID, "format: a trust store takes certificates alone, in PEM or DER");
    }
    return MG_OK;
}

enum mg_status sap_file_read(const struct sap_file *file, const struct material_terms *terms, enum sap_kind *kind,
                             struct material *out, struct mg_error *error)
{
    struct passphrase passphrase = {.text = file->password, .budget = {.left = KEY_DERIVATION_BUDGET}};
    enum sap_kind wanted = *kind != SAP_UNDECIDED ? *kind : holds_key(file) ? SAP_KEYSTORE : SAP_TRUSTSTORE;
    *out = (struct material){.key = NULL};
    enum mg_status status = check_format(file, wanted, error);
    if (status == MG_OK) {
        status = read_format(file, wanted, &passphrase, out, error);
    }
    if (status == MG_OK) {
        struct material_terms wanted_terms = *terms;
        wanted_terms.has_no_key = file->is_renewal;
        status = wanted == SAP_KEYSTORE ? material_check_key_store(out, &wanted_terms, error)
                                        : material_check_trust_store(out, terms, error);
    }
    if (status == MG_OK) {
        *kind = wanted;
    } else {
        material_free(out);
    }
    return status;
}
