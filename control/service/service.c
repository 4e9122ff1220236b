/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "control/certificate_check.h"
#include "control/service/key_attestation.h"
#include "control/service/key_sweep.h"
#include "control/service/placement.h"
#include "control/service/publication.h"
#include "control/succession.h"

#define MAX_PEM 65536

struct service {
    struct service_config config;
    _Atomic uint32_t prepare_ms;
    struct key_sweep *sweep;
    pthread_mutex_t publishing; /* held from reading the epoch to writing the next one */
};

enum mg_status service_new(struct service **out, const struct service_config *config, struct mg_error *error)
{
    struct service *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    service->config = *config;
    service_set_prepare_ms(service, config->prepare_ms);
    pthread_mutex_init(&service->publishing, NULL);
    const struct key_sweep_config sweep = {.engines_ms = KEY_SWEEP_ENGINES_MS,
                                           .store = config->lifecycle->store,
                                           .signer = config->signer,
                                           .engines = config->engines};
    enum mg_status status = key_sweep_new(&service->sweep, &sweep, error);
    if (status != MG_OK) {
        service_free(service);
        return status;
    }
    *out = service;
    return MG_OK;
}

void service_free(struct service *service)
{
    if (service != NULL) {
        key_sweep_free(service->sweep);
        pthread_mutex_destroy(&service->publishing);
        free(service);
    }
}

void service_set_prepare_ms(struct service *service, uint32_t prepare_ms)
{
    atomic_store_explicit(&service->prepare_ms, prepare_ms, memory_order_relaxed);
}

/* failed notes the API's word for a failure of the signer or of engines. */
static enum mg_status failed(struct lifecycle_call *call, enum mg_status status)
{
    call->code = status == MG_IO || status == MG_AGAIN ? SERVICE_UNAVAILABLE : "UNEXPECTED_ERROR";
    return status;
}

/* ---- approvals ---- */

/* pass_gate waits for nothing: what is not approved yet is refused. |payload|, which it frees, says what is to be done.
 */
static enum mg_status pass_gate(const struct service *service, struct lifecycle_call *call,
                                enum approval_operation operation, struct mg_buffer *payload,
                                struct approval_ticket *ticket, struct mg_error *error)
{
    const struct approval_gate *gate = service->config.gate;
    enum mg_status status = MG_OK;
    *ticket = (struct approval_ticket){.request = ""};
    mg_buffer_append_u8(payload, '\0');
    if (!mg_buffer_ok(payload)) {
        status = failed(call, mg_error_set(error, MG_MEMORY, "out of memory"));
    } else if (gate != NULL) {
        status = gate->pass(gate->arg, call, operation, (const char *)payload->data, ticket, error);
    }
    mg_buffer_free(payload);
    return status;
}

/* end_passage gives the approval back where |status| says that nothing was done. */
static enum mg_status end_passage(const struct service *service, const struct lifecycle_call *call,
                                  const struct approval_ticket *ticket, enum mg_status status)
{
    const struct approval_gate *gate = service->config.gate;
    if (gate != NULL && status != MG_OK && status != MG_AGAIN) {
        gate->give_back(gate->arg, call, ticket);
    }
    return status;
}

/* ---- the store ---- */

static enum mg_status load_default(const struct service *service, struct default_issuer *out, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(service->config.lifecycle->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, default_issuer_load(tx, out, error), error) : status;
}

