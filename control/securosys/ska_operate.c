/* SPDX-License-Identifier: Apache-2.0 */
/* The operations themselves: what the signer is asked to sign, and what comes of it. */
#include <openssl/rand.h>
#include <stdlib.h>

#include "control/securosys/ska_certificate.h"
#include "control/securosys/ska_internal.h"
#include "ossl/base64.h"

#define MAX_RESULT ((size_t)64 * 1024)

_Static_assert(SKA_SERIAL_BYTES == SKA_SERIAL_LEN, "a request keeps the serial number of its certificate");

void ska_outcome_free(struct ska_outcome *outcome)
{
    free(outcome->result);
    mg_buffer_free(&outcome->certificate);
    *outcome = (struct ska_outcome){.result = NULL};
}

/* An operation under way. */
struct work {
    struct ska_call *call;
    const struct ska_key *key;
    struct ska_certificate_plan plan;
};

static enum mg_status begin_work(struct work *work, struct ska_call *call, const struct ska_key *key,
                                 const struct ska_wish *wish, const uint8_t serial[SKA_SERIAL_BYTES])
{
    *work = (struct work){
        .call = call,
        .key = key,
        .plan = {.wish = wish,
                 .public_key = mg_slice_of(key->public_key, key->public_key_len),
                 .issuer = key->certificate.len > 0 ? mg_buffer_slice(&key->certificate) : mg_slice_of(NULL, 0),
                 .now = call->now_us / SKA_US_PER_SECOND}};
    memcpy(work->plan.serial, serial, SKA_SERIAL_LEN);
    return ska_wish_digest(wish, key->type, &work->plan.digest, &call->error);
}

/* ---- signing ---- */

/* What the signer says of a request of ours is our own fault, but for its being away. */
static enum mg_status told(struct ska_call *call, enum mg_status status)
{
    if (status != MG_OK && status != MG_IO && status != MG_AGAIN) {
        call->error.code = SKA_IN_HSM;
        return MG_INTERNAL;
    }
    return status;
}

/* sign_made appends the signed structure that |make| puts together. */
static enum mg_status sign_made(const struct work *work, enum wire_ska_structure structure,
                                enum mg_status (*make)(const struct ska_certificate_plan *plan, struct mg_buffer *out,
                                                       struct ska_error *error),
                                struct mg_buffer *out)
{
    struct mg_buffer tbs;
    mg_buffer_init(&tbs, WIRE_CONTROL_MAX_DER - 1024); /* room for the signature */
    enum mg_status status = make(&work->plan, &tbs, &work->call->error);
    if (status == MG_OK) {
        const struct wire_control_ska_sign wanted = {
            .digest = work->plan.digest, .structure = structure, .octets = mg_buffer_slice(&tbs)};
        status = told(work->call, signer_client_ska_sign_tbs(work->call->ska->config.signer, &work->key->signer_key,
                                                             &wanted, out, &work->call->error.why));
    }
    mg_buffer_free(&tbs);
    return status;
}

/* take_result makes |text|, which it frees, the outcome's result. */
static enum mg_status take_result(const struct work *work, struct mg_buffer *text, struct ska_outcome *out)
{
    out->result = mg_buffer_ok(text) ? mg_slice_dup_text(mg_buffer_slice(text)) : NULL;
    mg_buffer_free(text);
    return out->result != NULL ? MG_OK : mg_error_set(&work->call->error.why, MG_MEMORY, "no memory for a result");
}

static enum mg_status take_pem(const struct work *work, const char *what, struct mg_slice der, struct ska_outcome *out)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_RESULT);
    ska_pem(&text, what, der);
    return take_result(work, &text, out);
}

/* ---- each operation ---- */

/* After a request the key has a certificate of its own, where it had none (contracts.md section 4.2). */
static enum mg_status make_request(const struct work *work, struct ska_outcome *out)
{
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    enum mg_status status = sign_made(work, WIRE_SKA_CERTIFICATION_REQUEST, ska_certificate_request_tbs, &der);
    if (status == MG_OK) {
        status = take_pem(work, "NEW CERTIFICATE REQUEST", mg_buffer_slice(&der), out);
    }
    if (status == MG_OK && work->key->certificate.len == 0) {
        status = sign_made(work, WIRE_SKA_CERTIFICATE, ska_certificate_self_tbs, &out->certificate);
    }
    mg_buffer_free(&der);
    return status;
}

static enum mg_status self_sign(const struct work *work, struct ska_outcome *out)
{
    enum mg_status status = sign_made(work, WIRE_SKA_CERTIFICATE, ska_certificate_self_tbs, &out->certificate);
    return status == MG_OK ? take_pem(work, "CERTIFICATE", mg_buffer_slice(&out->certificate), out) : status;
}

