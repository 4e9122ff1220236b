/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/clock.h"

/* ---- certificates ---- */

/* Whatever a test makes lives until its end. */
static struct mg_buffer made[64];
static size_t num_made;

struct mg_slice keep(const uint8_t *bytes, size_t len)
{
    assert_in_range(num_made, 0, MG_ARRAY_LEN(made) - 1);
    struct mg_buffer *kept = &made[num_made++];
    mg_buffer_init(kept, 1 << 20);
    mg_buffer_append(kept, bytes, len);
    return mg_buffer_slice(kept);
}

struct mg_slice make(const struct certs_spec *spec)
{
    assert_in_range(num_made, 0, MG_ARRAY_LEN(made) - 1);
    struct mg_buffer *der = &made[num_made++];
    mg_buffer_init(der, 1 << 20);
    certs_make(der, spec);
    return mg_buffer_slice(der);
}

struct mg_slice make_of(struct certs_spec spec)
{
    return make(&spec);
}

struct mg_slice subject(const char *common_name)
{
    assert_in_range(num_made, 0, MG_ARRAY_LEN(made) - 1);
    struct mg_buffer *name = &made[num_made++];
    mg_buffer_init(name, 1 << 10);
    certs_subject(name, "DE", "Example", common_name);
    return mg_buffer_slice(name);
}

/* The keys of the usual chain: those of the root and of what is under it. */
struct certs_spec authority(const char *name, EVP_PKEY *key, const char *issuer, EVP_PKEY *signer)
{
    return (struct certs_spec){
        .subject = subject(name),
        .issuer = subject(issuer),
        .not_before = CERTS_NOW - 1000 * CERTS_DAY,
        .not_after = CERTS_NOW + 1000 * CERTS_DAY,
        .is_ca = true,
        .path_len = -1,
        .key_usage = CERTS_KEY_USAGE_CA,
        .key = key,
        .signer = signer,
    };
}

struct certs_spec root_spec(void)
{
    return authority("root", ROOT_KEY, "root", ROOT_KEY);
}

struct certs_spec middle_spec(void)
{
    return authority("middle", MIDDLE_KEY, "root", ROOT_KEY);
}

static const struct certs_name leaf_names[] = {CERTS_DNS("www.example"), CERTS_DNS("*.wild.example")};

struct certs_spec leaf_spec(void)
{
    return (struct certs_spec){
        .subject = subject("cn.example"),
        .issuer = subject("middle"),
        .names = leaf_names,
        .num_names = MG_ARRAY_LEN(leaf_names),
        .key_usage = CERTS_KEY_USAGE_END_ENTITY,
        .eku = "1.3.6.1.5.5.7.3.1",
        .key = LEAF_KEY,
        .signer = MIDDLE_KEY,
    };
}

struct mg_slice root(void)
{
    return make_of(root_spec());
}

struct mg_slice middle(void)
{
    return make_of(middle_spec());
}

struct mg_slice leaf(void)
{
    return make_of(leaf_spec());
}

static EVP_PKEY *weak_key;

EVP_PKEY *rsa_1024(void)
{
    if (weak_key == NULL) {
        RSA *rsa = RSA_new();
        BIGNUM *exponent = BN_new();
        weak_key = EVP_PKEY_new();
        assert_true(BN_set_word(exponent, RSA_F4) && RSA_generate_key_ex(rsa, 1024, exponent, NULL));
        assert_true(EVP_PKEY_assign_RSA(weak_key, rsa));
        BN_free(exponent);
    }
    return weak_key;
}

/* ---- the store ---- */

static char directory[] = "/tmp/test_trust.XXXXXX";
char store_path[64], bundle_path[64];
struct intermediates *learned;
struct trust *trust;
struct trusted *trust_store;
bool with_file;
struct mg_error trust_error;
int64_t remember_seconds;

void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

void write_pem(const char *path, const struct mg_slice *certificates, size_t num)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < num; i++) {
        assert_true(PEM_write(file, "CERTIFICATE", "", certificates[i].data, (long)certificates[i].len));
    }
    assert_int_equal(fclose(file), 0);
}

enum mg_status new_trust(bool with_bundle)
{
    const struct config_tls config = {
        .trust_store = store_path,
        .trust_store_name = trust_store == NULL ? "" : trust_store->name,
        .trust_store_and_file = with_file,
        .intermediates = with_bundle ? bundle_path : "",
        .remember_chains = remember_seconds > 0,
        .remember_chain_ns = (uint64_t)remember_seconds * MG_NS_PER_SECOND,
    };
    trust_free(trust);
    trust = NULL;
    struct trust_base *base;
    enum mg_status status = trust_base_new(&base, &config, &trust_error);
    if (status == MG_OK) {
        status = trust_new(&trust, base, trust_store, 5, learned, &trust_error);
        trust_base_free(base);
    }
    return status;
}

/* ---- verification ---- */

int64_t valid_until;

enum trust_verdict verify(const struct mg_slice *sent, size_t num, const char *name, int64_t now)
{
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    struct mimic *mimic = NULL;
    for (size_t i = 0; i < num; i++) {
        /* Of exactly their size, so that a sanitizer sees the first byte read past one. */
        assert_true(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(sent[i].data, sent[i].len, NULL)));
    }
    if (num == 0 || mimic_new(&mimic, sent[0], NULL) != MG_OK) {
        mimic = certs_mimic(&(struct certs_spec){.names = leaf_names, .num_names = MG_ARRAY_LEN(leaf_names)});
    }
    valid_until = -1;
    enum trust_verdict verdict = trust_verify(trust, chain, mimic, mg_slice_of_text(name), now, &valid_until);
    mimic_unref(mimic);
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
    return verdict;
}

void check(enum trust_verdict verdict, enum trust_verdict expected)
{
    if (verdict != expected) {
        fail_msg("%s, not %s", trust_verdict_name(verdict), trust_verdict_name(expected));
    }
}

int start(void **state)
{
    (void)state;
    assert_int_equal(intermediates_new(&learned, 100), MG_OK);
    TRUST_ROOTS(root());
    return 0;
}

int start_remembering(void **state)
{
    remember_seconds = 600;
    return start(state);
}

int stop(void **state)
{
    (void)state;
    trust_free(trust);
    trust = NULL;
    remember_seconds = 0;
    intermediates_free(learned);
    while (num_made > 0) {
        mg_buffer_free(&made[--num_made]);
    }
    return 0;
}

int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(store_path, sizeof(store_path), "%s/store.pem", directory);
    snprintf(bundle_path, sizeof(bundle_path), "%s/bundle.pem", directory);
    return 0;
}

int remove_directory(void **state)
{
    (void)state;
    EVP_PKEY_free(weak_key);
    unlink(store_path);
    unlink(bundle_path);
    return rmdir(directory);
}
