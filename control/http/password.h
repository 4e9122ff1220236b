/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords of users, kept as scrypt hashes (RFC 7914). Pure: any thread; each call takes tens of milliseconds and 32
 * MiB for its time, so the caller bounds how many run at once. */
#ifndef MINTGATE_CONTROL_HTTP_PASSWORD_H
#define MINTGATE_CONTROL_HTTP_PASSWORD_H

#include "base/slice.h"
#include "base/status.h"

#define PASSWORD_MIN 12
#define PASSWORD_MAX 256
/* "scrypt$15$8$1$" with salt and hash in hexadecimal. */
#define PASSWORD_RECORD_LEN                                                                                            \
    sizeof("scrypt$15$8$1$0123456789abcdef0123456789abcdef$"                                                           \
           "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

/* password_hash writes the record of |password| under a fresh salt. MG_INVALID: shorter than PASSWORD_MIN or longer
 * than PASSWORD_MAX bytes. */
MG_MUST_USE enum mg_status password_hash(struct mg_slice password, char out[PASSWORD_RECORD_LEN],
                                         struct mg_error *error);

/* password_verify tells whether |record| is of |password|. A |record| that is NULL or no record takes as long, and is
 * of nobody's password: so the time tells nobody which users there are. */
MG_MUST_USE bool password_verify(struct mg_slice password, const char *record);

#endif
