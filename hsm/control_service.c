/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/control_service.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "base/utf8.h"
#include "hsm/attestation.h"
#include "hsm/certificate_request.h"
#include "hsm/private_ca_policy.h"
#include "hsm/ska_signature.h"
#include "ossl/openssl_error.h"

_Static_assert((int)WIRE_PURPOSE_MINTING == (int)KEY_MINTING && (int)WIRE_PURPOSE_SERVER_TLS == (int)KEY_SERVER_TLS,
               "the wire numbers purposes as they are stored");
_Static_assert((int)WIRE_ORIGIN_CONTROL == (int)KEY_ORIGIN_CONTROL &&
                   (int)WIRE_ORIGIN_BUILTIN_UNTRUST == (int)KEY_ORIGIN_BUILTIN_UNTRUST,
               "the wire numbers origins as they are stored");
_Static_assert((int)WIRE_CSR_SHA256 == (int)WIRE_TOKEN_SHA256 && (int)WIRE_CSR_SHA512 == (int)WIRE_TOKEN_SHA512,
               "both wires number hashes alike");
_Static_assert(sizeof(((struct mg_error *)NULL)->text) == WIRE_CONTROL_MAX_TEXT + 1, "an error's text fits a reply");

/* One call under way. */
struct call {
    struct control_service *service;
    const struct wire_control_request *request;
    const struct keystore_key *key; /* the one that the request names; NULL where the rule allows that */
    int64_t now;
    struct wire_control_reply *reply;
    struct mg_buffer der; /* what reply->der borrows from */
};

#define US_PER_SECOND 1000000

/* Key ids in the log: enough of one to find it. */
#define ID_FORMAT "%02x%02x%02x%02x"
#define ID_ARGS(id) (id)->bytes[0], (id)->bytes[1], (id)->bytes[2], (id)->bytes[3]

/* Reading */

static enum mg_status do_list(struct call *call, struct mg_error *error)
{
    const struct keystore_key *key = keystore_next0(call->service->store, &call->request->key_id);
    if (key == NULL) {
        return mg_error_set(error, MG_NOT_FOUND, "key id: no further key");
    }
    struct issuer_set *issuers = issuer_publisher_get(call->service->issuers);
    struct wire_control_key *out = &call->reply->key;
    *out = (struct wire_control_key){.key_id = key->info.id,
                                     .purpose = (enum wire_key_purpose)key->info.purpose,
                                     .origin = (enum wire_key_origin)key->info.origin,
                                     .type = key->info.type,
                                     .created = key->info.created,
                                     .is_installed = issuer_set_find0(issuers, &key->info.id) != NULL,
                                     .label = mg_slice_of_text(key->info.label),
                                     .holder = mg_slice_of_text(key->info.holder),
                                     .chain = {.num_certificates = key->num_chain}};
    memcpy(out->chain.certificates, key->chain, sizeof(key->chain));
    issuer_set_free(issuers);
    return MG_OK;
}

static enum mg_status do_public_key(struct call *call, struct mg_error *error)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(call->key->pkey, &der);
    if (len <= 0) {
        return openssl_error_set(error, "cannot encode a public key");
    }
    mg_buffer_append(&call->der, der, (size_t)len);
    OPENSSL_free(der);
    call->reply->der = mg_buffer_slice(&call->der);
    return mg_buffer_ok(&call->der) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a public key");
}

/* Making */

/* make makes the key of |wish| where it is wished to be. */
static enum mg_status make(struct call *call, const struct wire_control_make_key *wish, const struct keystore_key **out,
                           struct mg_error *error)
{
    struct control_service *service = call->service;
    struct key_info info = {.purpose = (enum key_purpose)wish->purpose,
                            .role = wish->purpose == WIRE_PURPOSE_MINTING ? WIRE_ISSUER_OFFERED : 0,
                            .origin = KEY_ORIGIN_CONTROL,
                            .type = wish->type,
                            .created = call->now,
                            .token = wish->token};
    memcpy(info.label, wish->label.data, wish->label.len);
    memcpy(info.holder, wish->holder.data, wish->holder.len);
    return info.holder[0] == '\0' ? keystore_make(service->store, &info, out, error)
                                  : token_keys_make(&service->tokens, &info, out, error);
}

