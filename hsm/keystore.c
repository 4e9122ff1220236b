/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/keystore.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "ossl/openssl_error.h"

#define ID_TEXT_LEN (2 * sizeof(struct wire_key_id))
#define KEY_SUFFIX ".key"
#define CHAIN_SUFFIX ".pem"
#define REMOVED_SUFFIX ".removed.pem"
#define DESTROYED_SUFFIX ".key.destroyed"
#define MAX_PEM (WIRE_SIGNER_MAX_CHAIN * KEYSTORE_MAX_CERTIFICATE * 2)

struct keystore {
    char directory[PATH_MAX - 64];
    const struct kek *kek;
    struct keystore_key *keys[KEYSTORE_MAX_KEYS];
    size_t num_keys;
};

/* Names of files */

static void format_id(const struct wire_key_id *id, char out[ID_TEXT_LEN + 1])
{
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        snprintf(out + 2 * i, 3, "%02x", id->bytes[i]);
    }
}

static void path_of_text(const struct keystore *store, const char *id_text, const char *suffix, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s%s", store->directory, id_text, suffix);
}

static void path_of(const struct keystore *store, const struct wire_key_id *id, const char *suffix, char out[PATH_MAX])
{
    char text[ID_TEXT_LEN + 1];
    format_id(id, text);
    path_of_text(store, text, suffix, out);
}

/* index_of returns the place of the key with |id|, num_keys if there is none. */
static size_t index_of(const struct keystore *store, const struct wire_key_id *id)
{
    size_t i = 0;
    while (i < store->num_keys && memcmp(&store->keys[i]->info.id, id, sizeof(*id)) != 0) {
        i++;
    }
    return i;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);
    return len >= suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* An unfinished write of mg_file_write_atomic: ID.key.new.PID. */
static bool is_unfinished(const char *name)
{
    return strstr(name, ".key.new.") != NULL || strstr(name, ".pem.new.") != NULL;
}

