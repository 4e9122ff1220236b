/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The place of the present set of issuers, and the way of a new one to the signing threads and through them to the
 * engines. One thread publishes; any thread may look.
 */
#ifndef MINTGATE_HSM_ISSUER_PUBLISHER_H
#define MINTGATE_HSM_ISSUER_PUBLISHER_H

#include "hsm/issuer.h"

#define ISSUER_PUBLISHER_MAX_LOOPS 64

struct issuer_publisher;
struct signing_loop;

/* issuer_publisher_new takes over the caller's reference to |set|, also when it fails. */
MG_MUST_USE enum mg_status issuer_publisher_new(struct issuer_publisher **out, struct issuer_set *set,
                                                struct mg_error *error);
void issuer_publisher_free(struct issuer_publisher *publisher);

/* issuer_publisher_add_loop names a thread, which was started with the present set, as one to tell; it outlives the
 * last publish. Before the first publish. MG_LIMIT beyond ISSUER_PUBLISHER_MAX_LOOPS. */
MG_MUST_USE enum mg_status issuer_publisher_add_loop(struct issuer_publisher *publisher, struct signing_loop *loop,
                                                     struct mg_error *error);

/* issuer_publisher_get returns a reference to the present set; the caller frees it. */
struct issuer_set *issuer_publisher_get(struct issuer_publisher *publisher);

/* issuer_publisher_publish takes over |set| and returns once every thread signs with it alone: from then on nothing is
 * signed by an issuer that is not in it. */
void issuer_publisher_publish(struct issuer_publisher *publisher, struct issuer_set *set);

#endif