/* is_as_wished tells whether |key|, made with the token of |wish|, is what |wish| asks for. */
static bool is_as_wished(const struct keystore_key *key, const struct wire_control_make_key *wish)
{
    return (int)key->info.purpose == (int)wish->purpose && key->info.type == wish->type &&
           mg_slice_equal(mg_slice_of_text(key->info.label), wish->label) &&
           mg_slice_equal(mg_slice_of_text(key->info.holder), wish->holder);
}

/* check_type: some types are for private CAs alone, and made in this process. */
static enum mg_status check_type(const struct wire_control_make_key *wish, struct mg_error *error)
{
    const struct key_type *type = key_type_get0(wish->type);
    bool fits = !type->is_ca_only || (wish->purpose == WIRE_PURPOSE_PRIVATE_CA && wish->holder.len == 0);
    return fits ? MG_OK
                : mg_error_set(error, MG_INVALID, "key type: %s is for private CAs alone, without a token", type->name);
}

static enum mg_status do_make_key(struct call *call, struct mg_error *error)
{
    const struct wire_control_make_key *wish = &call->request->make_key;
    struct keystore *store = call->service->store;
    enum mg_status fits = check_type(wish, error);
    if (fits != MG_OK) {
        return fits;
    }
    if (!key_purpose_allows((enum key_purpose)wish->purpose, KEY_CALL_MAKE)) {
        return mg_error_set(error, MG_DENIED, "purpose: a key for %s is not made on demand",
                            key_purpose_name((enum key_purpose)wish->purpose));
    }
    const struct keystore_key *key = keystore_find0_token(store, &wish->token);
    if (key != NULL && !is_as_wished(key, wish)) {
        return mg_error_set(error, MG_EXISTS, "token: has made a key of another type or label");
    }
    if (key == NULL) {
        enum mg_status status = make(call, wish, &key, error);
        if (status != MG_OK) {
            return status;
        }
        mg_log_info("made key " ID_FORMAT " (%s)%s%s", ID_ARGS(&key->info.id), key->type->name,
                    key->info.holder[0] != '\0' ? " on token " : "", key->info.holder);
    }
    call->reply->made = key->info.id;
    return MG_OK;
}

/* is_as_imported tells whether |key|, imported with the token of |wish|, is what |wish| brings. */
static bool is_as_imported(const struct keystore_key *key, const struct wire_control_import_key *wish)
{
    const uint8_t *der = wish->secret.data;
    EVP_PKEY *again = d2i_AutoPrivateKey(NULL, &der, (long)wish->secret.len);
    bool same = again != NULL && EVP_PKEY_eq(again, key->pkey) == 1 && (int)key->info.purpose == (int)wish->purpose &&
                mg_slice_equal(mg_slice_of_text(key->info.label), wish->label);
    EVP_PKEY_free(again);
    ERR_clear_error();
    return same;
}

static enum mg_status do_import_key(struct call *call, struct mg_error *error)
{
    const struct wire_control_import_key *wish = &call->request->import_key;
    enum key_purpose purpose = (enum key_purpose)wish->purpose;
    if (!key_purpose_allows(purpose, KEY_CALL_IMPORT)) {
        return mg_error_set(error, MG_DENIED, "purpose: a key for %s is not imported", key_purpose_name(purpose));
    }
    const struct keystore_key *key = keystore_find0_token(call->service->store, &wish->token);
    if (key != NULL && !is_as_imported(key, wish)) {
        return mg_error_set(error, MG_EXISTS, "token: has made another key");
    }
    if (key == NULL) {
        struct key_info info = {.purpose = purpose,
                                .role = purpose == KEY_MINTING ? WIRE_ISSUER_OFFERED : 0,
                                .origin = KEY_ORIGIN_CONTROL,
                                .created = call->now,
                                .token = wish->token};
        memcpy(info.label, wish->label.data, wish->label.len);
        enum mg_status status = keystore_import(call->service->store, &info, wish->secret, &key, error);
        if (status != MG_OK) {
            return status;
        }
        client_keys_add(call->service->client_keys, key);
        mg_log_info("imported key " ID_FORMAT " (%s, for %s)", ID_ARGS(&key->info.id), key->type->name,
                    key_purpose_name(purpose));
    }
    call->reply->made = key->info.id;
    return MG_OK;
}

