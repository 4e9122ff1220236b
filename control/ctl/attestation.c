/* SPDX-License-Identifier: Apache-2.0 */
/* Checking a downloaded attestation by itself (docs/api/attestation.md): it asks nothing of the control plane. */
#include "control/attestation/attestation.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "control/ctl/commands.h"
#include "control/ctl/table.h"

#define MAX_PUBLIC_KEY 16384
#define MAX_TEXT (1U << 20)

/* load_key reads the file of --public-key; *out is NULL where that is not given. */
static enum mg_status load_key(const struct ctl *ctl, EVP_PKEY **out, struct mg_error *error)
{
    const char *path = ctl->options[CTL_PUBLIC_KEY];
    struct mg_buffer text;
    *out = NULL;
    if (path == NULL) {
        return MG_OK;
    }
    mg_buffer_init(&text, MAX_PUBLIC_KEY);
    enum mg_status status = mg_file_read(path, &text, error);
    if (status == MG_OK) {
        BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
        *out = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
        ERR_clear_error();
        status = *out != NULL ? MG_OK : mg_error_set(error, MG_DENIED, "%s: is no public key in PEM", path);
    }
    mg_buffer_free(&text);
    return status;
}

/* ---- printing ---- */

static void add_row(struct table *table, const char *group, const char *name, const json_t *value)
{
    char label[64];
    if (strcmp(name, "publicKey") != 0) { /* its digest is there too */
        snprintf(label, sizeof(label), "%.20s%s%.40s", group, group[0] == '\0' ? "" : " ", name);
        table_add(table, label);
        table_add(table, json_is_string(value) ? json_string_value(value) : json_is_true(value) ? "yes" : "no");
    }
}

/* add_rows adds the members of |object|, and those of its objects behind their names. */
static void add_rows(struct table *table, json_t *object)
{
    const char *name, *inner;
    json_t *value, *member;
    json_object_foreach(object, name, value)
    {
        if (!json_is_object(value)) {
            add_row(table, "", name, value);
            continue;
        }
        json_object_foreach(value, inner, member)
        {
            add_row(table, name, inner, member);
        }
    }
}

/* What else is worth knowing of a good attestation. */
static const char *note_of(const json_t *statement, bool has_key)
{
    const char *kind = ctl_text(statement, "tokenKind");
    if (!has_key) {
        return "Good in itself. Whose key it is --public-key FILE tells, with a public key from elsewhere.";
    }
    return strcmp(kind, "software") == 0   ? "Good, and the token is software: whoever has its files has the key."
           : strcmp(kind, "hardware") == 0 ? "Good, as far as the token's word goes (docs/security.md)."
                                           : "Good, but nothing says whether the token is hardware.";
}

static enum mg_status print(const struct ctl *ctl, const struct attestation *attestation, bool has_key,
                            struct mg_error *error)
{
    struct mg_buffer text;
    struct table table;
    if (ctl->json) {
        return ctl_print_json(attestation->statement, error);
    }
    table_begin(&table, NULL, 2);
    add_rows(&table, attestation->statement);
    mg_buffer_init(&text, MAX_TEXT);
    table_end(&table, &text);
    mg_buffer_append_format(&text, "%s\n", note_of(attestation->statement, has_key));
    return ctl_print(&text, error);
}

/* ---- the command ---- */

static enum mg_status check(const struct ctl *ctl, struct mg_slice text, EVP_PKEY *key, struct mg_error *error)
{
    struct attestation attestation;
    enum mg_status status = ctl_in_file(ctl->args[0], attestation_read(text, &attestation, error), error);
    if (status != MG_OK) {
        return status;
    }
    status = attestation_verify(&attestation, key, error);
    if (status == MG_OK) {
        status = attestation_judge(&attestation, error);
    }
    if (status == MG_OK) {
        status = print(ctl, &attestation, key != NULL, error);
    }
    attestation_free(&attestation);
    return status;
}

enum mg_status attestation_check_file(struct ctl *ctl, struct mg_error *error)
{
    EVP_PKEY *key;
    struct mg_buffer text;
    enum mg_status status = load_key(ctl, &key, error);
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_init(&text, ATTESTATION_MAX_FILE + 1);
    status = mg_file_read(ctl->args[0], &text, error);
    if (status == MG_OK) {
        status = check(ctl, mg_buffer_slice(&text), key, error);
    }
    mg_buffer_free(&text);
    EVP_PKEY_free(key);
    return status;
}
