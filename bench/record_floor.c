/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under what a byte through an intercepted connection costs: opened once and sealed once, as TLS 1.3 records
 * of AES-128-GCM with 2^14 bytes, by the library that the engine uses, in memory that stays in the cache.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/aead.h>

#include "base/clock.h"
#include "base/status.h"

#define RECORD_LEN 16384
#define INNER_LEN (RECORD_LEN + 1) /* with the content type (RFC 8446 section 5.2) */
#define HEADER_LEN 5
#define NONCE_LEN 12
#define TAG_LEN 16
#define KEY_LEN 16
#define RUN_NS (100 * MG_NS_PER_MS)
#define RECORDS_PER_LOOK 64

struct direction {
    EVP_AEAD_CTX aead;
    uint64_t num_records;
};

/* nonce_of writes the record's number into the nonce, as RFC 8446 section 5.3 has it, of an IV of zeros. */
static void nonce_of(uint8_t out[NONCE_LEN], uint64_t number)
{
    memset(out, 0, NONCE_LEN);
    for (int i = NONCE_LEN - 1; number > 0; i--, number >>= 8) {
        out[i] = (uint8_t)number;
    }
}

static const uint8_t header[HEADER_LEN] = {23, 3, 3, (INNER_LEN + TAG_LEN) >> 8, (INNER_LEN + TAG_LEN) & 0xff};

static bool seal(struct direction *to, uint8_t *out, const uint8_t *in)
{
    uint8_t nonce[NONCE_LEN];
    size_t len;
    nonce_of(nonce, to->num_records++);
    return EVP_AEAD_CTX_seal(&to->aead, out, &len, INNER_LEN + TAG_LEN, nonce, NONCE_LEN, in, INNER_LEN, header,
                             HEADER_LEN) == 1;
}

static bool open_record(const struct direction *from, uint8_t *out, const uint8_t *in)
{
    uint8_t nonce[NONCE_LEN];
    size_t len;
    nonce_of(nonce, 0);
    return EVP_AEAD_CTX_open(&from->aead, out, &len, INNER_LEN, nonce, NONCE_LEN, in, INNER_LEN + TAG_LEN, header,
                             HEADER_LEN) == 1;
}

/* run opens and seals for RUN_NS of CPU time, and returns the nanoseconds of a kilobyte (1,000 bytes). */
static bool run(struct direction *from, struct direction *to, double *ns_per_kb)
{
    static uint8_t plain[INNER_LEN], received[INNER_LEN + TAG_LEN], sent[INNER_LEN + TAG_LEN];
    uint64_t num_records = 0, start_ns = mg_clock_thread_cpu_ns(), spent_ns = 0;
    if (!seal(from, received, plain)) {
        return false;
    }
    while (spent_ns < RUN_NS) {
        for (int i = 0; i < RECORDS_PER_LOOK; i++, num_records++) {
            if (!open_record(from, plain, received) || !seal(to, sent, plain)) {
                return false;
            }
        }
        spent_ns = mg_clock_thread_cpu_ns() - start_ns;
    }
    *ns_per_kb = (double)spent_ns * 1000 / ((double)num_records * RECORD_LEN);
    return true;
}

int main(void)
{
    static const uint8_t keys[2][KEY_LEN] = {{1}, {2}};
    struct direction from = {0}, to = {0};
    double ns_per_kb;
    const EVP_AEAD *aes = EVP_aead_aes_128_gcm();
    if (!EVP_AEAD_CTX_init(&from.aead, aes, keys[0], KEY_LEN, TAG_LEN, NULL) ||
        !EVP_AEAD_CTX_init(&to.aead, aes, keys[1], KEY_LEN, TAG_LEN, NULL) || !run(&from, &to, &ns_per_kb)) {
        fprintf(stderr, "mintgate-record-floor: AES-GCM failed\n");
        return 2;
    }
    printf("{\"ns_per_kb\": %.2f}\n", ns_per_kb);
    EVP_AEAD_CTX_cleanup(&from.aead);
    EVP_AEAD_CTX_cleanup(&to.aead);
    return 0;
}
