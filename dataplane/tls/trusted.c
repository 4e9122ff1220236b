/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/trusted.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/log.h"

enum mg_status trusted_new(struct trusted **out, struct mg_slice name, uint64_t epoch)
{
    struct trusted *trusted = calloc(1, sizeof(*trusted));
    if (trusted == NULL || name.len >= sizeof(trusted->name)) {
        free(trusted);
        return MG_MEMORY;
    }
    trusted->references = 1;
    memcpy(trusted->name, name.data, name.len);
    trusted->epoch = epoch;
    trusted->anchors = sk_X509_new_null();
    trusted->exact = sk_CRYPTO_BUFFER_new_null();
    if (trusted->anchors == NULL || trusted->exact == NULL) {
        trusted_unref(trusted);
        return MG_MEMORY;
    }
    *out = trusted;
    return MG_OK;
}

struct trusted *trusted_up_ref(struct trusted *trusted)
{
    __atomic_fetch_add(&trusted->references, 1, __ATOMIC_RELAXED);
    return trusted;
}

void trusted_unref(struct trusted *trusted)
{
    if (trusted == NULL || __atomic_fetch_sub(&trusted->references, 1, __ATOMIC_ACQ_REL) != 1) {
        return;
    }
    sk_X509_pop_free(trusted->anchors, X509_free);
    sk_CRYPTO_BUFFER_pop_free(trusted->exact, CRYPTO_BUFFER_free);
    free(trusted);
}

enum mg_status trusted_add(struct trusted *trusted, struct mg_slice der, bool is_anchor)
{
    CRYPTO_BUFFER *buffer = CRYPTO_BUFFER_new(der.data, der.len, NULL);
    if (buffer == NULL) {
        return MG_MEMORY;
    }
    X509 *certificate = X509_parse_from_buffer(buffer);
    ERR_clear_error();
    bool ok = true;
    if (certificate == NULL) {
        mg_log_warning("trust store %s: a certificate is left out: it cannot be read", trusted->name);
        trusted->num_unusable++;
    } else if (is_anchor) {
        ok = sk_X509_push(trusted->anchors, certificate) != 0;
        certificate = ok ? NULL : certificate;
    } else {
        ok = sk_CRYPTO_BUFFER_push(trusted->exact, buffer) != 0;
        buffer = ok ? NULL : buffer;
    }
    X509_free(certificate);
    CRYPTO_BUFFER_free(buffer);
    return ok ? MG_OK : MG_MEMORY;
}

bool trusted_has(const struct trusted *trusted, const CRYPTO_BUFFER *certificate)
{
    size_t len = CRYPTO_BUFFER_len(certificate);
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(trusted->exact); i++) {
        const CRYPTO_BUFFER *exact = sk_CRYPTO_BUFFER_value(trusted->exact, i);
        if (CRYPTO_BUFFER_len(exact) == len &&
            memcmp(CRYPTO_BUFFER_data(exact), CRYPTO_BUFFER_data(certificate), len) == 0) {
            return true;
        }
    }
    return false;
}
