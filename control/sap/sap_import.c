/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_import.h"

#include <openssl/rand.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/secret.h"
#include "control/doomed_key.h"
#include "ossl/openssl_error.h"

struct sap_imports {
    struct sap_imports_config config;
    pthread_mutex_t lock; /* held from the wish to the record */
};

enum mg_status sap_imports_new(struct sap_imports **out, const struct sap_imports_config *config,
                               struct mg_error *error)
{
    struct sap_imports *imports = calloc(1, sizeof(*imports));
    if (imports == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for imports");
    }
    imports->config = *config;
    pthread_mutex_init(&imports->lock, NULL);
    *out = imports;
    return MG_OK;
}

void sap_imports_free(struct sap_imports *imports)
{
    if (imports != NULL) {
        pthread_mutex_destroy(&imports->lock);
        free(imports);
    }
}

/* ---- labels, by which a key is found that only its wish knows ---- */

#define LABEL_PREFIX "import "
#define LABEL_SIZE (sizeof(LABEL_PREFIX) + 2 * SAP_TOKEN_LEN)
_Static_assert(LABEL_SIZE <= WIRE_CONTROL_MAX_LABEL, "the signer takes the label");

static void label_of(const uint8_t token[SAP_TOKEN_LEN], char out[LABEL_SIZE])
{
    size_t len = (size_t)snprintf(out, LABEL_SIZE, LABEL_PREFIX);
    for (size_t i = 0; i < SAP_TOKEN_LEN; i++) {
        len += (size_t)snprintf(out + len, LABEL_SIZE - len, "%02x", token[i]);
    }
}

/* What is looked for among the signer's keys. */
struct search {
    char label[LABEL_SIZE];
    struct wire_key_id key_id;
    bool found;
};

static enum mg_status look(void *arg, const struct wire_control_key *key)
{
    struct search *search = arg;
    if (key->origin == WIRE_ORIGIN_CONTROL && mg_slice_equal(key->label, mg_slice_of_text(search->label))) {
        search->key_id = key->key_id;
        search->found = true;
    }
    return MG_OK;
}

void sap_imports_destroy_doomed(struct sap_imports *imports)
{
    service_destroy_doomed(imports->config.service);
}

/* ---- wishes ---- */

static enum mg_status add_wish(const struct sap_imports *imports, const uint8_t *token, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(imports->config.store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, sap_wish_add(tx, token, error), error) : status;
}

static enum mg_status next_wish(const struct sap_imports *imports, uint8_t *token, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(imports->config.store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, sap_wish_next(tx, token, error), error) : status;
}

/* forget ends the wish with |token|; its key |key_id| (NULL: it has none) is doomed unless a record has it. */
static enum mg_status forget(struct store_tx *tx, const uint8_t *token, const struct wire_key_id *key_id,
                             int64_t now_us, struct mg_error *error)
{
    bool is_used = true;
    enum mg_status status = key_id != NULL ? sap_key_is_used(tx, key_id, &is_used, error) : MG_OK;
    if (status == MG_OK && !is_used) {
        status = doomed_key_add(tx, key_id, now_us, error);
    }
    return status == MG_OK ? sap_wish_forget(tx, token, error) : status;
}

static enum mg_status settle(const struct sap_imports *imports, const uint8_t *token, const struct wire_key_id *key_id,
                             int64_t now_us, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(imports->config.store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, forget(tx, token, key_id, now_us, error), error) : status;
}

/* settle_all settles what was left, with the lock held: no wish is under way. */
static enum mg_status settle_all(const struct sap_imports *imports, int64_t now_us, struct mg_error *error)
{
    uint8_t token[SAP_TOKEN_LEN];
    enum mg_status status;
    while ((status = next_wish(imports, token, error)) == MG_OK) {
        struct search search = {.found = false};
        label_of(token, search.label);
        status = signer_client_list(imports->config.signer, look, &search, error);
        if (status == MG_OK) {
            status = settle(imports, token, search.found ? &search.key_id : NULL, now_us, error);
        }
        if (status != MG_OK) {
            return status;
        }
    }
    return status == MG_NOT_FOUND ? MG_OK : status;
}

enum mg_status sap_imports_settle(struct sap_imports *imports, int64_t now_us, struct mg_error *error)
{
    pthread_mutex_lock(&imports->lock);
    enum mg_status status = settle_all(imports, now_us, error);
    pthread_mutex_unlock(&imports->lock);
    sap_imports_destroy_doomed(imports);
    return status;
}

/* ---- imports ---- */

static enum mg_status hand_over(const struct sap_imports *imports, enum wire_key_purpose purpose, const EVP_PKEY *key,
                                struct sap_import *out, struct mg_error *error)
{
    char label[LABEL_SIZE];
    struct wire_control_token token;
    uint8_t *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int len = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (len <= 0) {
        return openssl_error_set(error, "a private key cannot be encoded");
    }
    label_of(out->token, label);
    memcpy(token.bytes, out->token, sizeof(token.bytes));
    enum mg_status status = signer_client_import_key(imports->config.signer, purpose, &token, label,
                                                     mg_slice_of(der, (size_t)len), &out->key_id, error);
    OPENSSL_clear_free(der, (size_t)len);
    return status;
}

/* is_refusal tells whether the signer has said that there is no key. */
static bool is_refusal(enum mg_status status)
{
    return status == MG_INVALID || status == MG_DENIED || status == MG_LIMIT || status == MG_EXISTS;
}

static enum mg_status wish(const struct sap_imports *imports, int64_t now_us, struct sap_import *out,
                           struct mg_error *error)
{
    if (RAND_bytes(out->token, sizeof(out->token)) != 1) {
        return openssl_error_set(error, "no randomness for a token");
    }
    enum mg_status status = settle_all(imports, now_us, error);
    return status == MG_OK ? add_wish(imports, out->token, error) : status;
}

/* import_key: what is not known to have failed is settled before the next import. */
static enum mg_status import_key(const struct sap_imports *imports, enum wire_key_purpose purpose, const EVP_PKEY *key,
                                 int64_t now_us, struct sap_import *out, struct mg_error *error)
{
    struct mg_error ignored;
    enum mg_status status = wish(imports, now_us, out, error);
    if (status != MG_OK) {
        return status;
    }
    status = hand_over(imports, purpose, key, out, error);
    if (is_refusal(status) && settle(imports, out->token, NULL, now_us, &ignored) != MG_OK) {
        mg_log_warning("an import is settled later: %s", ignored.text);
    }
    return status;
}

enum mg_status sap_import_begin(struct sap_imports *imports, enum wire_key_purpose purpose, const EVP_PKEY *key,
                                int64_t now_us, struct sap_import *out, struct mg_error *error)
{
    pthread_mutex_lock(&imports->lock);
    enum mg_status status = import_key(imports, purpose, key, now_us, out, error);
    if (status != MG_OK) {
        pthread_mutex_unlock(&imports->lock);
    }
    return status;
}

void sap_import_end(struct sap_imports *imports, const struct sap_import *import, int64_t now_us)
{
    struct mg_error error;
    if (settle(imports, import->token, &import->key_id, now_us, &error) != MG_OK) {
        mg_log_warning("an import is settled later: %s", error.text);
    }
    pthread_mutex_unlock(&imports->lock);
    sap_imports_destroy_doomed(imports);
}
