/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an intermediate CA certificate, from creation to deletion (contracts.md sections 1.4 to 1.6; the states
 * are in lifecycle_table.c). Each function is one step: one transaction that checks, changes, and writes the audit
 * record, or changes nothing. What takes longer (the signer makes a key, engines prepare) happens between two steps,
 * and the second checks everything again.
 *
 * Any thread, with a call of its own. On failure |call->code| is the API's word for it, never NULL; the status is the
 * class (lifecycle_table.h), and MG_IO, MG_MEMORY and MG_INTERNAL are failures of ours with UNEXPECTED_ERROR. |out|,
 * where there is one, may be NULL; on success it is the record afterwards, to be freed with intermediate_free; on
 * failure it is untouched.
 */
#ifndef MINTGATE_CONTROL_LIFECYCLE_H
#define MINTGATE_CONTROL_LIFECYCLE_H

#include "config/config.h"
#include "control/certificate_check.h"
#include "control/lifecycle_table.h"

struct lifecycle_counters;

struct lifecycle_call;

/* What others do within a step's transaction. On failure they set |call->code|, and nothing of the step is done. */
struct lifecycle_hooks {
    void *arg;
    /* finalizing is told of an intermediate that becomes CERT_READY. */
    enum mg_status (*finalizing)(void *arg, struct lifecycle_call *call, struct store_tx *tx,
                                 const struct intermediate *record, struct mg_error *error);
};

/* What all steps share; immutable, and outlives its calls. */
struct lifecycle {
    struct store *store; /* borrowed; has the tables of audit.h and intermediate.h */
    enum config_subscription subscription;
    bool has_token[INTERMEDIATE_NUM_REGIONS]; /* by enum intermediate_region: a token keeps keys there */
    struct lifecycle_counters *counters;      /* lifecycle_counters.h; borrowed; NULL: nothing is counted */
    const struct lifecycle_hooks *hooks;      /* borrowed; NULL: none */
    bool publishes_crl_urls;                  /* engines are told of intermediates' crl_url */
};

struct lifecycle_call {
    const struct lifecycle *lifecycle;
    struct control_actor actor;
    int64_t now_us; /* since 1970 */
    const char *code;
};

/* lifecycle_check tells whether |operation| is allowed now, and changes nothing: before the signer is asked for
 * something, and for reading. Beyond the table it checks nothing. */
MG_MUST_USE enum mg_status lifecycle_check(struct lifecycle_call *call, enum lifecycle_operation operation, int64_t id,
                                           struct intermediate *out, struct mg_error *error);

/* lifecycle_read is lifecycle_check, and the state goes on where the table says so: for LIFECYCLE_READ_PUBLIC_KEY and
 * LIFECYCLE_READ_ATTESTATION, once what is read is about to be handed out. */
MG_MUST_USE enum mg_status lifecycle_read(struct lifecycle_call *call, enum lifecycle_operation operation, int64_t id,
                                          struct intermediate *out, struct mg_error *error);

/* What a certificate is created with, or what is to change of one. Not given: a slice without memory, an enum of 0, a
 * fallback_id below 0. */
struct lifecycle_draft {
    struct mg_slice name, description;
    enum intermediate_type type;
    enum intermediate_region region;
    enum intermediate_status status;
    enum wire_key_type key_type;
    int64_t fallback_id;
};

#define LIFECYCLE_EMPTY_DRAFT ((struct lifecycle_draft){.fallback_id = -1})

/* lifecycle_create takes the type from |draft|, the name, and for CUSTOM_HSM the region, which must have a token; else
 * GLOBAL, DISABLED, RSA_2K. Quotas are the subscription's. */
MG_MUST_USE enum mg_status lifecycle_create(struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                            struct intermediate *out, struct mg_error *error);

/* A key pair that comes from outside with its certificate. Borrowed. */
struct lifecycle_import {
    struct mg_slice public_key;  /* PEM */
    struct mg_slice certificate; /* as certificate_check_intermediate takes it */
    struct mg_slice chain;       /* as certificate_check_chain takes it; empty: none */
};

/* lifecycle_import is lifecycle_create and all that follows in one step, of a certificate of type CUSTOM_SW whose key
 * the signer has as |key_id|: it is ready then. lifecycle_check_import does and undoes the same, before the signer is
 * given the key. */
