/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/password.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "ossl/openssl_error.h"
#include "ossl/scrypt.h"

/* 32 MiB each: what a small appliance can spend on two logins at a time. In the record, so that it can grow. */
#define COST_TEXT "scrypt$15$8$1$"
#define COST_N (UINT64_C(1) << 15)
#define SALT_LEN 16
#define HASH_LEN 32

static bool derive(struct mg_slice password, const uint8_t salt[SALT_LEN], uint8_t out[HASH_LEN])
{
    return scrypt_derive(password, mg_slice_of(salt, SALT_LEN), COST_N, out, HASH_LEN);
}

static void format(const uint8_t salt[SALT_LEN], const uint8_t hash[HASH_LEN], char out[PASSWORD_RECORD_LEN])
{
    size_t len = (size_t)snprintf(out, PASSWORD_RECORD_LEN, "%s", COST_TEXT);
    for (size_t i = 0; i < SALT_LEN; i++, len += 2) {
        snprintf(out + len, PASSWORD_RECORD_LEN - len, "%02x", salt[i]);
    }
    out[len++] = '$';
    for (size_t i = 0; i < HASH_LEN; i++, len += 2) {
        snprintf(out + len, PASSWORD_RECORD_LEN - len, "%02x", hash[i]);
    }
}

enum mg_status password_hash(struct mg_slice password, char out[PASSWORD_RECORD_LEN], struct mg_error *error)
{
    uint8_t salt[SALT_LEN], hash[HASH_LEN];
    if (password.len < PASSWORD_MIN || password.len > PASSWORD_MAX) {
        return mg_error_set(error, MG_INVALID, "password: must have %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
    }
    if (RAND_bytes(salt, sizeof(salt)) != 1 || !derive(password, salt, hash)) {
        return openssl_error_set(error, "cannot hash a password");
    }
    format(salt, hash, out);
    mg_secret_wipe(hash, sizeof(hash));
    return MG_OK;
}

/* read_salt takes the salt out of a record of today's cost. */
static bool read_salt(const char *record, uint8_t out[SALT_LEN])
{
    size_t cost_len = strlen(COST_TEXT), len = 0;
    if (strlen(record) != PASSWORD_RECORD_LEN - 1 || strncmp(record, COST_TEXT, cost_len) != 0) {
        return false;
    }
    char hex[2 * SALT_LEN + 1];
    memcpy(hex, record + cost_len, 2 * SALT_LEN);
    hex[2 * SALT_LEN] = '\0';
    return OPENSSL_hexstr2buf_ex(out, SALT_LEN, &len, hex, '\0') == 1 && len == SALT_LEN;
}

bool password_verify(struct mg_slice password, const char *record)
{
    uint8_t salt[SALT_LEN] = {0}, hash[HASH_LEN] = {0};
    char computed[PASSWORD_RECORD_LEN];
    bool has_record = record != NULL && read_salt(record, salt);
    if (password.len > PASSWORD_MAX) {
        password.len = 0; /* of no user; the time it takes is not the sender's to choose */
    }
    bool ok = derive(password, salt, hash);
    format(salt, hash, computed);
    ok = ok && has_record && password.len > 0 && CRYPTO_memcmp(computed, record, sizeof(computed)) == 0;
    mg_secret_wipe(hash, sizeof(hash));
    mg_secret_wipe(computed, sizeof(computed));
    ERR_clear_error();
    return ok;
}
