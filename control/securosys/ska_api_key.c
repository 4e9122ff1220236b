/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_api_key.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

#define KEY_BYTES 32

static const char *const roles[] = {NULL, "keyManagementToken", "keyOperationToken", "approverToken", "serviceToken"};
const struct words ska_api_role_words = WORDS_OF(roles);

static struct mg_slice hash(const char *text, uint8_t digest[SHA256_DIGEST_LENGTH])
{
    SHA256((const uint8_t *)text, strlen(text), digest);
    return mg_slice_of(digest, SHA256_DIGEST_LENGTH);
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < HTTP_MAX_NAME &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static enum mg_status check_room(struct store_tx *tx, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT count(*) FROM ska_api_key");
    int64_t count = store_next(&query) ? store_column_int(&query) : 0;
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && count >= SKA_MAX_API_KEYS
               ? mg_error_set(error, MG_LIMIT, "there are %d API keys already", SKA_MAX_API_KEYS)
               : status;
}

static enum mg_status draw(char text[SKA_API_KEY_LEN], struct mg_error *error)
{
    uint8_t bytes[KEY_BYTES];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return mg_error_set(error, MG_INTERNAL, "no randomness");
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    mg_secret_wipe(bytes, sizeof(bytes));
    return MG_OK;
}

enum mg_status ska_api_key_create(struct store_tx *tx, const struct ska_api_key *key, char text[SKA_API_KEY_LEN],
                                  struct mg_error *error)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct store_statement statement;
    if (!is_name(key->name)) {
        return mg_error_set(error, MG_INVALID, "name: must be 1 to 64 letters, digits, '.', '_' and '-'");
    }
    enum mg_status status = check_room(tx, error);
    if (status == MG_OK) {
        status = draw(text, error);
    }
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, "INSERT INTO ska_api_key (name, role, sha256, created_us) VALUES (?, ?, ?, ?)");
    store_bind_text(&statement, mg_slice_of_text(key->name));
    store_bind_text(&statement, mg_slice_of_text(words_name(&ska_api_role_words, key->role)));
    store_bind_blob(&statement, hash(text, digest));
    store_bind_int(&statement, key->created_us);
    status = store_run(&statement, error);
    return status == MG_EXISTS ? mg_error_set(error, MG_EXISTS, "name: there is an API key %s", key->name) : status;
}

enum mg_status ska_api_key_delete(struct store_tx *tx, const char *name, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ska_api_key WHERE name = ?");
    store_bind_text(&statement, mg_slice_of_text(name));
    enum mg_status status = store_run(&statement, error);
    return status == MG_OK && store_num_changed(tx) == 0
               ? mg_error_set(error, MG_NOT_FOUND, "name: there is no API key of that name")
               : status;
}

static void read_key(struct store_statement *query, struct ska_api_key *out)
{
    struct mg_slice name = store_column_text(query);
    *out = (struct ska_api_key){.name = ""};
    snprintf(out->name, sizeof(out->name), "%.*s", (int)name.len, (const char *)name.data);
    out->role = (enum ska_api_role)words_value(&ska_api_role_words, store_column_text(query));
    out->created_us = store_column_int(query);
}

enum mg_status ska_api_key_each(struct store_tx *tx, ska_api_key_visitor *visit, void *arg, struct mg_error *error)
{
    struct store_statement query;
    enum mg_status visited = MG_OK;
    store_prepare(&query, tx, "SELECT name, role, created_us FROM ska_api_key ORDER BY name");
    while (visited == MG_OK && store_next(&query)) {
        struct ska_api_key key;
        read_key(&query, &key);
        visited = visit(arg, &key);
    }
    enum mg_status status = store_finish(&query, error);
    return visited != MG_OK ? visited : status;
}

enum mg_status ska_api_key_find(struct store_tx *tx, const char *text, struct ska_api_key *out, struct mg_error *error)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct store_statement query;
    store_prepare(&query, tx, "SELECT name, role, created_us FROM ska_api_key WHERE sha256 = ?");
    store_bind_blob(&query, hash(text, digest));
    bool found = store_next(&query);
    if (found) {
        read_key(&query, out);
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "the API key is nobody's") : status;
}

enum mg_status ska_api_key_has_role(struct store_tx *tx, enum ska_api_role role, bool *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT 1 FROM ska_api_key WHERE role = ? LIMIT 1");
    store_bind_text(&query, mg_slice_of_text(words_name(&ska_api_role_words, role)));
    *out = store_next(&query);
    return store_finish(&query, error);
}