MG_MUST_USE enum mg_status lifecycle_import(struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                            const struct lifecycle_import *import, const struct wire_key_id *key_id,
                                            struct intermediate *out, struct mg_error *error);
MG_MUST_USE enum mg_status lifecycle_check_import(struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                                  const struct lifecycle_import *import, struct intermediate *out,
                                                  struct mg_error *error);

/* lifecycle_update changes what is given and differs. Type, region and key type cannot change; what is finalized
 * changes its status alone; the default cannot be disabled. Nothing differs: success, and no audit record. */
MG_MUST_USE enum mg_status lifecycle_update(struct lifecycle_call *call, int64_t id,
                                            const struct lifecycle_draft *draft, struct intermediate *out,
                                            struct mg_error *error);

/* lifecycle_set_successor sets which certificate succeeds |id| when it expires as the default; 0: none. In any state:
 * a successor is often younger than what it succeeds. */
MG_MUST_USE enum mg_status lifecycle_set_successor(struct lifecycle_call *call, int64_t id, int64_t successor_id,
                                                   struct intermediate *out, struct mg_error *error);

/* lifecycle_delete removes all but the default; its key is doomed (doomed_key.h). */
MG_MUST_USE enum mg_status lifecycle_delete(struct lifecycle_call *call, int64_t id, struct mg_error *error);

/* lifecycle_key_made: the signer has made a key pair, of the record's key_type, after LIFECYCLE_MAKE_KEY was allowed.
 * On failure the caller has it destroyed. |public_key| is PEM. */
MG_MUST_USE enum mg_status lifecycle_key_made(struct lifecycle_call *call, int64_t id, const struct wire_key_id *key_id,
                                              struct mg_slice public_key, struct intermediate *out,
                                              struct mg_error *error);

/* lifecycle_attestation_verified: the token's attestation of the key holds. */
MG_MUST_USE enum mg_status lifecycle_attestation_verified(struct lifecycle_call *call, int64_t id,
                                                          struct intermediate *out, struct mg_error *error);

/* What a CSR is asked to say. Not given: a slice without memory, a number below 0. */
struct lifecycle_csr_wish {
    struct mg_slice file_name, common_name, organization, unit, city, state, country, digest;
    int64_t key_size, path_len;
};

#define LIFECYCLE_EMPTY_CSR_WISH ((struct lifecycle_csr_wish){.key_size = -1, .path_len = -1})

/* lifecycle_check_csr tells whether a CSR may be made, and what it is to say: *csr is |wish| with the defaults (the
 * name as common name and with "-csr" as file name, the key's own size, SHA256, pathLenConstraint 0 for CUSTOM_HSM and
 * 1 for CUSTOM_SW). The signer makes it then. */
MG_MUST_USE enum mg_status lifecycle_check_csr(struct lifecycle_call *call, int64_t id,
                                               const struct lifecycle_csr_wish *wish, struct intermediate_csr *csr,
                                               struct intermediate *out, struct mg_error *error);

/* lifecycle_csr_made: |pem| says what lifecycle_check_csr gave as |csr|. A certificate uploaded before is dropped. */
MG_MUST_USE enum mg_status lifecycle_csr_made(struct lifecycle_call *call, int64_t id,
                                              const struct intermediate_csr *csr, struct mg_slice pem,
                                              struct intermediate *out, struct mg_error *error);

/* lifecycle_upload_certificate takes |file| if it passes certificate_check.h; a chain uploaded before is dropped.
 * |file_name| without memory: none. */
MG_MUST_USE enum mg_status lifecycle_upload_certificate(struct lifecycle_call *call, int64_t id, struct mg_slice file,
                                                        struct mg_slice file_name, struct intermediate *out,
                                                        struct mg_error *error);

MG_MUST_USE enum mg_status lifecycle_upload_chain(struct lifecycle_call *call, int64_t id, struct mg_slice file,
                                                  struct intermediate *out, struct mg_error *error);

MG_MUST_USE enum mg_status lifecycle_finalize(struct lifecycle_call *call, int64_t id, struct intermediate *out,
                                              struct mg_error *error);

#endif
