/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is the chain that a server sends, certificate by certificate: a byte that says where it comes from (0: the
 * input itself, behind a length of two bytes; 1 to 4: one of a good chain and its root), and for the latter a place
 * (two bytes) and a byte that changes it (0: not). Verification ends with one verdict, and never finds a leaf good that
 * was not signed as it is.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "certs.h"
#include "dataplane/tls/chain_memory.h"
#include "dataplane/tls/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEAF, MIDDLE, ROOT, OTHER, NUM_KNOWN };

static struct mg_buffer known[NUM_KNOWN];
static struct intermediates *learned;
static struct trust *trust;
static struct mimic *leaf_mimic;

static void make(unsigned number, const char *name, unsigned key, const char *issuer, unsigned signer)
{
    static const struct certs_name names[] = {CERTS_DNS("www.example")};
    struct mg_buffer subject, issuer_subject;
    mg_buffer_init(&subject, 1 << 10);
    mg_buffer_init(&issuer_subject, 1 << 10);
    certs_subject(&subject, "DE", "Example", name);
    certs_subject(&issuer_subject, "DE", "Example", issuer);
    mg_buffer_init(&known[number], 1 << 16);
    certs_make(&known[number], &(struct certs_spec){
                                   .subject = mg_buffer_slice(&subject),
                                   .issuer = mg_buffer_slice(&issuer_subject),
                                   .names = names,
                                   .num_names = number == LEAF,
                                   .is_ca = number != LEAF,
                                   .path_len = -1,
                                   .key_usage = number == LEAF ? CERTS_KEY_USAGE_END_ENTITY : CERTS_KEY_USAGE_CA,
                                   .key = certs_key(WIRE_KEY_EC_P256, key),
                                   .signer = certs_key(WIRE_KEY_EC_P256, signer),
                               });
    mg_buffer_free(&subject);
    mg_buffer_free(&issuer_subject);
}

/* trust_root makes the store, which reads its roots from a file. */
static void trust_root(void)
{
    char path[] = "/tmp/fuzz_chain.XXXXXX";
    int fd = mkstemp(path);
    certs_must(fd >= 0);
    FILE *file = fdopen(fd, "w");
    certs_must(file != NULL && PEM_write(file, "CERTIFICATE", "", known[ROOT].data, (long)known[ROOT].len) &&
               fclose(file) == 0);
    const struct config_tls config = {.trust_store = path, .intermediates = ""};
    struct trust_base *base;
    certs_must(intermediates_new(&learned, 4) == MG_OK);
    certs_must(trust_base_new(&base, &config, NULL) == MG_OK);
    certs_must(trust_new(&trust, base, NULL, 1, learned, NULL) == MG_OK);
    trust_base_free(base);
    certs_must(unlink(path) == 0);
}

static void init(void)
{
    if (trust != NULL) {
        return;
    }
    make(ROOT, "root", 0, "root", 0);
    make(MIDDLE, "middle", 1, "root", 0);
    make(LEAF, "leaf", 2, "middle", 1);
    make(OTHER, "middle", 1, "other root", 3);
    trust_root();
    certs_must(mimic_new(&leaf_mimic, mg_buffer_slice(&known[LEAF]), NULL) == MG_OK);
}

/* take_known makes a copy of certificate |number| as the input has it changed. */
static bool take_known(struct mg_slice *input, unsigned number, STACK_OF(CRYPTO_BUFFER) * chain)
{
    uint16_t place;
    uint8_t change;
    if (!mg_slice_u16(input, &place) || !mg_slice_u8(input, &change)) {
        return false;
    }
    size_t len = known[number].len;
    uint8_t *copy = malloc(len);
    certs_must(copy != NULL);
    memcpy(copy, known[number].data, len);
    copy[place % len] ^= change;
    certs_must(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(copy, len, NULL)));
    free(copy);
    return true;
}

static bool take_certificate(struct mg_slice *input, STACK_OF(CRYPTO_BUFFER) * chain)
{
    uint8_t source;
    struct mg_slice der;
    if (!mg_slice_u8(input, &source)) {
        return false;
    }
    if (source >= 1 && source <= NUM_KNOWN) {
        return take_known(input, source - 1u, chain);
    }
    if (!mg_slice_prefixed_u16(input, &der)) {
        return false;
    }
    certs_must(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(der.data, der.len, NULL)));
    return true;
}

/* is_known tells whether the first certificate of |chain| is one of ours, unchanged. */
static bool is_known(const STACK_OF(CRYPTO_BUFFER) * chain)
{
    const CRYPTO_BUFFER *first = sk_CRYPTO_BUFFER_value(chain, 0);
    struct mg_slice der = mg_slice_of(CRYPTO_BUFFER_data(first), CRYPTO_BUFFER_len(first));
    for (unsigned i = 0; i < NUM_KNOWN; i++) {
        if (mg_slice_equal(der, mg_buffer_slice(&known[i]))) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice input = mg_slice_of(data, size);
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    struct chain_key key;
    int64_t valid_until = 0;
    init();
    while (sk_CRYPTO_BUFFER_num(chain) < 20 && take_certificate(&input, chain)) {
    }
    chain_key_of(&key, chain, trust_generation(trust));
    enum trust_verdict verdict = trust_verify(trust, chain, leaf_mimic, mg_slice_of(NULL, 0), CERTS_NOW, &valid_until);
    certs_must(verdict < TRUST_NUM_VERDICTS && trust_verdict_name(verdict) != NULL);
    if (verdict == TRUST_OK) {
        certs_must(is_known(chain) && valid_until >= CERTS_NOW);
    }
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
    return 0;
}
