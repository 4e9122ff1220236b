/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate chain and its key, from PEM files. */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_CREDENTIALS_H
#define MINTGATE_TESTS_LAB_ORIGIN_CREDENTIALS_H

#include <openssl/base.h>

#include "base/status.h"

#define CREDENTIALS_MAX_CHAIN 4

/* Zero state: empty. Immutable once loaded, so that any thread may read it. */
struct credentials {
    CRYPTO_BUFFER *chain[CREDENTIALS_MAX_CHAIN]; /* owned, in the order of the file */
    size_t num_chain;
    EVP_PKEY *key; /* owned */
};

/* credentials_load reads |dir|/|name|.pem and |dir|/|name|.key. On error |out| is empty. */
MG_MUST_USE enum mg_status credentials_load(struct credentials *out, const char *dir, const char *name,
                                            struct mg_error *error);
void credentials_free(struct credentials *credentials);

#endif
