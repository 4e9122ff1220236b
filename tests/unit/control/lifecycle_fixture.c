/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "ca_builder.h"
#include "tests/unit/hsm/temp_dir.h"

struct lifecycle lifecycle;
struct lifecycle_call call;
struct mg_error error;
struct mg_buffer public_key;

static EVP_PKEY *upper_key, *key;
static X509 *upper;
static uint8_t num_keys;

static void need(bool condition)
{
    if (!condition) {
        fprintf(stderr, "fixture: %s\n", error.text);
        abort();
    }
}

static void open_store(void)
{
    static const struct store_migrations *const modules[] = {&audit_migrations, &intermediate_migrations};
    need(store_open(&lifecycle.store, temp_path("control.db"), modules, 2, &error) == MG_OK);
}

void fixture_reopen(void)
{
    store_close(lifecycle.store);
    open_store();
}

static void install_builtin(void)
{
    struct mg_buffer certificate;
    mg_buffer_init(&certificate, 1 << 16);
    fixture_certificate(&certificate, 0);
    const struct lifecycle_builtin builtin = {
        .name = "Mintgate Issuing CA",
        .key_id = {"the built-in's!"},
        .key_type = WIRE_KEY_EC_P256,
        .public_key = mg_buffer_slice(&public_key),
        .certificate = mg_buffer_slice(&certificate),
    };
    need(lifecycle_install_builtin(&call, &builtin, &error) == MG_OK);
    mg_buffer_free(&certificate);
}

int fixture_open(void **state)
{
    need(temp_dir_make(state) == 0);
    lifecycle = (struct lifecycle){.subscription = CONFIG_SUBSCRIPTION_HSM};
    lifecycle.has_token[INTERMEDIATE_EUROPE] = lifecycle.has_token[INTERMEDIATE_GLOBAL] = true;
    call = (struct lifecycle_call){
        .lifecycle = &lifecycle, .actor = {"alice", CONTROL_ADMIN, "unix:0"}, .now_us = CA_NOW * 1000000};
    error.text[0] = '\0';
    num_keys = 0;
    upper_key = ca_key("P-256", 0);
    key = ca_key("P-256", 0);
    upper = ca_make(&(struct ca_spec){.common_name = "Corp Root", .key = upper_key});
    mg_buffer_init(&public_key, 4096);
    ca_append_public_key(&public_key, key);
    open_store();
    install_builtin();
    return 0;
}

int fixture_open_software(void **state)
{
    int result = fixture_open(state);
    lifecycle.subscription = CONFIG_SUBSCRIPTION_SOFTWARE;
    return result;
}

int fixture_close(void **state)
{
    store_close(lifecycle.store);
    X509_free(upper);
    EVP_PKEY_free(upper_key);
    EVP_PKEY_free(key);
    mg_buffer_free(&public_key);
    return temp_dir_remove(state);
}

struct lifecycle_draft fixture_draft(const char *name, enum intermediate_type type, enum intermediate_status status)
{
    struct lifecycle_draft draft = LIFECYCLE_EMPTY_DRAFT;
    draft.name = mg_slice_of_text(name);
    draft.type = type;
    draft.region = type == INTERMEDIATE_HSM ? INTERMEDIATE_EUROPE : 0;
    draft.status = status;
    return draft;
}

int64_t fixture_create(const char *name, enum intermediate_type type, enum intermediate_status status)
{
    struct lifecycle_draft draft = fixture_draft(name, type, status);
    struct intermediate record;
    need(lifecycle_create(&call, &draft, &record, &error) == MG_OK);
    int64_t id = record.id;
    intermediate_free(&record);
    return id;
}

void fixture_certificate(struct mg_buffer *out, int64_t not_after)
{
    X509 *x509 = ca_make(&(struct ca_spec){
        .common_name = "Corp CA", .key = key, .issuer = upper, .issuer_key = upper_key, .not_after = not_after});
    ca_append_pem(out, x509);
    X509_free(x509);
}

void fixture_chain(struct mg_buffer *out)
{
    ca_append_pem(out, upper);
}

/* Steps of the workflow. */

static enum mg_status make_key(int64_t id)
{
    struct wire_key_id key_id = {"key of a test "};
    key_id.bytes[14] = ++num_keys;
    return lifecycle_key_made(&call, id, &key_id, mg_buffer_slice(&public_key), NULL, &error);
}

