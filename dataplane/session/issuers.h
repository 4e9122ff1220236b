/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuers that leaves are signed with now: one for servers that verified, one for servers that did not, and those
 * that policy rules name. They are one immutable set, replaced whole under RCU.
 *
 * Until the control plane has published something (epoch 0), the signer says which issuer is the default; from then on
 * the control plane does. The forward-untrust issuer is the signer's in any case. An issuer that stays the same stays
 * the same object with the same generation, and so keeps its leaves in the cache.
 *
 * Issuers expire while they are in a set. Nothing of one that has is shown from that second on (issuer_is_spent), with
 * or without a control plane: issuers_choose goes on to the successor that was published with it, or says that there is
 * nobody, and control.on_issuer_expiry says what becomes of such flows. One that was published as revoked, which only
 * the default can be, is treated likewise at once, and ccadb.revoked_default says what becomes of its flows.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_ISSUERS_H
#define MINTGATE_DATAPLANE_SESSION_ISSUERS_H

#include "base/status.h"
#include "config/config.h"
#include "minting/issuer.h"
#include "wire/publish.h"

struct issuers;
struct issuer_set;

MG_MUST_USE enum mg_status issuers_new(struct issuers **out, const struct issuer_options *options);
void issuers_free(struct issuers *issuers);

/* issuers_update takes over what a signer says; what cannot be used is logged and leaves the present issuer of that
 * role. Any thread but workers; RCU registered. */
void issuers_update(struct issuers *issuers, const struct wire_issuers *wire, int64_t now);

/* issuers_prepare makes the set that |published|, a PREPARE, says; nothing uses it yet. To be committed or freed.
 * MG_INVALID, with a text that names issuer and rule, if any of them cannot be used (issuer_new). Any thread but
 * workers; RCU registered. */
MG_MUST_USE enum mg_status issuers_prepare(struct issuers *issuers, const struct wire_publish *published, int64_t now,
                                           struct issuer_set **out, struct mg_error *error);
void issuer_set_free(struct issuer_set *set);

/* issuer_set_get0_default returns the one that is to serve what no rule names another for. Borrowed from |set|. */
struct issuer *issuer_set_get0_default(const struct issuer_set *set);
/* issuer_set_count and issuer_set_get0 are all that it serves for servers that verified. Borrowed likewise. */
size_t issuer_set_count(const struct issuer_set *set);
struct issuer *issuer_set_get0(const struct issuer_set *set, size_t index);
/* issuer_set_name returns how that one is known; "" for the signer's own default. Borrowed likewise. */
const char *issuer_set_name(const struct issuer_set *set, size_t index);
/* issuer_set_is_reserve tells whether that one is there only to succeed another. */
bool issuer_set_is_reserve(const struct issuer_set *set, size_t index);
/* issuer_set_is_revoked tells whether that one must not sign, and issuer_set_is_usable whether it may at |now|: it is
 * neither revoked nor spent (issuer_is_spent). */
bool issuer_set_is_revoked(const struct issuer_set *set, size_t index);
bool issuer_set_is_usable(const struct issuer_set *set, size_t index, int64_t now);
/* issuer_set_signer returns which one signs for that one at |now|: itself, or, where it is revoked, or spent and
 * |on_expiry| is CONFIG_EXPIRY_SUCCESSOR, the first of its successors that is usable. SIZE_MAX: nobody. */
size_t issuer_set_signer(const struct issuer_set *set, size_t index, enum config_issuer_expiry on_expiry, int64_t now);
/* issuer_set_uses tells whether |generation| is one of its issuers. */
bool issuer_set_uses(const struct issuer_set *set, uint64_t generation);

/* issuers_commit makes |set|, which it takes over, the present one: one pointer. Sessions that have a leaf keep it and
 * its issuer. Any thread but workers; RCU registered. */
void issuers_commit(struct issuers *issuers, struct issuer_set *set);

/* issuers_get0_set returns the present set, NULL before there is one. Borrowed until the caller's next quiescent state.
 * RCU reader. */
const struct issuer_set *issuers_get0_set(const struct issuers *issuers);

/* issuers_get0 returns the present issuer of |role|, or NULL before there is one. Borrowed likewise. RCU reader. */
struct issuer *issuers_get0(const struct issuers *issuers, enum wire_issuer_role role);

enum issuers_choice {
    ISSUERS_CHOSEN,
    ISSUERS_NONE,    /* none is known yet */
    ISSUERS_SPENT,   /* it has expired, and nobody signs in its place */
    ISSUERS_REVOKED, /* it is revoked, likewise */
};

/* issuers_choose says who signs at |now| for a server that verified: the issuer that was published as |name|, or the
 * default where |name| is "" or nobody's; or its successor, as issuer_set_signer. *out is borrowed likewise; NULL
 * unless one is chosen. RCU reader. */
enum issuers_choice issuers_choose(const struct issuers *issuers, const char *name, enum config_issuer_expiry on_expiry,
                                   int64_t now, struct issuer **out);

/* issuers_name_of names the present issuer of |generation|: as it was published, "signer's default", "forward-untrust";
 * "": none has it any more. Borrowed likewise. RCU reader. */
const char *issuers_name_of(const struct issuers *issuers, uint64_t generation);

/* issuers_epoch returns what the control plane published last; 0: nothing yet. RCU reader. */
uint64_t issuers_epoch(const struct issuers *issuers);

#endif
