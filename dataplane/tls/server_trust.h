/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What servers are verified by now: one immutable snapshot (trust.h), made anew under RCU whenever the configuration is
 * loaded, or the control plane sends the trust store that it names (tls.trust_store_name). Each has a generation of its
 * own, so that nothing that was found good by one is remembered under another. Sessions that verified their server go
 * on.
 *
 * A named store that was not sent yet trusts nobody. What was sent last stays while the control plane is away.
 */
#ifndef MINTGATE_DATAPLANE_TLS_SERVER_TRUST_H
#define MINTGATE_DATAPLANE_TLS_SERVER_TRUST_H

#include "base/buffer.h"
#include "dataplane/tls/trust.h"

struct server_trust;

/* server_trust_new: nothing is trusted before server_trust_configure. |learned| is borrowed. */
MG_MUST_USE enum mg_status server_trust_new(struct server_trust **out, struct intermediates *learned);
/* server_trust_free: nobody verifies any more. */
void server_trust_free(struct server_trust *trust);

/* server_trust_configure takes over what the configuration says, and reads its files. On failure, as of trust_base_new,
 * nothing changes. Waits for readers. Main thread, online. */
MG_MUST_USE enum mg_status server_trust_configure(struct server_trust *trust, const struct config_tls *config,
                                                  struct mg_error *error);

/* server_trust_take takes over the reference to |store|, which the control plane sent. MG_NOT_FOUND: the configuration
 * names another one by now; MG_MEMORY. On failure the reference is the caller's still, and nothing changes. Waits for
 * readers. Publisher's thread, online. */
MG_MUST_USE enum mg_status server_trust_take(struct server_trust *trust, struct trusted *store);

/* server_trust_store_name copies the name of the store that is wanted; "": none. Any thread. */
void server_trust_store_name(struct server_trust *trust, char out[WIRE_STORE_MAX_NAME + 1]);

/* server_trust_get0 returns the present snapshot, valid until the caller's next quiescent state. RCU reader. */
const struct trust *server_trust_get0(const struct server_trust *trust);

/* server_trust_metrics appends how many certificates are trusted, and by what. RCU reader. */
void server_trust_metrics(const struct server_trust *trust, struct mg_buffer *out);

/* server_trust_write appends the same as members of a JSON object, with the name of the store. RCU reader. */
void server_trust_write(const struct server_trust *trust, struct mg_buffer *out);

#endif
