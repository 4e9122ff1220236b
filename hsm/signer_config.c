/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/signer_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/schema.h"

_Static_assert((int)CONFIG_KEY_EC_P256 == (int)WIRE_KEY_EC_P256 && (int)CONFIG_KEY_RSA_4096 == (int)WIRE_KEY_RSA_4096,
               "the configuration numbers key types as the wire does");

_Static_assert(CONFIG_MAX_TOKENS == WIRE_TOKEN_MAX_PLACES, "every token has a place");

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

/* Tokens */

/* find_token_program finds mintgate-token in the directory of the program that runs. */
static enum mg_status find_token_program(struct signer_config *out, struct mg_error *error)
{
    static const char name[] = "mintgate-token";
    ssize_t len = readlink("/proc/self/exe", out->token_program, sizeof(out->token_program) - sizeof(name));
    if (len <= 0) {
        return mg_error_errno(error, "cannot tell where this program is");
    }
    while (len > 0 && out->token_program[len - 1] != '/') {
        len--;
    }
    memcpy(out->token_program + len, name, sizeof(name));
    return MG_OK;
}

/* Where systemd puts the signer's credentials: for --check, which it does not run. */
#define CREDENTIALS "/run/credentials/mintgate-signer.service"

static enum mg_status set_pin_credential(struct token_config *out, const struct config_token *token,
                                         struct mg_error *error)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    out->pin_source = TOKEN_PIN_CREDENTIAL;
    if (strchr(token->pin_credential, '/') != NULL) {
        return mg_error_set(error, MG_INVALID, "signer.tokens: %s: pin_credential: not a name of a credential",
                            token->name);
    }
    int len = snprintf(out->pin_file, sizeof(out->pin_file), "%s/%s", directory != NULL ? directory : CREDENTIALS,
                       token->pin_credential);
    return len > 0 && (size_t)len < sizeof(out->pin_file)
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "signer.tokens: %s: pin_credential: its path is too long",
                              token->name);
}

/* set_pin writes where the PIN of |token| is. */
static enum mg_status set_pin(struct token_config *out, const struct config_token *token, struct mg_error *error)
{
    if (token->pin_credential[0] != '\0') {
        return set_pin_credential(out, token, error);
    }
    out->pin_source = TOKEN_PIN_FILE;
    snprintf(out->pin_file, sizeof(out->pin_file), "%s", token->pin_file);
    if (token->pin_descriptor != 0) {
        out->pin_source = TOKEN_PIN_DESCRIPTOR;
        out->pin_descriptor = (int)token->pin_descriptor;
        snprintf(out->pin_file, sizeof(out->pin_file), "descriptor %d", out->pin_descriptor);
        (void)fcntl(out->pin_descriptor, F_SETFD, FD_CLOEXEC); /* not the tokens' processes', which get the PIN alone */
    }
    return MG_OK;
}

static size_t place_of(const struct config_tokens *tokens, const char *name)
{
    for (size_t i = 0; i < tokens->num_items; i++) {
        if (strcmp(tokens->items[i].name, name) == 0) {
            return i;
        }
    }
    return TOKEN_NO_PARTNER; /* no name, that is: the configuration was checked */
}

static enum mg_status take_over_tokens(struct signer_config *out, const struct config_tokens *tokens,
                                       struct mg_error *error)
{
    static const char *const regions[] = {"GLOBAL", "ASIA", "EUROPE", "US"};
    enum mg_status status = MG_OK;
    out->num_tokens = tokens->num_items;
    for (size_t i = 0; status == MG_OK && i < tokens->num_items; i++) {
        const struct config_token *token = &tokens->items[i];
        struct token_config *mine = &out->tokens[i];
        /* the schema keeps each within its room */
        snprintf(mine->name, sizeof(mine->name), "%s", token->name);
        snprintf(mine->module, sizeof(mine->module), "%s", token->module);
        snprintf(mine->token, sizeof(mine->token), "%s", token->token);
        snprintf(mine->region, sizeof(mine->region), "%s", regions[token->region]);
        mine->num_sessions = (unsigned)token->sessions;
        mine->partner = place_of(tokens, token->partner);
        mine->deadline_ns = token->deadline_ns;
        status = set_pin(mine, token, error);
    }
    return status == MG_OK && out->num_tokens > 0 ? find_token_program(out, error) : status;
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
    status = take_over_tokens(out, &signer->tokens, error);
    return status == MG_OK ? check_kek_apart(out, error) : status;
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
