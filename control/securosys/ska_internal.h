/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of ska.h share. */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_INTERNAL_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_INTERNAL_H

#include <pthread.h>

#include "control/securosys/ska.h"

#define SKA_US_PER_SECOND INT64_C(1000000)

struct ska {
    struct ska_config config;
    pthread_mutex_t work;    /* held while the signer is asked to make, use or destroy a key */
    pthread_mutex_t hashing; /* held while a password is hashed, which takes memory */

    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of |stopping| */
    pthread_cond_t stop;
    bool stopping;
};

/* ska_begin begins a transaction; ska_end ends it with |status|, whose text is in call->error. */
MG_MUST_USE enum mg_status ska_begin(struct ska_call *call, enum store_access access, struct store_tx **tx);
MG_MUST_USE enum mg_status ska_end(struct ska_call *call, struct store_tx *tx, enum mg_status status);

/* ska_load_key is ska_key_load with SKA_NO_KEY; ska_read_key does so in a transaction of its own. */
MG_MUST_USE enum mg_status ska_load_key(struct ska_call *call, struct store_tx *tx, const char *label,
                                        struct ska_key *out);
MG_MUST_USE enum mg_status ska_read_key(struct ska_call *call, const char *label, struct ska_key *out);

/* ska_audit writes that |operation| was done to |kind|/|name|; |detail| is a JSON object, or NULL. */
MG_MUST_USE enum mg_status ska_audit(struct ska_call *call, struct store_tx *tx, const char *operation,
                                     const char *kind, const char *name, const char *detail);

/* ska_check_password: SKA_PASSWORD if |password| (an array of texts, NULL: none) is not the key's. ska_set_password
 * gives the key one. */
MG_MUST_USE enum mg_status ska_check_password(struct ska_call *call, const struct ska_key *key, const json_t *password);
MG_MUST_USE enum mg_status ska_set_password(struct ska_call *call, struct ska_key *key, const json_t *password);

/* ska_uuid draws a random one (RFC 4122 section 4.4). */
MG_MUST_USE enum mg_status ska_uuid(char out[SKA_UUID_SIZE], struct ska_error *error);

/* ---- ska_operate.c ---- */

/* What an operation gives. Zero state: nothing. */
struct ska_outcome {
    char *result;                 /* owned */
    struct mg_buffer certificate; /* DER, to be the key's own from now on; empty: that stays as it is */
};
void ska_outcome_free(struct ska_outcome *outcome);

/* ska_check_use: the key is not blocked, may sign, and can do what |wish| asks, whose certificate or request can be put
 * together. */
MG_MUST_USE enum mg_status ska_check_use(struct ska_call *call, const struct ska_key *key, const struct ska_wish *wish);

/* ska_operate has the signer do it; |serial| is of the certificate. The caller holds ska->work. */
MG_MUST_USE enum mg_status ska_operate(struct ska_call *call, const struct ska_key *key, const struct ska_wish *wish,
                                       const uint8_t serial[SKA_SERIAL_BYTES], struct ska_outcome *out);

/* ---- ska_requests.c ---- */

/* ska_rule_of_request parses the rule that |request| is judged by; the caller frees it. */
MG_MUST_USE enum mg_status ska_rule_of_request(struct ska_call *call, const struct ska_request *request,
                                               struct ska_rule **out);

/* ska_votes fills |votes|, one for each approver of |rule|, with the answers to the request's tasks. */
MG_MUST_USE enum mg_status ska_votes(struct ska_call *call, struct store_tx *tx, const struct ska_request *request,
                                     const struct ska_rule *rule, struct ska_vote votes[SKA_MAX_APPROVERS]);

/* ska_open_request inserts |request|, all but its id, state and times filled in, with a task for each approver of
 * |rule|, and judges it. */
MG_MUST_USE enum mg_status ska_open_request(struct ska_call *call, struct store_tx *tx, struct ska_request *request,
                                            const struct ska_rule *rule);

/* ska_judge_request applies what |rule| says of a pending request now, and writes it. */
MG_MUST_USE enum mg_status ska_judge_request(struct ska_call *call, struct store_tx *tx, struct ska_request *request,
                                             const struct ska_rule *rule);

/* ska_change_state takes |request| through |event| and writes it; MG_INTERNAL if that cannot happen to it. */
MG_MUST_USE enum mg_status ska_change_state(struct ska_call *call, struct store_tx *tx, struct ska_request *request,
                                            enum ska_event event);

/* ska_settle judges the request |id| again, and executes it if it is due. What fails is the request's to tell. */
void ska_settle(struct ska *ska, const char *id, int64_t now_us);

/* ska_cancel_all cancels the open requests for a key. */
MG_MUST_USE enum mg_status ska_cancel_all(struct ska_call *call, struct store_tx *tx, int64_t key_id);

/* ---- ska_keys.c ---- */

/* ska_destroy_unwanted destroys what nobody wants any more, in the signer. */
MG_MUST_USE enum mg_status ska_destroy_unwanted(struct ska *ska, struct mg_error *error);

#endif
