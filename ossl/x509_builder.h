/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a certificate that is being made with OpenSSL. Each returns false when OpenSSL does. Any thread, one at a
 * time for a certificate. */
#ifndef MINTGATE_OSSL_X509_BUILDER_H
#define MINTGATE_OSSL_X509_BUILDER_H

#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* x509_builder_add_extension adds |nid| with |value| in OpenSSL's configuration syntax. |issuer| is |x509| itself for a
 * certificate that signs itself. */
MG_MUST_USE bool x509_builder_add_extension(X509 *x509, X509 *issuer, int nid, const char *value);

/* x509_builder_set_serial sets a random serial number: positive (RFC 5280 section 4.1.2.2), and always of 16 octets. */
MG_MUST_USE bool x509_builder_set_serial(X509 *x509);

/* x509_builder_set_validity sets both ends, in seconds since 1970. */
MG_MUST_USE bool x509_builder_set_validity(X509 *x509, int64_t not_before, int64_t not_after);

#endif