bool keystore_directory_has_keys(const char *directory)
{
    DIR *dir = opendir(directory);
    bool found = false;
    for (struct dirent *entry; dir != NULL && !found && (entry = readdir(dir)) != NULL;) {
        found = has_suffix(entry->d_name, KEY_SUFFIX);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

/* Certificates */

static void free_chain(struct keystore_key *key)
{
    for (size_t i = 0; i < key->num_chain; i++) {
        OPENSSL_free(MG_UNCONST(key->chain[i].data));
    }
    key->num_chain = 0;
}

static size_t chain_bytes(const struct keystore_key *key)
{
    size_t sum = 0;
    for (size_t i = 0; i < key->num_chain; i++) {
        sum += key->chain[i].len;
    }
    return sum;
}

/* add_certificate appends a copy of |x509| to the chain of |key|. */
static enum mg_status add_certificate(struct keystore_key *key, X509 *x509, struct mg_error *error)
{
    uint8_t *der = NULL;
    int len = key->num_chain < WIRE_SIGNER_MAX_CHAIN ? i2d_X509(x509, &der) : 0;
    if (len <= 0 || len > KEYSTORE_MAX_CERTIFICATE || chain_bytes(key) + (size_t)len > KEYSTORE_MAX_CHAIN_BYTES) {
        OPENSSL_free(der);
        return mg_error_set(error, MG_INVALID, "a chain has at most %d certificates of at most %d bytes, %d in all",
                            WIRE_SIGNER_MAX_CHAIN, KEYSTORE_MAX_CERTIFICATE, KEYSTORE_MAX_CHAIN_BYTES);
    }
    key->chain[key->num_chain++] = mg_slice_of(der, (size_t)len);
    return MG_OK;
}

static enum mg_status check_own_certificate(const struct keystore_key *key, X509 *x509, struct mg_error *error)
{
    EVP_PKEY *certified = X509_get0_pubkey(x509);
    if (certified == NULL || EVP_PKEY_eq(certified, key->pkey) != 1) {
        return mg_error_set(error, MG_INVALID, "chain: the first certificate is for another key");
    }
    return MG_OK;
}

static enum mg_status parse_pem(struct keystore_key *key, BIO *pem, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (X509 *x509; status == MG_OK && (x509 = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL;) {
        if (key->num_chain == 0) {
            status = check_own_certificate(key, x509, error);
        }
        if (status == MG_OK) {
            status = add_certificate(key, x509, error);
        }
        X509_free(x509);
    }
    if (status == MG_OK && key->num_chain == 0) {
        status = openssl_error_set(error, "no certificate");
    }
    return status;
}

/* set_chain_from_pem replaces the chain of |key|; on failure it stays as it was. */
static enum mg_status set_chain_from_pem(struct keystore_key *key, struct mg_slice pem, struct mg_error *error)
{
    struct keystore_key parsed = {.pkey = key->pkey};
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (bio == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for certificates");
    }
    enum mg_status status = parse_pem(&parsed, bio, error);
    BIO_free(bio);
    if (status != MG_OK) {
        free_chain(&parsed);
        return status;
    }
    free_chain(key);
    memcpy(key->chain, parsed.chain, sizeof(key->chain));
    key->num_chain = parsed.num_chain;
    return MG_OK;
}

/* load_chain_file reads the certificates of |key| from the file with |suffix|: MG_NOT_FOUND if it is not there. */
static enum mg_status load_chain_file(const struct keystore *store, struct keystore_key *key, const char *suffix,
                                      struct mg_error *error)
{
    char path[PATH_MAX];
    struct mg_buffer pem;
    struct mg_error why = {""};
    path_of(store, &key->info.id, suffix, path);
    mg_buffer_init(&pem, MAX_PEM);
    enum mg_status status = mg_file_read(path, &pem, error);
    if (status == MG_OK) {
        status = set_chain_from_pem(key, mg_buffer_slice(&pem), &why);
        if (status != MG_OK) {
            (void)mg_error_set(error, status, "%s: %s", path, why.text);
        }
    }
    mg_buffer_free(&pem);
    return status;
}

/* Where a key has both files it was removed once, and certified again later. */
static enum mg_status load_chain(const struct keystore *store, struct keystore_key *key, struct mg_error *error)
{
    enum mg_status status = load_chain_file(store, key, CHAIN_SUFFIX, error);
    if (status == MG_NOT_FOUND) {
        status = load_chain_file(store, key, REMOVED_SUFFIX, error);
        key->is_removed = status == MG_OK;
    }
    return status == MG_NOT_FOUND ? MG_OK : status; /* not certified yet */
}

/* parse_der parses |der|, which must be what its certificate encodes to, with nothing left over: so that what was
 * checked is what is stored. NULL if it is not. */
static X509 *parse_der(struct mg_slice der)
{
    const uint8_t *in = der.data;
    uint8_t *again = NULL;
    X509 *x509 = d2i_X509(NULL, &in, (long)der.len);
    int len = x509 != NULL ? i2d_X509(x509, &again) : -1;
    bool same = len > 0 && mg_slice_equal(der, mg_slice_of(again, (size_t)len));
    OPENSSL_free(again);
    if (!same) {
        X509_free(x509);
        return NULL;
    }
    return x509;
}

/* write_pem appends |certificates| in PEM (RFC 7468) to |bio|. */
static enum mg_status write_pem(BIO *bio, const struct mg_slice *certificates, size_t num_certificates,
                                struct mg_error *error)
{
    for (size_t i = 0; i < num_certificates; i++) {
        X509 *x509 = parse_der(certificates[i]);
        bool ok = x509 != NULL && PEM_write_bio_X509(bio, x509) == 1;
        X509_free(x509);
        if (!ok) {
            (void)openssl_error_set(error, "chain: certificate %zu is not a certificate in DER", i + 1);
            return MG_INVALID;
        }
    }
    return MG_OK;
}

enum mg_status keystore_set1_chain(struct keystore *store, const struct keystore_key *key,
                                   const struct mg_slice *certificates, size_t num_certificates, struct mg_error *error)
{
    struct keystore_key *mine = store->keys[index_of(store, &key->info.id)];
    struct keystore_key checked = {.pkey = mine->pkey};
    char path[PATH_MAX];
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for certificates");
    }
    enum mg_status status = write_pem(bio, certificates, num_certificates, error);
    struct mg_slice text = mg_slice_of(NULL, 0);
    if (status == MG_OK) {
        text.len = (size_t)BIO_get_mem_data(bio, &pem);
        text.data = (const uint8_t *)pem;
        status = set_chain_from_pem(&checked, text, error);
    }
    if (status == MG_OK) {
        path_of(store, &mine->info.id, CHAIN_SUFFIX, path);
        status = mg_file_write_atomic(path, text, 0600, error);
    }
    if (status == MG_OK) {
        status = set_chain_from_pem(mine, text, error);
        mine->is_removed = false;
    }
    free_chain(&checked);
    BIO_free(bio);
    return status;
}

/* Keys */

static void free_key(struct keystore_key *key)
{
    free_chain(key);
    EVP_PKEY_free(key->pkey);
    free(key);
}

/* is_held tells whether a token has the private key. */
static bool is_held(const struct keystore_key *key)
{
    return key->info.holder[0] != '\0';
}

static enum mg_status decode_key(struct keystore_key *key, struct mg_slice secret, struct mg_error *error)
{
    const uint8_t *der = secret.data;
    key->pkey =
        is_held(key) ? d2i_PUBKEY(NULL, &der, (long)secret.len) : d2i_AutoPrivateKey(NULL, &der, (long)secret.len);
    if (key->pkey == NULL) {
        return openssl_error_set(error, "a sealed key does not parse");
    }
    key->type = key_type_of_ca_key(key->pkey);
    if (key->type == NULL || key->type->type != key->info.type) {
        return mg_error_set(error, MG_INVALID, "a sealed key is not of the type that its header says");
    }
    return MG_OK;
}

static enum mg_status open_key(const struct keystore *store, struct keystore_key *key, struct mg_slice file,
                               struct mg_error *error)
{
    struct mg_buffer secret;
    if (!mg_secret_buffer_init(&secret, SEALED_KEY_MAX_SECRET)) {
        return mg_error_set(error, MG_MEMORY, "no memory for a key");
    }
    enum mg_status status = sealed_key_open(store->kek, file, &key->info, &secret, error);
    if (status == MG_OK) {
        status = decode_key(key, mg_buffer_slice(&secret), error);
    }
    mg_secret_free(&secret);
    return status;
}

/* read_key reads |path| into |key|. A file under another key's name was put there by somebody. */
static enum mg_status read_key(const struct keystore *store, const char *path, struct keystore_key *key,
                               struct mg_error *error)
{
    char expected[PATH_MAX];
    struct mg_buffer file;
    mg_buffer_init(&file, SEALED_KEY_MAX_FILE);
    enum mg_status status = mg_file_read_secret(path, &file, error);
    if (status == MG_OK) {
        status = open_key(store, key, mg_buffer_slice(&file), error);
    }
    mg_buffer_free(&file);
    if (status != MG_OK) {
        return status;
    }
    path_of(store, &key->info.id, KEY_SUFFIX, expected);
    if (strcmp(path, expected) != 0) {
        return mg_error_set(error, MG_DENIED, "holds the key of another file");
    }
    return load_chain(store, key, error);
}

/* load_key loads the file |name| and adds the key. */
static enum mg_status load_key(struct keystore *store, const char *name, struct mg_error *error)
{
    char path[PATH_MAX];
    struct mg_error why = {""};
    if (store->num_keys == KEYSTORE_MAX_KEYS) {
        return mg_error_set(error, MG_LIMIT, "%s: more than %d keys", store->directory, KEYSTORE_MAX_KEYS);
    }
    struct keystore_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a key");
    }
    snprintf(path, sizeof(path), "%s/%s", store->directory, name);
    enum mg_status status = read_key(store, path, key, &why);
    if (status != MG_OK) {
        free_key(key);
        return mg_error_set(error, status, "%s: %s", path, why.text);
    }
    store->keys[store->num_keys++] = key;
    return MG_OK;
}

/* finish_destruction removes the files of a key that is not to be loaded any more. */
static enum mg_status finish_destruction(const struct keystore *store, const char *id_text, struct mg_error *error)
{
    static const char *const public_suffixes[] = {CHAIN_SUFFIX, REMOVED_SUFFIX};
    char path[PATH_MAX];
    path_of_text(store, id_text, DESTROYED_SUFFIX, path);
    enum mg_status status = mg_file_shred(path, error);
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(public_suffixes); i++) {
        path_of_text(store, id_text, public_suffixes[i], path);
        status = mg_file_remove(path, error);
    }
    return status;
}