static enum mg_status certify(const struct work *work, struct ska_outcome *out)
{
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    enum mg_status status = sign_made(work, WIRE_SKA_CERTIFICATE, ska_certificate_issued_tbs, &der);
    if (status == MG_OK) {
        status = take_pem(work, "CERTIFICATE", mg_buffer_slice(&der), out);
    }
    mg_buffer_free(&der);
    return status;
}

static enum mg_status decode_payload(const struct ska_wish *wish, struct mg_buffer *out, struct ska_error *error)
{
    mg_buffer_init(out, WIRE_CONTROL_MAX_PAYLOAD);
    if (!base64_decode(out, mg_slice_of_text(wish->payload)) || out->len == 0) {
        return ska_fail(error, SKA_PAYLOAD, "payload: must be 1 to %d bytes in base64", WIRE_CONTROL_MAX_PAYLOAD);
    }
    return MG_OK;
}

static enum mg_status sign_payload(const struct work *work, struct ska_outcome *out)
{
    struct mg_buffer payload, signature, text;
    mg_buffer_init(&signature, WIRE_SIGNER_MAX_SIGNATURE);
    enum mg_status status = decode_payload(work->plan.wish, &payload, &work->call->error);
    if (status == MG_OK) {
        const struct wire_control_ska_sign wanted = {.digest = work->plan.digest, .octets = mg_buffer_slice(&payload)};
        status = signer_client_ska_sign_payload(work->call->ska->config.signer, &work->key->signer_key, &wanted,
                                                &signature, &work->call->error.why);
        status = status == MG_DENIED ? ska_fail(&work->call->error, SKA_PAYLOAD,
                                                "payload: what is a certificate, or could be one, is not signed so")
                                     : told(work->call, status);
    }
    if (status == MG_OK) {
        mg_buffer_init(&text, MAX_RESULT);
        base64_encode(&text, mg_buffer_slice(&signature));
        status = take_result(work, &text, out);
    }
    mg_buffer_free(&payload);
    mg_buffer_free(&signature);
    return status;
}

enum mg_status ska_operate(struct ska_call *call, const struct ska_key *key, const struct ska_wish *wish,
                           const uint8_t serial[SKA_SERIAL_BYTES], struct ska_outcome *out)
{
    static enum mg_status (*const operations[])(const struct work *work, struct ska_outcome *out) = {
        [SKA_MAKE_REQUEST] = make_request,
        [SKA_SELF_SIGN] = self_sign,
        [SKA_CERTIFY] = certify,
        [SKA_SIGN] = sign_payload,
    };
    struct work work;
    *out = (struct ska_outcome){.result = NULL};
    mg_buffer_init(&out->certificate, WIRE_CONTROL_MAX_DER);
    enum mg_status status = begin_work(&work, call, key, wish, serial);
    if (status == MG_OK) {
        status = operations[wish->operation](&work, out);
    }
    if (status != MG_OK) {
        ska_outcome_free(out);
    }
    return status;
}

/* ---- before ---- */

/* try_making puts together what would be signed. */
static enum mg_status try_making(const struct work *work)
{
    struct ska_error *error = &work->call->error;
    struct mg_buffer bytes;
    enum mg_status status;
    if (work->plan.wish->operation == SKA_SIGN) {
        status = decode_payload(work->plan.wish, &bytes, error);
        mg_buffer_free(&bytes);
        return status;
    }
    mg_buffer_init(&bytes, WIRE_CONTROL_MAX_DER - 1024);
    if (work->plan.wish->operation == SKA_MAKE_REQUEST) {
        status = ska_certificate_request_tbs(&work->plan, &bytes, error);
    } else if (work->plan.wish->operation == SKA_SELF_SIGN) {
        status = ska_certificate_self_tbs(&work->plan, &bytes, error);
    } else if (work->key->certificate.len == 0) {
        status = ska_fail(error, SKA_INVALID_CERTIFICATE, "signKeyName: the key has no certificate to issue under");
    } else {
        status = ska_certificate_issued_tbs(&work->plan, &bytes, error);
    }
    mg_buffer_free(&bytes);
    return status;
}

enum mg_status ska_check_use(struct ska_call *call, const struct ska_key *key, const struct ska_wish *wish)
{
    static const uint8_t no_serial[SKA_SERIAL_BYTES];
    struct work work;
    if (ska_policy_is_blocked(key->policy)) {
        return ska_fail(&call->error, SKA_FORBIDDEN_FOR_KEY, "signKeyName: the key is blocked");
    }
    if (json_is_false(json_object_get(key->attributes, "sign"))) {
        return ska_fail(&call->error, SKA_FORBIDDEN_FOR_KEY, "signKeyName: the key's attribute sign is false");
    }
    enum mg_status status = begin_work(&work, call, key, wish, no_serial);
    return status == MG_OK ? try_making(&work) : status;
}
