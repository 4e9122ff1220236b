/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/client_choice.h"

/* ClientCertificateType, RFC 5246 section 7.4.4 and RFC 8422 section 5.5. */
#define TYPE_RSA_SIGN 1
#define TYPE_ECDSA_SIGN 64

const uint16_t client_schemes[CLIENT_NUM_SCHEMES] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PKCS1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_RSA_PKCS1_SHA512,
};

static bool is_rsa(const struct client_key *key)
{
    return key->key_type != WIRE_KEY_EC_P256 && key->key_type != WIRE_KEY_EC_P384;
}

/* signs_with tells whether |key| can sign with |scheme|. In TLS 1.2 a scheme of ECDSA says nothing of the curve, and
 * PKCS#1 v1.5 is still there (RFC 8446 section 4.2.3). */
static bool signs_with(const struct client_key *key, uint16_t scheme, bool is_tls13)
{
    switch (scheme) {
    case SSL_SIGN_ECDSA_SECP256R1_SHA256:
        return key->key_type == WIRE_KEY_EC_P256 || (!is_rsa(key) && !is_tls13);
    case SSL_SIGN_ECDSA_SECP384R1_SHA384:
        return key->key_type == WIRE_KEY_EC_P384 || (!is_rsa(key) && !is_tls13);
    case SSL_SIGN_RSA_PSS_RSAE_SHA256:
    case SSL_SIGN_RSA_PSS_RSAE_SHA384:
    case SSL_SIGN_RSA_PSS_RSAE_SHA512:
        return is_rsa(key);
    case SSL_SIGN_RSA_PKCS1_SHA256:
    case SSL_SIGN_RSA_PKCS1_SHA384:
    case SSL_SIGN_RSA_PKCS1_SHA512:
        return is_rsa(key) && !is_tls13;
    default:
        return false;
    }
}

static bool takes_scheme_of(const struct client_request *request, const struct client_key *key)
{
    for (size_t i = 0; i < request->num_schemes; i++) {
        if (signs_with(key, request->schemes[i], request->is_tls13)) {
            return true;
        }
    }
    return false;
}

static bool takes_type_of(const struct client_request *request, const struct client_key *key)
{
    uint8_t type = is_rsa(key) ? TYPE_RSA_SIGN : TYPE_ECDSA_SIGN;
    return request->is_tls13 || (request->num_types > 0 && memchr(request->types, type, request->num_types) != NULL);
}

static bool suits(const struct client_key *key, const struct client_request *request, int64_t now)
{
    return key->not_before <= now && now <= key->not_after && takes_type_of(request, key) &&
           takes_scheme_of(request, key);
}

static bool is_authority(const STACK_OF(CRYPTO_BUFFER) * authorities, struct mg_slice name)
{
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(authorities); i++) {
        const CRYPTO_BUFFER *authority = sk_CRYPTO_BUFFER_value(authorities, i);
        if (mg_slice_equal(name, mg_slice_of(CRYPTO_BUFFER_data(authority), CRYPTO_BUFFER_len(authority)))) {
            return true;
        }
    }
    return false;
}

/* is_below_authority tells whether one of the server's authorities issued a certificate of the chain. */
static bool is_below_authority(const struct client_key *key, const struct client_request *request)
{
    for (size_t i = 0; i < key->num_chain; i++) {
        if (is_authority(request->authorities, key->issuers[i])) {
            return true;
        }
    }
    return false;
}

const struct client_key *client_choose(const struct client_key_store *store, const struct client_request *request,
                                       int64_t now)
{
    const struct client_key *first = NULL;
    for (size_t i = 0; i < store->num_keys; i++) {
        const struct client_key *key = &store->keys[i];
        if (!suits(key, request, now)) {
            continue;
        }
        if (is_below_authority(key, request)) {
            return key;
        }
        if (first == NULL) {
            first = key;
        }
    }
    return first;
}