static enum mg_status load_entry(struct keystore *store, const char *name, struct mg_error *error)
{
    if (is_unfinished(name)) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", store->directory, name);
        unlink(path);
        mg_log_warning("removed %s, left unfinished by a crash", path);
        return MG_OK;
    }
    if (has_suffix(name, DESTROYED_SUFFIX) && strlen(name) == ID_TEXT_LEN + strlen(DESTROYED_SUFFIX)) {
        char id_text[ID_TEXT_LEN + 1] = {0};
        memcpy(id_text, name, ID_TEXT_LEN);
        mg_log_warning("finishing the destruction of key %s, cut short by a crash", id_text);
        return finish_destruction(store, id_text, error);
    }
    return has_suffix(name, KEY_SUFFIX) ? load_key(store, name, error) : MG_OK;
}

static enum mg_status load_all(struct keystore *store, struct mg_error *error)
{
    DIR *dir = opendir(store->directory);
    if (dir == NULL) {
        return mg_error_errno(error, "cannot read %s", store->directory);
    }
    enum mg_status status = MG_OK;
    for (struct dirent *entry; status == MG_OK && (entry = readdir(dir)) != NULL;) {
        status = load_entry(store, entry->d_name, error);
    }
    closedir(dir);
    return status;
}

enum mg_status keystore_open(struct keystore **out, const char *directory, const struct kek *kek,
                             struct mg_error *error)
{
    struct keystore *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the keystore");
    }
    store->kek = kek;
    int len = snprintf(store->directory, sizeof(store->directory), "%s", directory);
    enum mg_status status = MG_OK;
    if (len < 0 || (size_t)len >= sizeof(store->directory)) {
        status = mg_error_set(error, MG_INVALID, "%s: the path is too long", directory);
    }
    if (status == MG_OK) {
        status = mg_file_make_directory(directory, 0700, error);
    }
    if (status == MG_OK) {
        status = load_all(store, error);
    }
    if (status != MG_OK) {
        keystore_free(store);
        return status;
    }
    *out = store;
    return MG_OK;
}

