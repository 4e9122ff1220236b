/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trust store of the control plane holds, as it was sent last (wire/publish_store.h): anchors, under which
 * chains are verified, and exact certificates, each of which is trusted as a server's own and for nothing else. Filled
 * by one thread, immutable from then on, shared by references.
 */
#ifndef MINTGATE_DATAPLANE_TLS_TRUSTED_H
#define MINTGATE_DATAPLANE_TLS_TRUSTED_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/pool.h>
#include <openssl/x509.h>

#include "base/slice.h"
#include "base/status.h"
#include "wire/publish_store.h"

struct trusted {
    unsigned references;                /* atomic */
    char name[WIRE_STORE_MAX_NAME + 1]; /* by which the configuration knows it */
    uint64_t epoch;
    bool is_missing;                 /* the control plane has no such store now; it is empty then */
    STACK_OF(X509) * anchors;        /* owned */
    STACK_OF(CRYPTO_BUFFER) * exact; /* owned */
    size_t num_unusable;             /* certificates that were left out: see trusted_add */
};

/* trusted_new makes an empty one; the caller has one reference. Any thread. */
MG_MUST_USE enum mg_status trusted_new(struct trusted **out, struct mg_slice name, uint64_t epoch);
struct trusted *trusted_up_ref(struct trusted *trusted);
void trusted_unref(struct trusted *trusted);

/* trusted_add copies a certificate, before others see the set. One that cannot be read is left out, logged and counted:
 * that trusts less, and a store that was changed to trust less must not fail for it. MG_MEMORY. */
MG_MUST_USE enum mg_status trusted_add(struct trusted *trusted, struct mg_slice der, bool is_anchor);

/* trusted_has tells whether |certificate|, byte by byte, is one of the exact ones. Any thread. */
bool trusted_has(const struct trusted *trusted, const CRYPTO_BUFFER *certificate);

#endif
