/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's error queue, turned into our one error dialect: for the programs that link OpenSSL's libcrypto. */
#ifndef MINTGATE_OSSL_OPENSSL_ERROR_H
#define MINTGATE_OSSL_OPENSSL_ERROR_H

#include "base/status.h"

/* openssl_error_set formats a message into |error| (may be NULL) with the calling thread's last OpenSSL error behind,
 * empties that queue, and returns MG_INTERNAL. */
enum mg_status openssl_error_set(struct mg_error *error, const char *format, ...) MG_PRINTF(2, 3);

#endif