void keystore_free(struct keystore *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < store->num_keys; i++) {
        free_key(store->keys[i]);
    }
    free(store);
}

size_t keystore_num_keys(const struct keystore *store)
{
    return store->num_keys;
}

const struct keystore_key *keystore_get0(const struct keystore *store, size_t index)
{
    return store->keys[index];
}

const struct keystore_key *keystore_find0(const struct keystore *store, const struct wire_key_id *id)
{
    size_t index = index_of(store, id);
    return index < store->num_keys ? store->keys[index] : NULL;
}

const struct keystore_key *keystore_find0_origin(const struct keystore *store, enum key_origin origin)
{
    for (size_t i = 0; i < store->num_keys; i++) {
        if (store->keys[i]->info.origin == origin) {
            return store->keys[i];
        }
    }
    return NULL;
}

const struct keystore_key *keystore_find0_token(const struct keystore *store, const struct wire_control_token *token)
{
    for (size_t i = 0; i < store->num_keys; i++) {
        if (memcmp(&store->keys[i]->info.token, token, sizeof(*token)) == 0) {
            return store->keys[i];
        }
    }
    return NULL;
}

const struct keystore_key *keystore_next0(const struct keystore *store, const struct wire_key_id *id)
{
    const struct keystore_key *next = NULL;
    for (size_t i = 0; i < store->num_keys; i++) {
        const struct keystore_key *key = store->keys[i];
        if (memcmp(&key->info.id, id, sizeof(*id)) > 0 &&
            (next == NULL || memcmp(&key->info.id, &next->info.id, sizeof(*id)) < 0)) {
            next = key;
        }
    }
    return next;
}