/* sign_on_token is a certification request's way to its key. */
static enum mg_status sign_on_token(void *arg, enum wire_csr_digest digest, struct mg_slice octets, uint8_t *out,
                                    size_t *out_len, struct mg_error *error)
{
    const struct call *call = arg;
    return token_keys_sign(&call->service->tokens, call->key, (enum wire_token_digest)digest, octets, out, out_len,
                           error);
}

static enum mg_status do_make_csr(struct call *call, struct mg_error *error)
{
    const struct certificate_request_signer on_token = {.sign = sign_on_token, .arg = call};
    enum mg_status status = certificate_request_make(
        call->key, &call->request->make_csr, call->key->info.holder[0] != '\0' ? &on_token : NULL, &call->der, error);
    call->reply->der = mg_buffer_slice(&call->der);
    return status;
}

static enum mg_status do_attest(struct call *call, struct mg_error *error)
{
    enum mg_status status =
        attestation_make(&call->service->tokens, call->key, call->request->attest.nonce, call->now, &call->der, error);
    call->reply->der = mg_buffer_slice(&call->der);
    return status;
}

/* Keys kept for others */

static enum mg_status record_ska(void *arg, const struct keystore_key *key, const struct tbs *tbs,
                                 struct mg_slice names, struct mg_error *error)
{
    struct call *call = arg;
    return ca_signer_record(&call->service->ca, key, tbs, names, call->now * US_PER_SECOND, error);
}

static enum mg_status do_ska_sign_tbs(struct call *call, struct mg_error *error)
{
    const struct ska_signature_journal journal = {.record = record_ska, .arg = call};
    enum mg_status status =
        ska_signature_of_structure(call->key, &call->request->ska_sign, &journal, &call->der, error);
    call->reply->der = mg_buffer_slice(&call->der);
    return status;
}

static enum mg_status do_ska_sign_payload(struct call *call, struct mg_error *error)
{
    enum mg_status status = ska_signature_of_payload(call->key, &call->request->ska_sign, &call->der, error);
    call->reply->der = mg_buffer_slice(&call->der);
    return status;
}

/* Issuing */

/* install puts |issuer|, for the key of |call|, among |issuers|. What can be refused is tried before the disk is
 * written, and what follows that cannot fail. */
static enum mg_status install(struct call *call, const struct issuer_set *issuers, struct issuer *issuer,
                              struct mg_error *error)
{
    const struct wire_control_chain *chain = &call->request->install;
    struct issuer_set *set;
    enum mg_status status = issuer_set_with(&set, issuers, issuer, error);
    if (status != MG_OK) {
        return status;
    }
    status = keystore_set1_chain(call->service->store, call->key, chain->certificates, chain->num_certificates, error);
    if (status != MG_OK) {
        issuer_set_free(set);
        return status;
    }
    issuer_publisher_publish(call->service->issuers, set);
    mg_log_info("installed issuer " ID_FORMAT, ID_ARGS(&call->key->info.id));
    return MG_OK;
}

/* install_private_ca gives a private CA its certificates, once: by then it does not certify itself any more. */
static enum mg_status install_private_ca(struct call *call, struct mg_error *error)
{
    const struct wire_control_chain *chain = &call->request->install;
    const struct keystore_key *key = call->key;
    bool is_same = key->num_chain == chain->num_certificates;
    for (size_t i = 0; is_same && i < key->num_chain; i++) {
        is_same = mg_slice_equal(key->chain[i], chain->certificates[i]);
    }
    if (is_same) {
        return MG_OK;
    }
    if (key->num_chain > 0) {
        return mg_error_set(error, MG_EXISTS, "certificates: this private CA has others already");
    }
    enum mg_status status = private_ca_check_chain(chain->certificates, chain->num_certificates, error);
    if (status == MG_OK) {
        status = keystore_set1_chain(call->service->store, key, chain->certificates, chain->num_certificates, error);
    }
    if (status == MG_OK) {
        mg_log_info("installed private CA " ID_FORMAT, ID_ARGS(&key->info.id));
    }
    return status;
}

