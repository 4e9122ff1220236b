/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/signer_config.h"

#include <stdio.h>

#include "config/config.h"

_Static_assert((int)CONFIG_KEY_EC_P256 == (int)WIRE_KEY_EC_P256 && (int)CONFIG_KEY_RSA_4096 == (int)WIRE_KEY_RSA_4096,
               "the configuration numbers key types as the wire does");

struct text_field {
    const char *key;
    const char *value;
    char *out;
    size_t size;
};

static enum mg_status copy_texts(const struct text_field *fields, size_t num_fields, struct mg_error *error)
{
    for (size_t i = 0; i < num_fields; i++) {
        int len = snprintf(fields[i].out, fields[i].size, "%s", fields[i].value);
        if (len < 0 || (size_t)len >= fields[i].size) {
            return mg_error_set(error, MG_INVALID, "signer.%s: longer than %zu characters", fields[i].key,
                                fields[i].size - 1);
        }
    }
    return MG_OK;
}

/* A key-encryption key among what it encrypts would travel with every copy of it. */
static enum mg_status check_kek_apart(const struct signer_config *config, struct mg_error *error)
{
    size_t len = strlen(config->state_dir);
    if (config->kek_credential[0] == '\0' && strncmp(config->kek_file, config->state_dir, len) == 0 &&
        (config->kek_file[len] == '/' || config->state_dir[len - 1] == '/')) {
        return mg_error_set(error, MG_INVALID, "signer.key_encryption_key: must not lie below signer.state_dir");
    }
    return MG_OK;
}

static void derive_paths(struct signer_config *out)
{
    snprintf(out->keys_dir, sizeof(out->keys_dir), "%s/keys", out->state_dir);
    snprintf(out->journal_dir, sizeof(out->journal_dir), "%s/journal", out->state_dir);
    snprintf(out->root_path, sizeof(out->root_path), "%s/root.pem", out->state_dir);
    snprintf(out->lock_path, sizeof(out->lock_path), "%s/lock", out->state_dir);
}

static enum mg_status take_over(struct signer_config *out, const struct config *config, struct mg_error *error)
{
    const struct config_signer *signer = &config->signer;
    const struct text_field fields[] = {
        {"engine_socket", signer->engine_socket, out->engine_socket, sizeof(out->engine_socket)},
        {"control_socket", signer->control_socket, out->control_socket, sizeof(out->control_socket)},
        {"metrics_socket", signer->metrics_socket, out->metrics_socket, sizeof(out->metrics_socket)},
        {"state_dir", signer->state_dir, out->state_dir, sizeof(out->state_dir)},
        {"key_encryption_key", signer->key_encryption_key, out->kek_file, sizeof(out->kek_file)},
        {"key_encryption_credential", signer->key_encryption_credential, out->kek_credential,
         sizeof(out->kek_credential)},
    };
    enum mg_status status = copy_texts(fields, MG_ARRAY_LEN(fields), error);
    if (status != MG_OK) {
        return status;
    }
    derive_paths(out);
    out->builtin_key_type = (enum wire_key_type)signer->builtin_key_type;
    out->max_validity_seconds = (int64_t)config->minting.max_validity_seconds;
    out->use_crypto_mb = signer->crypto_mb == CONFIG_CRYPTO_MB_AUTO;
    out->num_threads = (unsigned)signer->threads;
    out->queue = (unsigned)signer->queue;
    out->journal_rotate_bytes = signer->journal_bytes;
    out->log_level = config->log_level;
    return check_kek_apart(out, error);
}

enum mg_status signer_config_load(struct signer_config *out, const char *path, struct mg_error *error)
{
    struct config *config;
    enum mg_status status = config_load(&config, path, error);
    if (status == MG_OK) {
        status = take_over(out, config, error);
        config_free(config);
    }
    return status;
}