/* encode_private writes PKCS#8 (RFC 5958), and returns its length. */
static int encode_private(const EVP_PKEY *pkey, uint8_t **der)
{
    PKCS8_PRIV_KEY_INFO *pkcs8 = EVP_PKEY2PKCS8(pkey);
    int len = pkcs8 != NULL ? i2d_PKCS8_PRIV_KEY_INFO(pkcs8, der) : -1;
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    return len;
}

/* write_key seals what there is of |key| and writes its file. */
static enum mg_status write_key(const struct keystore *store, const struct keystore_key *key, struct mg_error *error)
{
    struct mg_buffer file;
    uint8_t *der = NULL;
    char path[PATH_MAX];
    int len = is_held(key) ? i2d_PUBKEY(key->pkey, &der) : encode_private(key->pkey, &der);
    if (len <= 0) {
        return openssl_error_set(error, "cannot encode a key");
    }
    mg_buffer_init(&file, SEALED_KEY_MAX_FILE);
    enum mg_status status = sealed_key_seal(store->kek, &key->info, mg_slice_of(der, (size_t)len), &file, error);
    OPENSSL_clear_free(der, (size_t)len);
    if (status == MG_OK) {
        path_of(store, &key->info.id, KEY_SUFFIX, path);
        status = mg_file_write_atomic(path, mg_buffer_slice(&file), 0600, error);
    }
    mg_buffer_free(&file);
    return status;
}

/* make_key draws an id and a key of the type that |key->info| says, and writes it. */
static enum mg_status make_key(const struct keystore *store, struct keystore_key *key, struct mg_error *error)
{
    if (RAND_bytes(key->info.id.bytes, sizeof(key->info.id.bytes)) != 1) {
        return openssl_error_set(error, "no randomness for a key id");
    }
    enum mg_status status = key_type_generate(key->type, &key->pkey, error);
    return status == MG_OK ? write_key(store, key, error) : status;
}

/* new_key makes an empty key with |info|, for which the store has room. */
static enum mg_status new_key(const struct keystore *store, const struct key_info *info, struct keystore_key **out,
                              struct mg_error *error)
{
    const struct key_type *type = key_type_get0(info->type);
    if (type == NULL) {
        return mg_error_set(error, MG_INVALID, "unknown key type %d", (int)info->type);
    }
    if (store->num_keys == KEYSTORE_MAX_KEYS) {
        return mg_error_set(error, MG_LIMIT, "the keystore is full: it holds %d keys", KEYSTORE_MAX_KEYS);
    }
    struct keystore_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a key");
    }
    key->info = *info;
    key->type = type;
    *out = key;
    return MG_OK;
}

/* keep adds |key|, which was written, to the store; where |status| says that it was not, it is freed. */
static enum mg_status keep(struct keystore *store, struct keystore_key *key, enum mg_status status,
                           const struct keystore_key **out)
{
    if (status != MG_OK) {
        free_key(key);
        return status;
    }
    store->keys[store->num_keys++] = key;
    *out = key;
    return MG_OK;
}

enum mg_status keystore_make(struct keystore *store, const struct key_info *info, const struct keystore_key **out,
                             struct mg_error *error)
{
    struct keystore_key *key;
    enum mg_status status = new_key(store, info, &key, error);
    return status == MG_OK ? keep(store, key, make_key(store, key, error), out) : status;
}

enum mg_status keystore_add_held(struct keystore *store, const struct key_info *info, EVP_PKEY *pkey,
                                 const struct keystore_key **out, struct mg_error *error)
{
    struct keystore_key *key;
    if (index_of(store, &info->id) < store->num_keys) {
        return mg_error_set(error, MG_EXISTS, "key id: there is such a key");
    }
    enum mg_status status = new_key(store, info, &key, error);
    if (status != MG_OK) {
        return status;
    }
    if (key_type_of_key(pkey) != key->type) {
        status = mg_error_set(error, MG_INVALID, "the token's key is not of type %s", key->type->name);
    } else if (EVP_PKEY_up_ref(pkey) != 1) {
        status = openssl_error_set(error, "cannot keep a public key");
    } else {
        key->pkey = pkey;
        status = write_key(store, key, error);
    }
    return keep(store, key, status, out);
}