static enum mg_status install_issuer(struct call *call, struct mg_error *error)
{
    const struct wire_control_chain *chain = &call->request->install;
    struct issuer_set *issuers = issuer_publisher_get(call->service->issuers);
    const struct issuer *present = issuer_set_find0(issuers, &call->key->info.id);
    enum mg_status status = MG_OK;
    if (present == NULL || !issuer_has_chain(present, chain->certificates, chain->num_certificates)) {
        struct issuer *issuer = NULL;
        status = issuer_new(&issuer, call->key, chain->certificates, chain->num_certificates, call->service->backends,
                            error);
        if (status == MG_OK) {
            status = install(call, issuers, issuer, error);
        }
        issuer_free(issuer);
    }
    issuer_set_free(issuers);
    return status;
}

static enum mg_status do_install(struct call *call, struct mg_error *error)
{
    return call->key->info.purpose == KEY_PRIVATE_CA ? install_private_ca(call, error) : install_issuer(call, error);
}

/* Private CAs */

static enum mg_status do_sign_certificate(struct call *call, struct mg_error *error)
{
    enum mg_status status = ca_signer_sign_certificate(&call->service->ca, call->key, call->request->tbs,
                                                       call->now * US_PER_SECOND, &call->der, error);
    call->reply->der = mg_buffer_slice(&call->der);
    return status;
}

static enum mg_status do_sign_crl(struct call *call, struct mg_error *error)
{
    enum mg_status status = ca_signer_sign_crl(&call->service->ca, call->key, call->request->tbs, &call->der, error);
    call->reply->der = mg_buffer_slice(&call->der);
    return status;
}

/* Ending */

/* A key that is not certified is no issuer, nor is a private CA one of the engine's: there is nothing to remove. */
static enum mg_status do_remove(struct call *call, struct mg_error *error)
{
    struct issuer_set *issuers, *set;
    if (call->key->num_chain == 0 || call->key->is_removed || call->key->info.purpose != KEY_MINTING) {
        return MG_OK;
    }
    issuers = issuer_publisher_get(call->service->issuers);
    enum mg_status status = issuer_set_without(&set, issuers, &call->key->info.id, error);
    issuer_set_free(issuers);
    if (status != MG_OK) {
        return status;
    }
    status = keystore_remove(call->service->store, call->key, error);
    if (status != MG_OK) {
        issuer_set_free(set);
        return status;
    }
    issuer_publisher_publish(call->service->issuers, set);
    mg_log_info("removed issuer " ID_FORMAT, ID_ARGS(&call->key->info.id));
    return MG_OK;
}

/* A key that is not there any more may still have files, if its destruction failed before. */
static enum mg_status do_destroy(struct call *call, struct mg_error *error)
{
    const struct wire_key_id *id = &call->request->key_id;
    bool is_there = call->key != NULL;
    enum mg_status status = is_there ? do_remove(call, error) : MG_OK;
    client_keys_remove(call->service->client_keys, id);
    if (status == MG_OK && is_there && call->key->info.holder[0] != '\0') {
        status = token_keys_destroy(&call->service->tokens, call->key, error);
    }
    if (status == MG_OK) {
        status = keystore_destroy(call->service->store, id, error);
    }
    if (status == MG_OK && is_there) {
        mg_log_info("destroyed key " ID_FORMAT, ID_ARGS(id));
    }
    return status;
}

/* The calls. Of a key that is named, the purpose must allow |needs|, and unless |is_reading| control must have had it
 * made: the root, the built-in issuer and the forward-untrust issuer are the signer's own. */