/* renew_epoch makes the present default the default of the next epoch: other intermediates have changed. */
static enum mg_status renew_epoch(void *arg, struct mg_error *error)
{
    const struct service *service = arg;
    struct store_tx *tx;
    struct default_issuer now;
    enum mg_status status = store_begin(service->config.lifecycle->store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = default_issuer_load(tx, &now, error);
    if (status == MG_OK) {
        status = default_issuer_set(tx, now.id, error);
    }
    return store_end(tx, status, error);
}

/* ---- keys ---- */

static enum mg_status public_key_pem(const struct service *service, const struct wire_key_id *key,
                                     struct mg_buffer *pem, struct mg_error *error)
{
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    enum mg_status status = signer_client_public_key(service->config.signer, key, &der, error);
    if (status == MG_OK) {
        status = pem_encode(pem, "PUBLIC KEY", mg_buffer_slice(&der), error);
    }
    mg_buffer_free(&der);
    return status;
}

/* choose_holder tells where the key of |record| is to be made: "" for the signer itself. */
static enum mg_status choose_holder(const struct service *service, struct lifecycle_call *call,
                                    const struct intermediate *record, const char **out, struct mg_error *error)
{
    *out = "";
    if (record->type != INTERMEDIATE_HSM) {
        return MG_OK;
    }
    enum mg_status status =
        placement_choose(service->config.tokens, service->config.signer, record->region, out, error);
    if (status != MG_NOT_FOUND) {
        return status == MG_OK ? status : failed(call, status);
    }
    call->code = "INVALID_INPUT_ARGUMENT"; /* there was one when the certificate was created */
    return MG_INVALID;
}

/* failed_on_token is failed() for what was asked of a token. One that the signer does not know is away: the signer has
 * not been restarted with it yet. What the token refuses is the caller's to hear. */
static enum mg_status failed_on_token(struct lifecycle_call *call, enum mg_status status)
{
    if (status == MG_DENIED || status == MG_EXISTS) {
        call->code = "INVALID_OPERATION";
        return MG_DENIED;
    }
    return failed(call, status == MG_NOT_FOUND ? MG_AGAIN : status);
}

static enum mg_status make_key(const struct service *service, struct lifecycle_call *call,
                               const struct intermediate *record, const char *holder, struct mg_buffer *pem,
                               struct intermediate *out, struct mg_error *error)
{
    struct wire_key_id key;
    enum mg_status status = key_sweep_make_key(service->sweep, record, holder, &key, error);
    if (status == MG_OK) {
        status = public_key_pem(service, &key, pem, error);
    }
    if (status != MG_OK) {
        return holder[0] != '\0' ? failed_on_token(call, status) : failed(call, status);
    }
    return lifecycle_key_made(call, record->id, &key, mg_buffer_slice(pem), out, error);
}

enum mg_status service_make_key(struct service *service, struct lifecycle_call *call, int64_t id,
                                struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    const char *holder;
    struct mg_buffer pem;
    enum mg_status status = lifecycle_check(call, LIFECYCLE_MAKE_KEY, id, &record, error);
    if (status != MG_OK) {
        return status;
    }
    status = choose_holder(service, call, &record, &holder, error);
    if (status != MG_OK) {
        intermediate_free(&record);
        return status;
    }
    mg_buffer_init(&pem, MAX_PEM);
    status = make_key(service, call, &record, holder, &pem, out, error);
    key_sweep_end_wish(service->sweep);
    if (status == MG_NOT_FOUND) {
        key_sweep_now(service->sweep); /* deleted meanwhile: nobody will ask for the key again */
    }
    mg_buffer_free(&pem);
    intermediate_free(&record);
    return status;
}

enum mg_status service_read_attestation(struct service *service, struct lifecycle_call *call, int64_t id,
                                        struct mg_buffer *text, struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    enum mg_status status = lifecycle_check(call, LIFECYCLE_READ_ATTESTATION, id, &record, error);
    if (status != MG_OK) {
        return status;
    }
    status = key_attestation_fetch(service->config.signer, &record, text, error);
    intermediate_free(&record);
    return status == MG_OK ? lifecycle_read(call, LIFECYCLE_READ_ATTESTATION, id, out, error)
                           : failed_on_token(call, status);
}

enum mg_status service_verify_attestation(struct service *service, struct lifecycle_call *call, int64_t id,
                                          struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    enum mg_status status = lifecycle_check(call, LIFECYCLE_VERIFY_ATTESTATION, id, &record, error);
    if (status != MG_OK) {
        return status;
    }
    status = key_attestation_check(service->config.signer, &record, error);
    intermediate_free(&record);
    return status == MG_OK ? lifecycle_attestation_verified(call, id, out, error) : failed_on_token(call, status);
}

static struct mg_slice text_or_none(const char *text)
{
    return text[0] == '\0' ? mg_slice_of(NULL, 0) : mg_slice_of_text(text);
}

static enum wire_csr_digest digest_of(const char *name)
{
    return strcmp(name, "SHA384") == 0   ? WIRE_CSR_SHA384
           : strcmp(name, "SHA512") == 0 ? WIRE_CSR_SHA512
                                         : WIRE_CSR_SHA256;
}

static enum mg_status sign_csr(const struct service *service, const struct intermediate *record,
                               const struct intermediate_csr *csr, struct mg_buffer *pem, struct mg_error *error)
{
    const struct wire_control_make_csr wanted = {
        .subject = {[WIRE_SUBJECT_C] = text_or_none(csr->country),
                    [WIRE_SUBJECT_ST] = text_or_none(csr->state),
                    [WIRE_SUBJECT_L] = text_or_none(csr->city),
                    [WIRE_SUBJECT_O] = text_or_none(csr->organization),
                    [WIRE_SUBJECT_OU] = text_or_none(csr->unit),
                    [WIRE_SUBJECT_CN] = text_or_none(csr->common_name)},
        .digest = digest_of(csr->digest),
        .path_len = (int)csr->path_len,
    };
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    enum mg_status status = signer_client_make_csr(service->config.signer, &record->key_id, &wanted, &der, error);
    if (status == MG_OK) {
        status = pem_encode(pem, "CERTIFICATE REQUEST", mg_buffer_slice(&der), error);
    }
    mg_buffer_free(&der);
    return status;
}

/* pass_csr passes the gate with what the request is to say. */
static enum mg_status pass_csr(const struct service *service, struct lifecycle_call *call,
                               const struct intermediate *record, const struct intermediate_csr *csr,
                               struct approval_ticket *ticket, struct mg_error *error)
{
    struct mg_buffer payload;
    mg_buffer_init(&payload, MAX_PEM);
    mg_json_begin_object(&payload, NULL);
    mg_json_string(&payload, "operation", "generateCsr");
    mg_json_uint(&payload, "intermediate", (uint64_t)record->id);
    mg_json_string(&payload, "name", record->name);
    mg_json_string(&payload, "commName", csr->common_name);
    mg_json_string(&payload, "orgName", csr->organization);
    mg_json_string(&payload, "deptName", csr->unit);
    mg_json_string(&payload, "city", csr->city);
    mg_json_string(&payload, "state", csr->state);
    mg_json_string(&payload, "country", csr->country);
    mg_json_string(&payload, "signatureAlgorithm", csr->digest);
    mg_json_uint(&payload, "pathLengthConstraint", (uint64_t)csr->path_len);
    mg_json_end_object(&payload);
    return pass_gate(service, call, APPROVAL_MAKE_CSR, &payload, ticket, error);
}

enum mg_status service_make_csr(struct service *service, struct lifecycle_call *call, int64_t id,
                                const struct lifecycle_csr_wish *wish, struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    struct intermediate_csr csr;
    struct mg_buffer pem;
    enum mg_status status = lifecycle_check_csr(call, id, wish, &csr, &record, error);
    if (status != MG_OK) {
        return status;
    }
    struct approval_ticket ticket;
    status = pass_csr(service, call, &record, &csr, &ticket, error);
    if (status != MG_OK) {
        intermediate_free(&record);
        return status;
    }
    mg_buffer_init(&pem, MAX_PEM);
    status = sign_csr(service, &record, &csr, &pem, error);
    if (status == MG_OK) {
        status = lifecycle_csr_made(call, id, &csr, mg_buffer_slice(&pem), out, error);
    } else {
        status = failed(call, status);
    }
    mg_buffer_free(&pem);
    intermediate_free(&record);
    return end_passage(service, call, &ticket, status);
}

/* ---- issuers ---- */

/* install makes |record|, which has a certificate, an issuer of the signer's. */
static enum mg_status install(const struct service *service, const struct intermediate *record, struct mg_error *error)
{
    struct der_chain chain = {.num_certificates = 0};
    enum mg_status status = der_chain_add(&chain, record->certificate, error);
    if (status == MG_OK) {
        status = der_chain_add(&chain, record->chain, error);
    }
    if (status == MG_OK) {
        struct wire_control_chain wire = {.num_certificates = chain.num_certificates};
        memcpy(wire.certificates, chain.certificates, sizeof(wire.certificates));
        status = signer_client_install(service->config.signer, &record->key_id, &wire, error);
    }
    der_chain_free(&chain);
    return status;
}

void service_publish(struct service *service)
{
    struct default_issuer now;
    struct publication publication = {.list = {.num_items = 0}};
    struct mg_error error;
    pthread_mutex_lock(&service->publishing);
    enum mg_status status = load_default(service, &now, &error);
    if (status == MG_OK) {
        status = publication_load(&publication, service->config.lifecycle, now.id, (uint64_t)now.epoch + 1, 0, &error);
    }
    if (status == MG_OK) {
        const struct engines_publication wanted = {
            .message = &publication.message, .force = true, .commit = renew_epoch, .arg = service};
        status = engines_publish(service->config.engines, &wanted, &error);
    }
    publication_free(&publication);
    pthread_mutex_unlock(&service->publishing);
    if (status != MG_OK) {
        mg_log_error("engines could not be told of a change: %s", error.text);
    }
}

/* is_successor tells whether |id| succeeds another. */
static bool is_successor(const struct service *service, int64_t id)
{
    struct intermediate_list list = {.num_items = 0};
    struct mg_error ignored;
    bool named =
        publication_load_all(service->config.lifecycle->store, &list, &ignored) == MG_OK && succession_names(&list, id);
    intermediate_list_free(&list);
    return named;
}

enum mg_status service_finalize(struct service *service, struct lifecycle_call *call, int64_t id,
                                struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    enum mg_status status = lifecycle_check(call, LIFECYCLE_FINALIZE, id, &record, error);
    if (status != MG_OK) {
        return status;
    }
    bool enabled = record.status == INTERMEDIATE_ENABLED;
    status = install(service, &record, error);
    intermediate_free(&record);
    if (status != MG_OK) {
        return failed(call, status);
    }
    status = lifecycle_finalize(call, id, out, error);
    if (status == MG_OK && (enabled || is_successor(service, id))) {
        service_publish(service);
    }
    return status;
}

enum mg_status service_import(struct service *service, struct lifecycle_call *call, const struct lifecycle_draft *draft,
                              const struct lifecycle_import *import, const struct wire_key_id *key_id,
                              struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    enum mg_status status = lifecycle_check_import(call, draft, import, &record, error);
    if (status != MG_OK) {
        return status;
    }
    record.key_id = *key_id;
    status = install(service, &record, error);
    bool enabled = record.status == INTERMEDIATE_ENABLED;
    intermediate_free(&record);
    if (status != MG_OK) {
        return failed(call, status);
    }
    status = lifecycle_import(call, draft, import, key_id, out, error);
    if (status == MG_OK && enabled) {
        service_publish(service);
    }
    return status;
}

/* is_ready tells whether |id| is one that engines may have been told of. */
static bool is_ready(const struct lifecycle_call *call, int64_t id)
{
    struct lifecycle_call look = *call;
    struct intermediate record = {.id = 0};
    bool ready =
        lifecycle_check(&look, LIFECYCLE_SHOW, id, &record, NULL) == MG_OK && record.state == INTERMEDIATE_CERT_READY;
    intermediate_free(&record);
    return ready;
}

enum mg_status service_update(struct service *service, struct lifecycle_call *call, int64_t id,
                              const struct lifecycle_draft *draft, struct intermediate *out, struct mg_error *error)
{
    bool ready = is_ready(call, id);
    enum mg_status status = lifecycle_update(call, id, draft, out, error);
    if (status == MG_OK && ready && draft->status != 0) {
        service_publish(service);
    }
    return status;
}

enum mg_status service_set_successor(struct service *service, struct lifecycle_call *call, int64_t id,
                                     int64_t successor_id, struct intermediate *out, struct mg_error *error)
{
    enum mg_status status = lifecycle_set_successor(call, id, successor_id, out, error);
    if (status == MG_OK && is_ready(call, id)) {
        service_publish(service);
    }
    return status;
}

enum mg_status service_delete(struct service *service, struct lifecycle_call *call, int64_t id, struct mg_error *error)
{
    bool ready = is_ready(call, id);
    enum mg_status status = lifecycle_delete(call, id, error);
    if (status != MG_OK) {
        return status;
    }
    if (ready) {
        service_publish(service); /* before the key is gone */
    }
    key_sweep_now(service->sweep);
    return MG_OK;
}

void service_destroy_doomed(struct service *service)
{
    key_sweep_now(service->sweep);
}

/* ---- the default ---- */

/* What the transaction between the two phases does. */
struct swap {
    struct lifecycle_call *call;
    int64_t id;
    uint64_t epoch; /* that engines were told */
    struct intermediate *out;
};

static enum mg_status commit_swap(void *arg, struct mg_error *error)
{
    struct swap *swap = arg;
    struct default_issuer now;
    enum mg_status status = lifecycle_commit_default(swap->call, swap->id, &now, swap->out, error);
    if (status == MG_OK && (uint64_t)now.epoch != swap->epoch) {
        mg_log_error("the default is of epoch %lld, and engines were told %llu", (long long)now.epoch,
                     (unsigned long long)swap->epoch);
    }
    return status;
}

static enum mg_status code_of_publishing(struct lifecycle_call *call, enum mg_status status)
{
    switch (status) {
    case MG_DENIED:
        call->code = "ENGINE_NOT_READY";
        break;
    case MG_EXISTS:
        call->code = "EDIT_LOCK_NOT_AVAILABLE";
        break;
    case MG_AGAIN:
        call->code = SERVICE_UNAVAILABLE;
        break;
    default:
        call->code = "UNEXPECTED_ERROR";
    }
    return status;
}

/* pass_default passes the gate with the name of the new default. */
static enum mg_status pass_default(const struct service *service, struct lifecycle_call *call, int64_t id,
                                   struct approval_ticket *ticket, struct mg_error *error)
{
    struct mg_buffer payload;
    mg_buffer_init(&payload, MAX_PEM);
    mg_json_begin_object(&payload, NULL);
    mg_json_string(&payload, "operation", "makeDefault");
    mg_json_uint(&payload, "intermediate", (uint64_t)id);
    mg_json_end_object(&payload);
    return pass_gate(service, call, APPROVAL_MAKE_DEFAULT, &payload, ticket, error);
}

/* swap_default does it, with |publishing| held. */
static enum mg_status swap_default(struct service *service, struct lifecycle_call *call, int64_t id, bool force,
                                   struct intermediate *out, struct mg_error *error)
{
    struct default_issuer now;
    struct publication publication = {.list = {.num_items = 0}};
    enum mg_status status = load_default(service, &now, error);
    if (status != MG_OK) {
        return code_of_publishing(call, status);
    }
    if (now.id == id) {
        return lifecycle_commit_default(call, id, &now, out, error); /* it is: nothing to tell anybody */
    }
    struct approval_ticket ticket;
    status = pass_default(service, call, id, &ticket, error);
    if (status != MG_OK) {
        return status;
    }
    struct swap swap = {.call = call, .id = id, .epoch = (uint64_t)now.epoch + 1, .out = out};
    uint32_t prepare_ms = atomic_load_explicit(&service->prepare_ms, memory_order_relaxed);
    status = publication_load(&publication, service->config.lifecycle, id, swap.epoch, prepare_ms, error);
    call->code = NULL;
    if (status == MG_OK) {
        const struct engines_publication wanted = {
            .message = &publication.message, .force = force, .commit = commit_swap, .arg = &swap};
        status = engines_publish(service->config.engines, &wanted, error);
    }
    publication_free(&publication);
    /* A step of the life cycle that refused has said its own word. */
    return end_passage(service, call, &ticket,
                       status == MG_OK || call->code != NULL ? status : code_of_publishing(call, status));
}

enum mg_status service_make_default(struct service *service, struct lifecycle_call *call, int64_t id, bool force,
                                    struct intermediate *out, struct mg_error *error)
{
    enum mg_status status = lifecycle_check_default(call, id, NULL, error);
    if (status != MG_OK) {
        return status;
    }
    if (pthread_mutex_trylock(&service->publishing) != 0) {
        return code_of_publishing(call, mg_error_set(error, MG_EXISTS, "another publication is under way"));
    }
    status = swap_default(service, call, id, force, out, error);
    pthread_mutex_unlock(&service->publishing);
    return status;
}

enum mg_status service_make_previous_default(struct service *service, struct lifecycle_call *call, bool force,
                                             struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    enum mg_status status = lifecycle_check_previous(call, &record, error);
    int64_t id = record.id;
    intermediate_free(&record);
    return status == MG_OK ? service_make_default(service, call, id, force, out, error) : status;
}

/* ---- the start ---- */

/* The built-in issuing CA, as it is found among the signer's keys. */
struct builtin {
    const struct service *service;
    struct mg_buffer certificate, chain; /* PEM */
    struct wire_key_id key_id;
    enum wire_key_type key_type;
    bool found;
};

static enum mg_status look_for_builtin(void *arg, const struct wire_control_key *key)
{
    struct builtin *builtin = arg;
    if (key->origin != WIRE_ORIGIN_BUILTIN_ISSUING || key->chain.num_certificates == 0) {
        return MG_OK;
    }
    builtin->found = true;
    builtin->key_id = key->key_id;
    builtin->key_type = key->type;
    enum mg_status status = pem_encode(&builtin->certificate, "CERTIFICATE", key->chain.certificates[0], NULL);
    for (size_t i = 1; i < key->chain.num_certificates && status == MG_OK; i++) {
        status = pem_encode(&builtin->chain, "CERTIFICATE", key->chain.certificates[i], NULL);
    }
    return status;
}

static enum mg_status take_builtin(struct lifecycle_call *call, const struct builtin *builtin, struct mg_error *error)
{
    struct certificate_facts facts;
    struct mg_buffer public_key;
    if (!builtin->found) {
        return mg_error_set(error, MG_INTERNAL, "the signer has no built-in issuing CA");
    }
    mg_buffer_init(&public_key, MAX_PEM);
    enum mg_status status = public_key_pem(builtin->service, &builtin->key_id, &public_key, error);
    if (status == MG_OK) {
        status = certificate_describe(mg_buffer_slice(&builtin->certificate), &facts, error);
    }
    if (status == MG_OK) {
        const struct lifecycle_builtin wanted = {
            .name = facts.subject.common_name,
            .key_id = builtin->key_id,
            .key_type = builtin->key_type,
            .public_key = mg_buffer_slice(&public_key),
            .certificate = mg_buffer_slice(&builtin->certificate),
            .chain = builtin->chain.len > 0 ? mg_buffer_slice(&builtin->chain) : mg_slice_of(NULL, 0),
        };
        status = lifecycle_install_builtin(call, &wanted, error);
    }
    mg_buffer_free(&public_key);
    return status;
}

static enum mg_status install_builtin(const struct service *service, int64_t now_us, struct mg_error *error)
{
    struct builtin builtin = {.service = service};
    struct lifecycle_call call = {
        .lifecycle = service->config.lifecycle,
        .actor = {.name = "mintgate-control", .role = CONTROL_ADMIN, .source = "internal"},
        .now_us = now_us,
    };
    mg_buffer_init(&builtin.certificate, MAX_PEM);
    mg_buffer_init(&builtin.chain, MAX_PEM);
    enum mg_status status = signer_client_list(service->config.signer, look_for_builtin, &builtin, error);
    if (status == MG_OK) {
        status = take_builtin(&call, &builtin, error);
    }
    mg_buffer_free(&builtin.certificate);
    mg_buffer_free(&builtin.chain);
    return status;
}

/* agree has the signer issue with |record|, or not, as its state says: a signer that was restored from a backup may not
 * know it yet, and control may have died between asking for an issuer and noting that it has one. */
static enum mg_status agree(const struct service *service, const struct intermediate *record, struct mg_error *error)
{
    struct mg_error cause;
    if (record->type == INTERMEDIATE_BUILTIN || !intermediate_has_key(record)) {
        return MG_OK;
    }
    enum mg_status status = record->state == INTERMEDIATE_CERT_READY
                                ? install(service, record, &cause)
                                : signer_client_remove(service->config.signer, &record->key_id, &cause);
    if (status == MG_IO) {
        return mg_error_set(error, MG_IO, "%s", cause.text);
    }
    if (status != MG_OK) {
        mg_log_error("intermediate %lld, %s: the signer does not agree: %s", (long long)record->id, record->name,
                     cause.text);
    }
    return MG_OK;
}

static enum mg_status agree_on_all(const struct service *service, struct mg_error *error)
{
    struct intermediate_list list = {.num_items = 0};
    enum mg_status status = publication_load_all(service->config.lifecycle->store, &list, error);
    for (size_t i = 0; i < list.num_items && status == MG_OK; i++) {
        status = agree(service, &list.items[i], error);
    }
    intermediate_list_free(&list);
    return status;
}

static enum mg_status set_present(struct service *service, struct mg_error *error)
{
    struct default_issuer now;
    struct publication publication = {.list = {.num_items = 0}};
    /* A change that engines were not told of before a crash is told now. */
    enum mg_status status = renew_epoch(service, error);
    if (status == MG_OK) {
        status = load_default(service, &now, error);
    }
    if (status == MG_OK) {
        status = publication_load(&publication, service->config.lifecycle, now.id, (uint64_t)now.epoch, 0, error);
    }
    if (status == MG_OK) {
        status = engines_set_present(service->config.engines, &publication.message, error);
    }
    publication_free(&publication);
    return status;
}

static enum mg_status start(struct service *service, int64_t now_us, struct mg_error *error)
{
    enum mg_status status = install_builtin(service, now_us, error);
    if (status == MG_OK) {
        status = agree_on_all(service, error);
    }
    if (status == MG_OK) {
        status = set_present(service, error);
    }
    return status == MG_OK ? key_sweep_start(service->sweep, error) : status;
}

enum mg_status service_start(struct service *service, int64_t now_us, struct mg_error *error)
{
    pthread_mutex_lock(&service->publishing);
    enum mg_status status = start(service, now_us, error);
    pthread_mutex_unlock(&service->publishing);
    return status;
}