/* decode_import reads a key from outside into |key|, and checks that its private part fits its public one: a wrong one
 * would sign what nobody can verify. */
static enum mg_status decode_import(struct keystore_key *key, struct mg_slice secret, struct mg_error *error)
{
    const uint8_t *der = secret.data;
    PKCS8_PRIV_KEY_INFO *pkcs8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, (long)secret.len);
    bool is_whole = pkcs8 != NULL && der == secret.data + secret.len;
    key->pkey = is_whole ? EVP_PKCS82PKEY(pkcs8) : NULL;
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    if (key->pkey == NULL) {
        (void)openssl_error_set(error, "key: is no PKCS#8");
        return MG_INVALID;
    }
    key->type = key_type_of_key(key->pkey);
    if (key->type == NULL) {
        return mg_error_set(error, MG_INVALID, "key: must be RSA of 2048, 3072 or 4096 bits, or EC on P-256 or P-384");
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    bool is_sound = context != NULL && EVP_PKEY_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (!is_sound) {
        (void)openssl_error_set(error, "key: contradicts itself");
        return MG_INVALID;
    }
    key->info.type = key->type->type;
    return MG_OK;
}

static enum mg_status import_key(const struct keystore *store, struct keystore_key *key, struct mg_slice secret,
                                 struct mg_error *error)
{
    enum mg_status status = decode_import(key, secret, error);
    if (status != MG_OK) {
        return status;
    }
    if (RAND_bytes(key->info.id.bytes, sizeof(key->info.id.bytes)) != 1) {
        return openssl_error_set(error, "no randomness for a key id");
    }
    return write_key(store, key, error);
}

enum mg_status keystore_import(struct keystore *store, const struct key_info *info, struct mg_slice secret,
                               const struct keystore_key **out, struct mg_error *error)
{
    if (store->num_keys == KEYSTORE_MAX_KEYS) {
        return mg_error_set(error, MG_LIMIT, "the keystore is full: it holds %d keys", KEYSTORE_MAX_KEYS);
    }
    struct keystore_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a key");
    }
    key->info = *info;
    return keep(store, key, import_key(store, key, secret, error), out);
}

/* move renames |from| to |to|. Where an earlier try did so, but could not sync the directory, it does that. */
static enum mg_status move(const char *from, const char *to, struct mg_error *error)
{
    enum mg_status status = mg_file_rename(from, to, error);
    if (status == MG_NOT_FOUND) {
        status = mg_file_rename(to, to, error);
    }
    return status == MG_NOT_FOUND ? MG_IO : status;
}

enum mg_status keystore_remove(struct keystore *store, const struct keystore_key *key, struct mg_error *error)
{
    struct keystore_key *mine = store->keys[index_of(store, &key->info.id)];
    char in_use[PATH_MAX], removed[PATH_MAX];
    if (mine->is_removed) {
        return MG_OK;
    }
    path_of(store, &mine->info.id, CHAIN_SUFFIX, in_use);
    path_of(store, &mine->info.id, REMOVED_SUFFIX, removed);
    enum mg_status status = move(in_use, removed, error);
    mine->is_removed = status == MG_OK;
    return status;
}

/* begin_destruction takes the key at |index| out of the store: after the rename no start loads it any more. */
static enum mg_status begin_destruction(struct keystore *store, size_t index, struct mg_error *error)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct keystore_key *key = store->keys[index];
    path_of(store, &key->info.id, KEY_SUFFIX, from);
    path_of(store, &key->info.id, DESTROYED_SUFFIX, to);
    enum mg_status status = move(from, to, error);
    if (status != MG_OK) {
        return status;
    }
    free_key(key);
    store->keys[index] = store->keys[--store->num_keys];
    return MG_OK;
}

enum mg_status keystore_destroy(struct keystore *store, const struct wire_key_id *id, struct mg_error *error)
{
    char id_text[ID_TEXT_LEN + 1];
    size_t index = index_of(store, id);
    format_id(id, id_text); /* before the key goes: |id| may be its own */
    if (index < store->num_keys) {
        enum mg_status status = begin_destruction(store, index, error);
        if (status != MG_OK) {
            return status;
        }
    }
    return finish_destruction(store, id_text, error);
}