static const struct rule {
    enum mg_status (*run)(struct call *call, struct mg_error *error);
    bool names_key;
    bool is_reading;
    bool may_be_gone;
    enum key_call needs;
} rules[WIRE_CONTROL_LAST_CALL + 1] = {
    [WIRE_CONTROL_LIST] = {.run = do_list},
    [WIRE_CONTROL_MAKE_KEY] = {.run = do_make_key},
    [WIRE_CONTROL_PUBLIC_KEY] = {.run = do_public_key, .names_key = true, .is_reading = true},
    [WIRE_CONTROL_MAKE_CSR] = {.run = do_make_csr, .names_key = true, .needs = KEY_CALL_SIGN_CSR},
    [WIRE_CONTROL_INSTALL] = {.run = do_install, .names_key = true, .needs = KEY_CALL_INSTALL},
    [WIRE_CONTROL_REMOVE] = {.run = do_remove, .names_key = true, .needs = KEY_CALL_SIGN_LEAF},
    [WIRE_CONTROL_DESTROY] = {.run = do_destroy, .names_key = true, .may_be_gone = true, .needs = KEY_CALL_DESTROY},
    [WIRE_CONTROL_IMPORT_KEY] = {.run = do_import_key},
    [WIRE_CONTROL_ATTEST] = {.run = do_attest, .names_key = true, .needs = KEY_CALL_ATTEST},
    [WIRE_CONTROL_SIGN_CERTIFICATE] = {.run = do_sign_certificate, .names_key = true, .needs = KEY_CALL_SIGN_CA},
    [WIRE_CONTROL_SIGN_CRL] = {.run = do_sign_crl, .names_key = true, .needs = KEY_CALL_SIGN_CA},
    [WIRE_CONTROL_SKA_SIGN_TBS] = {.run = do_ska_sign_tbs, .names_key = true, .needs = KEY_CALL_SKA_SIGN},
    [WIRE_CONTROL_SKA_SIGN_PAYLOAD] = {.run = do_ska_sign_payload, .names_key = true, .needs = KEY_CALL_SKA_SIGN},
};

/* find_key finds the key that the request names, and judges it by |rule|. */
static enum mg_status find_key(struct call *call, const struct rule *rule, struct mg_error *error)
{
    const struct keystore_key *key = keystore_find0(call->service->store, &call->request->key_id);
    call->key = key;
    if (key == NULL) {
        return rule->may_be_gone ? MG_OK : mg_error_set(error, MG_NOT_FOUND, "key id: no such key");
    }
    if (rule->is_reading) {
        return MG_OK;
    }
    const char *name = wire_control_call_name(call->request->call);
    if (!key_purpose_allows(key->info.purpose, rule->needs)) {
        return mg_error_set(error, MG_DENIED, "key id: %s is not for a key for %s", name,
                            key_purpose_name(key->info.purpose));
    }
    if (key->info.origin != KEY_ORIGIN_CONTROL) {
        return mg_error_set(error, MG_DENIED, "key id: %s is not for a built-in key", name);
    }
    return MG_OK;
}

static enum mg_status run_call(struct call *call, struct mg_error *error)
{
    const struct rule *rule = &rules[call->request->call];
    enum mg_status status = rule->names_key ? find_key(call, rule, error) : MG_OK;
    return status == MG_OK ? rule->run(call, error) : status;
}

/* What control may well ask (the end of a list, a wish that breaks a rule) is not worth a line in the log. */
static enum mg_log_level level_of(enum wire_control_status status)
{
    switch (status) {
    case WIRE_CONTROL_FAILED:
        return MG_LOG_ERROR;
    case WIRE_CONTROL_DENIED:
    case WIRE_CONTROL_AWAY:
        return MG_LOG_WARNING;
    default:
        return MG_LOG_DEBUG;
    }
}

/* refuse makes the reply say |why|. A text with something in it that came from elsewhere may be no UTF-8. */
static void refuse(struct wire_control_reply *reply, enum mg_status status, const struct mg_error *why)
{
    struct mg_slice text = mg_slice_of_text(why->text);
    reply->status = wire_control_status_of(status);
    reply->text = mg_utf8_is_label(text) ? text : mg_slice_of_text("refused");
}

enum mg_status control_service_handle(struct control_service *service, struct mg_slice packet, int64_t now,
                                      struct mg_buffer *out, struct mg_error *error)
{
    struct wire_control_request request;
    enum mg_status status = wire_control_decode_request(packet, &request, error);
    if (status != MG_OK) {
        return status;
    }
    struct mg_error why = {""};
    struct wire_control_reply reply = {.call = request.call, .id = request.id};
    struct call call = {.service = service, .request = &request, .now = now, .reply = &reply};
    mg_buffer_init(&call.der, WIRE_CONTROL_MAX_DER);
    status = run_call(&call, &why);
    if (status != MG_OK) {
        refuse(&reply, status, &why);
        mg_log(level_of(reply.status), "control's %s: %s", wire_control_call_name(request.call), why.text);
    }
    mg_counter_add(&service->counters.calls[request.call], 1);
    mg_counter_add(&service->counters.results[reply.status], 1);
    mg_buffer_clear(out);
    wire_control_encode_reply(out, &reply);
    mg_buffer_free(&call.der);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a reply");
}
