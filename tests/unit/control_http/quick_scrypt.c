/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords at no cost: a test that is linked with this (the dependency |quick_scrypt| in meson.build) has its keys
 * derived with a small N (ld's --wrap). For tests that log in many times and are about something else; what
 * a password costs, and that N is what it must be, is for test_http_credentials.c and test_backup_key_wrap.c.
 */
#include "ossl/scrypt.h"

#define QUICK_N 16

bool __wrap_scrypt_derive(struct mg_slice password, struct mg_slice salt, uint64_t n, uint8_t *out, size_t len);
bool __real_scrypt_derive(struct mg_slice password, struct mg_slice salt, uint64_t n, uint8_t *out, size_t len);

bool __wrap_scrypt_derive(struct mg_slice password, struct mg_slice salt, uint64_t n, uint8_t *out, size_t len)
{
    (void)n;
    return __real_scrypt_derive(password, salt, QUICK_N, out, len);
}
