/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a server's certificate: whatever can be mimicked of it makes leaves that parse, and that say what the
 * server's said. */
#include <stdlib.h>

#include <openssl/pool.h>
#include <openssl/x509v3.h>

#include "certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct certs_pki pki[2];
static struct issuer *issuers[2]; /* forward-trust, forward-untrust */
static struct leaf_key *key;

static void init(void)
{
    if (key != NULL) {
        return;
    }
    certs_pki_init(&pki[0], WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    certs_pki_init(&pki[1], WIRE_KEY_EC_P256, WIRE_ISSUER_UNTRUST);
    issuers[0] = certs_issuer(&pki[0], 1);
    issuers[1] = certs_issuer(&pki[1], 2);
    certs_must(leaf_key_new(&key, LEAF_KEY_EC_P256) == MG_OK);
}

static void check_names(const struct mimic *mimic)
{
    size_t total_len = 0;
    certs_must(mimic->num_names <= MIMIC_MAX_NAMES && mimic->general_names.len <= MIMIC_MAX_NAMES_LEN);
    for (size_t i = 0; i < mimic->num_names; i++) {
        const struct mimic_name *name = &mimic->names[i];
        struct mg_slice value = mimic_name_value(name);
        struct dns_name canonical;
        if (mimic_name_kind_of(name) == MIMIC_NAME_DNS) {
            certs_must(dns_name_from_san(&canonical, value) == DNS_NAME_OK);
            certs_must(mg_slice_equal(dns_name_slice(&canonical), value));
            certs_must(value.data[0] == '*' || mimic_covers_dns(mimic, value));
        } else {
            certs_must(value.len == 4 || value.len == 16);
            certs_must(mimic_covers_ip(mimic, value));
        }
        total_len += name->len;
    }
    certs_must(total_len == mimic->general_names.len);
}

static bool keep_most(void *arg, enum mimic_name_kind kind, struct mg_slice name)
{
    (void)arg;
    return kind == MIMIC_NAME_IP || name.len % 3 != 0;
}

/* The leaf says the names that were decided, in their order, and BoringSSL reads it. */
static void check_leaf(const struct leaf *leaf, const struct leaf_names *names)
{
    X509 *certificate = certs_parse_leaf(leaf);
    certs_must(X509_NAME_entry_count(X509_get_subject_name(certificate)) >= 0);
    GENERAL_NAMES *alt_names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    certs_must(alt_names != NULL && sk_GENERAL_NAME_num(alt_names) == leaf_names_count(names));
    GENERAL_NAMES_free(alt_names);
    X509_free(certificate);

    struct mimic *again;
    certs_must(mimic_new(&again,
                         mg_slice_of(CRYPTO_BUFFER_data(leaf->certificate), CRYPTO_BUFFER_len(leaf->certificate)),
                         NULL) == MG_OK);
    certs_must(again->num_malformed_names == 0 && again->num_other_names == 0 && !again->is_ca);
    certs_must(again->not_before == leaf->not_before && again->not_after == leaf->not_after);
    size_t i = 0;
    for (size_t j = 0; j < names->mimic->num_names; j++) {
        if (!leaf_names_is_dropped(names, j)) {
            certs_must(mg_slice_equal(mimic_name_general_name(&again->names[i++]),
                                      mimic_name_general_name(&names->mimic->names[j])));
        }
    }
    certs_must(again->subject.len == 0 || mg_slice_equal(again->subject, names->mimic->subject));
    mimic_unref(again);
}

static void check_mint(struct issuer *issuer, const struct leaf_names *names)
{
    static uint8_t storage[LEAF_TBS_MAX_LEN];
    const struct leaf_params params = {
        .issuer = issuer, .names = names, .key = key, .now = CERTS_NOW, .max_validity_seconds = 200 * CERTS_DAY};
    struct leaf_tbs tbs;
    enum mg_status status = leaf_tbs_build(&tbs, storage, sizeof(storage), &params, NULL);
    certs_must(status == MG_OK || (status == MG_INVALID && leaf_names_count(names) == 0) ||
               (status == MG_DENIED && issuer->role == WIRE_ISSUER_DEFAULT));
    if (status != MG_OK) {
        return;
    }
    certs_must(tbs.not_before >= issuer->not_before && tbs.not_after <= issuer->not_after);
    certs_must(tbs.not_after >= tbs.not_before && tbs.not_after - tbs.not_before < 200 * CERTS_DAY);
    certs_must(issuer->role != WIRE_ISSUER_DEFAULT || (tbs.not_before <= CERTS_NOW && tbs.not_after >= CERTS_NOW));
    struct leaf *leaf;
    certs_must(leaf_new_from_signature(&leaf, &tbs, issuer, key, mg_slice_of_text("signature")) == MG_OK);
    check_leaf(leaf, names);
    cache_value_unref(&leaf->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mg_slice none = {NULL, 0};
    struct mimic *mimic;
    init();
    if (mimic_new(&mimic, mg_slice_of(data, size), NULL) != MG_OK) {
        return 0;
    }
    check_names(mimic);
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, none, NULL, NULL);
    check_mint(issuers[0], &names);
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of_text("required.example"), keep_most, NULL);
    check_mint(issuers[1], &names);
    mimic_unref(mimic);
    return 0;
}
