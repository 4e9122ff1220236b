/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SKA keys (contracts.md section 4): kept in the signer for others, used when enough approvers have signed for it.
 * Which requests were approved is decided here and nowhere else: the signer signs for SKA keys what this asks for
 * (docs/security.md).
 *
 * Any thread, with a call of its own. On failure call->error has the family's code, if there is one, and names field
 * and rule; nothing has changed then. MG_IO and MG_AGAIN: the signer is away. Each change is one transaction with its
 * audit record; secrets are in neither.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_H

#include "control/actor.h"
#include "control/keys/signer_client.h"
#include "control/securosys/ska_records.h"

#define SKA_MAX_KEYS 128 /* of the signer's KEYSTORE_MAX_KEYS: intermediates need room too */
#define SKA_MAX_OPEN_REQUESTS 1000
#define SKA_MAX_LIST 1000

struct ska;

/* Borrowed, and outlives it. */
struct ska_config {
    struct store *store; /* with the tables of ska_records.h and audit.h */
    struct signer_client *signer;
};

MG_MUST_USE enum mg_status ska_new(struct ska **out, const struct ska_config *config, struct mg_error *error);

/* ska_start begins to execute what is due, once a second: after timelocks, and what a crash has cut off; to let
 * requests expire; and to destroy keys that nobody wants. The signer is there. ska_free ends that. */
MG_MUST_USE enum mg_status ska_start(struct ska *ska, struct mg_error *error);
void ska_free(struct ska *ska);

struct ska_call {
    struct ska *ska;
    struct control_actor actor;
    int64_t now_us; /* since 1970 */
    struct ska_error error;
};

/* ---- keys ---- */

/* ska_create_key reads |body| of POST /v1/key. */
MG_MUST_USE enum mg_status ska_create_key(struct ska_call *call, const json_t *body);
/* ska_delete_key destroys it; open requests for it are cancelled. |password|: of JSON; NULL: none. */
MG_MUST_USE enum mg_status ska_delete_key(struct ska_call *call, const char *label, const json_t *password);
/* ska_list_keys and ska_describe_key give what is answered; the caller frees *out with json_decref. */
MG_MUST_USE enum mg_status ska_list_keys(struct ska_call *call, json_t **out);
MG_MUST_USE enum mg_status ska_describe_key(struct ska_call *call, const char *label, const json_t *password,
                                            json_t **out);

/* ---- certificates of keys ---- */

/* ska_import_certificate takes |text| (base64 of DER, or PEM) for the key: SKA_INVALID_CERTIFICATE unless it holds the
 * key's public key. */
MG_MUST_USE enum mg_status ska_import_certificate(struct ska_call *call, const char *label, const char *text);
MG_MUST_USE enum mg_status ska_delete_certificate(struct ska_call *call, const char *label);
/* ska_get_certificate appends the key's certificate, PEM on one line (ska_pem), to |out|. SKA_NO_KEY: there is none. */
MG_MUST_USE enum mg_status ska_get_certificate(struct ska_call *call, const char *label, struct mg_buffer *out);

/* ska_pem appends |der| as the family's documents show PEM: all base64 on one line, and no end of line behind. */
void ska_pem(struct mg_buffer *out, const char *what, struct mg_slice der);

/* ---- operations ---- */

/* ska_operate_now does |operation|, whose body is |body|, at once, and gives its result for the caller to free: PEM, or
 * a signature in base64. SKA_MISSING_APPROVAL if the key's policy asks for approvals. */
MG_MUST_USE enum mg_status ska_operate_now(struct ska_call *call, enum ska_operation operation, const json_t *body,
                                           char **result);

/* What a client asks for, with the signature over it, if there is one. */
struct ska_submission {
    enum ska_operation operation;
    const json_t *body;
    const json_t *signature;     /* {"signature", "digestAlgorithm", "publicKey"}; NULL: none */
    struct mg_slice signed_text; /* what that is over: the body as it came, without white space */
};

/* ska_submit makes a request of it: |id|, its name, is the caller's. Where nobody has to approve it is executed at
 * once. MG_LIMIT: SKA_MAX_OPEN_REQUESTS are open. */
MG_MUST_USE enum mg_status ska_submit(struct ska_call *call, const struct ska_submission *submission,
                                      char id[SKA_UUID_SIZE]);

/* ska_request_status gives a request as GET /v1/request/{id} answers it; ska_list_requests all that are in one of
 * |states| (a set, ska_state.h), the newest first, up to SKA_MAX_LIST. */
MG_MUST_USE enum mg_status ska_request_status(struct ska_call *call, const char *id, json_t **out);
MG_MUST_USE enum mg_status ska_list_requests(struct ska_call *call, unsigned states, json_t **out);

/* ska_cancel_request: one that is no longer open stays as it is, and is no error. */
MG_MUST_USE enum mg_status ska_cancel_request(struct ska_call *call, const char *id);

/* ---- approvals ---- */

/* ska_fetch_tasks reads |body| of POST /v1/filtered…ApprovalTask, proves the approver by its signed timestamp, and
 * gives
 * {"tasks": […]}; with |is_wanted| false, since nothing of that kind is ever to be approved, an empty one. */
MG_MUST_USE enum mg_status ska_fetch_tasks(struct ska_call *call, const json_t *body, bool is_wanted, json_t **out);

/* ska_approve takes an approval (POST /v1/approval), and executes what it completes; ska_reject the contrary (PATCH
 * /v1/task). An approver answers a task once. */
MG_MUST_USE enum mg_status ska_approve(struct ska_call *call, const json_t *body);
MG_MUST_USE enum mg_status ska_reject(struct ska_call *call, const json_t *body);

#endif
