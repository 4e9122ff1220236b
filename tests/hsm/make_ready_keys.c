/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the RSA keys that the unit tests share (tests/unit/hsm/ready_keys.h): to make them anew in each test took
 * longer than the tests. Once for each build folder; they are never in the repository and good for nothing else.
 *
 *   make_ready_keys FILE BITS...
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool write_key(FILE *file, unsigned bits)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);
    bool ok = key != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    EVP_PKEY_free(key);
    return ok;
}

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[1], "we") : NULL;
    bool ok = file != NULL;
    for (int i = 2; ok && i < argc; i++) {
        ok = write_key(file, (unsigned)strtoul(argv[i], NULL, 10));
    }
    if (file != NULL && fclose(file) != 0) {
        ok = false;
    }
    if (!ok) {
        fprintf(stderr, "make_ready_keys: cannot write the keys\n");
    }
    return ok ? 0 : 1;
}