static enum mg_status read_public_key(int64_t id)
{
    return lifecycle_read(&call, LIFECYCLE_READ_PUBLIC_KEY, id, NULL, &error);
}

static enum mg_status read_attestation(int64_t id)
{
    return lifecycle_read(&call, LIFECYCLE_READ_ATTESTATION, id, NULL, &error);
}

static enum mg_status verify_attestation(int64_t id)
{
    return lifecycle_attestation_verified(&call, id, NULL, &error);
}

static enum mg_status make_csr(int64_t id)
{
    struct intermediate_csr csr;
    enum mg_status status = lifecycle_check_csr(&call, id, &LIFECYCLE_EMPTY_CSR_WISH, &csr, NULL, &error);
    return status == MG_OK ? lifecycle_csr_made(&call, id, &csr, mg_slice_of_text("a CSR"), NULL, &error) : status;
}

static enum mg_status upload(int64_t id)
{
    struct mg_buffer file;
    mg_buffer_init(&file, 1 << 16);
    fixture_certificate(&file, 0);
    enum mg_status status =
        lifecycle_upload_certificate(&call, id, mg_buffer_slice(&file), mg_slice_of_text("signed.pem"), NULL, &error);
    mg_buffer_free(&file);
    return status;
}

static enum mg_status upload_chain(int64_t id)
{
    struct mg_buffer file;
    mg_buffer_init(&file, 1 << 16);
    fixture_chain(&file);
    enum mg_status status = lifecycle_upload_chain(&call, id, mg_buffer_slice(&file), NULL, &error);
    mg_buffer_free(&file);
    return status;
}

static enum mg_status finalize(int64_t id)
{
    return lifecycle_finalize(&call, id, NULL, &error);
}

void fixture_bring(int64_t id, enum intermediate_state state)
{
    static enum mg_status (*const steps[])(int64_t id) = {
        [INTERMEDIATE_KEYGEN_DONE] = make_key,
        [INTERMEDIATE_PUBKEY_DONE] = read_public_key,
        [INTERMEDIATE_ATTESTATION_DONE] = read_attestation,
        [INTERMEDIATE_ATTESTATION_VERIFY_DONE] = verify_attestation,
        [INTERMEDIATE_CSRGEN_DONE] = make_csr,
        [INTERMEDIATE_CERT_UPLOAD_DONE] = upload,
        [INTERMEDIATE_CHAIN_UPLOAD_DONE] = upload_chain,
        [INTERMEDIATE_CERT_READY] = finalize,
    };
    struct intermediate record = fixture_load(id);
    enum intermediate_type type = record.type;
    for (enum intermediate_state next = record.state + 1; next <= state; next++) {
        bool of_hsm = next == INTERMEDIATE_ATTESTATION_DONE || next == INTERMEDIATE_ATTESTATION_VERIFY_DONE;
        if (type == INTERMEDIATE_HSM || !of_hsm) {
            need(steps[next](id) == MG_OK);
        }
    }
    intermediate_free(&record);
}

int64_t fixture_ready(const char *name, enum intermediate_type type, enum intermediate_status status)
{
    int64_t id = fixture_create(name, type, status);
    fixture_bring(id, INTERMEDIATE_CERT_READY);
    return id;
}

/* Looking. */

static struct store_tx *begin_read(void)
{
    struct store_tx *tx = NULL;
    need(store_begin(lifecycle.store, STORE_READ, &tx, &error) == MG_OK);
    return tx;
}

struct intermediate fixture_load(int64_t id)
{
    struct intermediate record;
    struct store_tx *tx = begin_read();
    need(store_end(tx, intermediate_load(tx, id, &record, &error), &error) == MG_OK);
    return record;
}

struct default_issuer fixture_default(void)
{
    struct default_issuer now;
    struct store_tx *tx = begin_read();
    need(store_end(tx, default_issuer_load(tx, &now, &error), &error) == MG_OK);
    return now;
}

int64_t fixture_count(const char *sql)
{
    struct store_statement query;
    struct store_tx *tx = begin_read();
    store_prepare(&query, tx, sql);
    int64_t count = store_next(&query) ? store_column_int(&query) : -1;
    need(store_end(tx, store_finish(&query, &error), &error) == MG_OK);
    return count;
}
