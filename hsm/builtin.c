/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/builtin.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "hsm/ca_certificate.h"
#include "ossl/openssl_error.h"

#define DAY INT64_C(86400)
#define YEAR (365 * DAY)
/* Clients whose clocks are a little behind must accept what was made a moment ago. */
#define BACKDATED 3600

/* One row per CA, in the order in which they are made. */
static const struct builtin {
    enum key_origin origin;
    enum key_purpose purpose;
    enum wire_issuer_role role;
    const char *name;
    bool is_below_root; /* else it signs itself */
    int path_len;
    int64_t before, after; /* how far its validity reaches from now */
} builtins[] = {
    {KEY_ORIGIN_BUILTIN_ROOT, KEY_PRIVATE_CA, 0, "Mintgate Root CA", false, CA_CERTIFICATE_NO_PATH_LEN, BACKDATED,
     10 * YEAR},
    {KEY_ORIGIN_BUILTIN_ISSUING, KEY_MINTING, WIRE_ISSUER_DEFAULT, "Mintgate Issuing CA", true, 0, BACKDATED, 3 * YEAR},
    /* Its leaves mimic expired certificates too, and a leaf never starts before its issuer. */
    {KEY_ORIGIN_BUILTIN_UNTRUST, KEY_MINTING, WIRE_ISSUER_UNTRUST, "Mintgate Untrusted Issuer", false, 0, 10 * YEAR,
     10 * YEAR},
};

static enum mg_status ensure_key(struct keystore *store, const struct builtin *builtin, enum wire_key_type type,
                                 int64_t now, const struct keystore_key **out, struct mg_error *error)
{
    *out = keystore_find0_origin(store, builtin->origin);
    if (*out != NULL) {
        return MG_OK;
    }
    struct key_info info = {
        .purpose = builtin->purpose, .role = builtin->role, .origin = builtin->origin, .type = type, .created = now};
    snprintf(info.label, sizeof(info.label), "%s", builtin->name);
    enum mg_status status = keystore_make(store, &info, out, error);
    if (status == MG_OK) {
        mg_log_info("made the key of %s (%s)", builtin->name, key_type_get0(type)->name);
    }
    return status;
}

/* ensure_certificate certifies |key| if it has no certificate yet. The name ends in a part of the key's id, so that a
 * repaired start gives the same one, and two installations differ. */
static enum mg_status ensure_certificate(struct keystore *store, const struct builtin *builtin,
                                         const struct keystore_key *key, const struct keystore_key *root, int64_t now,
                                         struct mg_error *error)
{
    if (key->num_chain > 0) {
        return MG_OK;
    }
    char name[64];
    const uint8_t *id = key->info.id.bytes;
    snprintf(name, sizeof(name), "%s %02x%02x%02x%02x", builtin->name, id[0], id[1], id[2], id[3]);
    struct ca_profile profile = {.common_name = name,
                                 .not_before = now - builtin->before,
                                 .not_after = now + builtin->after,
                                 .path_len = builtin->path_len,
                                 .for_servers = builtin->is_below_root};
    struct mg_buffer der;
    mg_buffer_init(&der, KEYSTORE_MAX_CERTIFICATE);
    enum mg_status status = builtin->is_below_root ? ca_certificate_issue(root, key, &profile, &der, error)
                                                   : ca_certificate_self_sign(key, &profile, &der, error);
    if (status == MG_OK) {
        struct mg_slice chain[2] = {mg_buffer_slice(&der)};
        if (builtin->is_below_root) {
            chain[1] = root->chain[0];
        }
        status = keystore_set1_chain(store, key, chain, builtin->is_below_root ? 2 : 1, error);
    }
    if (status == MG_OK) {
        mg_log_info("certified %s", name);
    }
    mg_buffer_free(&der);
    return status;
}

/* write_root writes the root's certificate for clients, unless it is there already. */
static enum mg_status write_root(const struct keystore_key *root, const char *path, struct mg_error *error)
{
    const uint8_t *der = root->chain[0].data;
    X509 *x509 = d2i_X509(NULL, &der, (long)root->chain[0].len);
    BIO *bio = BIO_new(BIO_s_mem());
    enum mg_status status = MG_OK;
    if (x509 == NULL || bio == NULL || PEM_write_bio_X509(bio, x509) != 1) {
        status = openssl_error_set(error, "cannot write the root certificate");
    }
    if (status == MG_OK) {
        char *pem;
        size_t len = (size_t)BIO_get_mem_data(bio, &pem);
        struct mg_slice expected = mg_slice_of(pem, len);
        struct mg_buffer found;
        mg_file_remove_unfinished(path);
        mg_buffer_init(&found, KEYSTORE_MAX_CERTIFICATE * 2);
        if (mg_file_read(path, &found, error) != MG_OK || !mg_slice_equal(mg_buffer_slice(&found), expected)) {
            status = mg_file_write_atomic(path, expected, 0644, error);
        }
        mg_buffer_free(&found);
    }
    BIO_free(bio);
    X509_free(x509);
    return status;
}

enum mg_status builtin_ensure(struct keystore *store, enum wire_key_type type, const char *root_path, int64_t now,
                              struct mg_error *error)
{
    const struct keystore_key *root = NULL;
    for (size_t i = 0; i < MG_ARRAY_LEN(builtins); i++) {
        const struct keystore_key *key;
        enum mg_status status = ensure_key(store, &builtins[i], type, now, &key, error);
        if (status == MG_OK) {
            status = ensure_certificate(store, &builtins[i], key, root, now, error);
        }
        if (status == MG_OK && builtins[i].is_below_root) {
            status = ca_certificate_check_issued(key->chain[0], root->chain[0], error);
        }
        if (status != MG_OK) {
            return status;
        }
        if (builtins[i].origin == KEY_ORIGIN_BUILTIN_ROOT) {
            root = key;
        }
    }
    return write_root(root, root_path, error);
}
