/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trust store in a directory of its own, and chains that are made certificate by certificate; what the verdicts
 * should be is RFC 5280's and RFC 9525's word.
 */
#ifndef MINTGATE_TESTS_TRUST_FIXTURE_H
#define MINTGATE_TESTS_TRUST_FIXTURE_H

#include "certs.h"
#include "dataplane/tls/trust.h"
#include "frames.h"

#define MAX_SENT 20

/* ---- certificates: whatever a test makes lives until its end ---- */

struct mg_slice keep(const uint8_t *bytes, size_t len);
struct mg_slice make(const struct certs_spec *spec);
struct mg_slice make_of(struct certs_spec spec);
struct mg_slice subject(const char *common_name);

/* The keys of the usual chain: those of the root and of what is under it. */
#define ROOT_KEY certs_key(WIRE_KEY_EC_P256, 0)
#define MIDDLE_KEY certs_key(WIRE_KEY_EC_P256, 1)
#define LEAF_KEY certs_key(WIRE_KEY_EC_P256, 2)
#define OTHER_KEY certs_key(WIRE_KEY_EC_P256, 3)

/* rsa_1024 returns an RSA key of 1024 bits, made once. */
EVP_PKEY *rsa_1024(void);

/* The usual chain's certificates, and what they are made from, to be changed in one place. The leaf is for www.example
 * and what is below wild.example. */
struct certs_spec authority(const char *name, EVP_PKEY *key, const char *issuer, EVP_PKEY *signer);
struct certs_spec root_spec(void);
struct certs_spec middle_spec(void);
struct certs_spec leaf_spec(void);
struct mg_slice root(void);
struct mg_slice middle(void);
struct mg_slice leaf(void);

/* ---- the store ---- */

extern char store_path[64], bundle_path[64];
extern struct intermediates *learned;
extern struct trust *trust;
/* What new_trust is given of the control plane's; NULL: nothing. With it the file counts only if |with_file|. */
extern struct trusted *trust_store;
extern bool with_file;
extern struct mg_error trust_error;
extern int64_t remember_seconds; /* known paths; 0: none */

void write_text(const char *path, const char *text);
void write_pem(const char *path, const struct mg_slice *certificates, size_t num);

/* new_trust loads the store anew from its files. */
enum mg_status new_trust(bool with_bundle);

#define SLICES(...) ((const struct mg_slice[]){__VA_ARGS__})
#define NUM_SLICES(...) (sizeof(SLICES(__VA_ARGS__)) / sizeof(struct mg_slice))
#define TRUST_ROOTS(...)                                                                                               \
    do {                                                                                                               \
        const struct mg_slice roots[] = {__VA_ARGS__};                                                                 \
        write_pem(store_path, roots, MG_ARRAY_LEN(roots));                                                             \
        assert_int_equal(new_trust(false), MG_OK);                                                                     \
    } while (0)
#define TRUST_BUNDLE(...)                                                                                              \
    do {                                                                                                               \
        const struct mg_slice bundle[] = {__VA_ARGS__};                                                                \
        write_pem(bundle_path, bundle, MG_ARRAY_LEN(bundle));                                                          \
        assert_int_equal(new_trust(true), MG_OK);                                                                      \
    } while (0)

/* ---- verification ---- */

extern int64_t valid_until; /* of the last verification */

enum trust_verdict verify(const struct mg_slice *sent, size_t num, const char *name, int64_t now);
void check(enum trust_verdict verdict, enum trust_verdict expected);

/* VERIFY checks the verdict on what is sent, for www.example at CERTS_NOW. */
#define VERIFY(expected, ...)                                                                                          \
    check(verify(SLICES(__VA_ARGS__), NUM_SLICES(__VA_ARGS__), "www.example", CERTS_NOW), expected)

/* ---- tests ---- */

int start(void **state);
int start_remembering(void **state);
int stop(void **state);
int make_directory(void **state);
int remove_directory(void **state);

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
/* What is known must change no verdict. */
#define TEST_BOTH(name) TEST(name), cmocka_unit_test_setup_teardown(name, start_remembering, stop)

#endif
