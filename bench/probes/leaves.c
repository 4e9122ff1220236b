/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-leaves: for mintgate-bench, the memory that cached leaves hold, all included: the cache's entry and
 * its share of the table, the key, the leaf, its certificate, and what is remembered of the server's certificate. It
 * makes them as the engine does, but for the signature, which is of the right length and random.
 *
 * The parameter of a probe says whose key is of what type (the table |kinds|).
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pool.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "bench/probe.h"
#include "cache/rcu.h"
#include "minting/leaf.h"
#include "minting/mint_key.h"
#include "minting/validity.h"
#include "tests/unit/minting/certs.h"

#define NUM_LEAVES 100000 /* not a power of two, which would flatter the table */
#define SPARE_BYTES 65536
#define LEAVES_PER_QUIESCENT 64
#define IDLE_US 1000
#define NAME "www.name-000000.example.com" /* the digits are each leaf's own */
#define NUM_DIGITS 6

static const struct {
    enum wire_key_type issuer;
    enum leaf_key_type leaf;
    size_t signature_len;
} kinds[] = {
    {WIRE_KEY_EC_P256, LEAF_KEY_EC_P256, 71},
    {WIRE_KEY_RSA_2048, LEAF_KEY_EC_P256, 256},
    {WIRE_KEY_EC_P256, LEAF_KEY_RSA_2048, 71},
    {WIRE_KEY_RSA_2048, LEAF_KEY_RSA_2048, 256},
};

static struct leaf_keys *leaf_keys;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-leaves: %s\n", what);
    exit(1);
}

/* resident_bytes returns what the process holds of memory without a file behind it, exactly: the counts in
 * /proc/PID/statm are not. */
static size_t resident_bytes(void)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    if (file == NULL) {
        die("/proc/self/smaps_rollup is needed");
    }
    while (kib == 0 && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "Anonymous: %zu kB", &kib);
    }
    fclose(file);
    return kib * 1024;
}

/* ---- the servers' certificates: one, in which name and serial are changed ---- */

struct server {
    struct mg_buffer der;
    size_t places[4], num_places; /* of the digits */
};

static void find_places(struct server *server)
{
    static const uint8_t digits[NUM_DIGITS] = {'0', '0', '0', '0', '0', '0'};
    for (size_t i = 0; i + NUM_DIGITS <= server->der.len && server->num_places < MG_ARRAY_LEN(server->places); i++) {
        if (memcmp(server->der.data + i, digits, NUM_DIGITS) == 0) {
            server->places[server->num_places++] = i;
        }
    }
}

/* server_init makes a certificate such as the public ones are: two names, the first in the subject too. */
static void server_init(struct server *server)
{
    static const struct certs_name names[] = {CERTS_DNS(NAME), CERTS_DNS("name-000000.example.com")};
    static const uint8_t serial[18] = {3, 1}, key_id[20] = {1}, authority[20] = {2};
    const int64_t now = mg_clock_wall_seconds();
    struct mg_buffer subject;
    *server = (struct server){.num_places = 0};
    mg_buffer_init(&subject, 256);
    certs_subject(&subject, NULL, NULL, NAME);
    mg_buffer_init(&server->der, 4096);
    certs_make(&server->der, &(struct certs_spec){.serial = mg_slice_of(serial, sizeof(serial)),
                                                  .subject = mg_buffer_slice(&subject),
                                                  .not_before = now - 30 * CERTS_DAY,
                                                  .not_after = now + 60 * CERTS_DAY,
                                                  .names = names,
                                                  .num_names = MG_ARRAY_LEN(names),
                                                  .subject_key_id = mg_slice_of(key_id, sizeof(key_id)),
                                                  .authority_key_id = mg_slice_of(authority, sizeof(authority))});
    mg_buffer_free(&subject);
    find_places(server);
}

static struct mimic *server_mimic(struct server *server, unsigned number)
{
    char digits[NUM_DIGITS + 1];
    struct mimic *mimic;
    struct mg_error error;
    snprintf(digits, sizeof(digits), "%06u", number % 1000000);
    for (size_t i = 0; i < server->num_places; i++) {
        memcpy(server->der.data + server->places[i], digits, NUM_DIGITS);
    }
    if (mimic_new(&mimic, mg_buffer_slice(&server->der), &error) != MG_OK) {
        die(error.text);
    }
    return mimic;
}

/* ---- leaves ---- */

struct filler {
    bool is_filled;
    size_t kind, bytes_before;
    struct certs_pki pki;
    struct issuer *issuer;
    struct server server;
    struct cache *cache;
    uint8_t *certificates[NUM_LEAVES]; /* of the limit */
};

static struct leaf *make_leaf(const struct filler *filler, const struct leaf_names *names, unsigned number)
{
    static uint8_t storage[LEAF_TBS_MAX_LEN];
    uint8_t signature[256];
    struct leaf *leaf;
    struct leaf_tbs tbs;
    struct mg_error error;
    struct leaf_key *key = leaf_keys_pick(leaf_keys, kinds[filler->kind].leaf, number);
    struct leaf_params params = {.issuer = filler->issuer,
                                 .names = names,
                                 .key = key,
                                 .now = mg_clock_wall_seconds(),
                                 .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS};
    RAND_bytes(params.random_serial, sizeof(params.random_serial));
    RAND_bytes(signature, sizeof(signature));
    if (leaf_tbs_build(&tbs, storage, sizeof(storage), &params, &error) != MG_OK) {
        die(error.text);
    }
    if (leaf_new_from_signature(&leaf, &tbs, filler->issuer, key,
                                mg_slice_of(signature, kinds[filler->kind].signature_len)) != MG_OK) {
        die("no memory");
    }
    return leaf;
}

static void decide_names(struct leaf_names *out, struct mimic *mimic)
{
    leaf_names_decide(out, mimic, MIMIC_NAME_DNS, mg_slice_of("", 0), NULL, NULL);
}

static void publish(struct filler *filler, const struct leaf_names *names, struct leaf *leaf)
{
    struct mint_key key;
    struct cache_value *found;
    struct cache_pending *pending;
    mint_key_build(&key, filler->issuer, kinds[filler->kind].leaf, names);
    if (cache_claim(filler->cache, mint_key_slice(&key), leaf->not_before, NULL, &found, &pending) !=
        CACHE_CLAIM_ELECTED) {
        die("no place in the cache");
    }
    cache_publish(pending, &leaf->value, leaf_memory(leaf), leaf->not_after);
}

/* begin_filling tells whether there is anything to do: a step fills, and whatever time is left then is slept away. */
static bool begin_filling(struct filler *filler)
{
    if (filler->is_filled) {
        usleep(IDLE_US);
        return false;
    }
    filler->is_filled = true;
    return true;
}

static size_t leaves_step(void *state)
{
    struct filler *filler = state;
    struct leaf_names names;
    if (!begin_filling(filler)) {
        return 0;
    }
    for (unsigned i = 0; i < NUM_LEAVES; i++) {
        struct mimic *mimic = server_mimic(&filler->server, i);
        decide_names(&names, mimic);
        publish(filler, &names, make_leaf(filler, &names, i));
        mimic_unref(mimic);
        if (i % LEAVES_PER_QUIESCENT == 0) {
            mg_rcu_quiescent();
        }
    }
    return NUM_LEAVES;
}

/* certificates_step keeps of each leaf what goes to clients, and nothing else. */
static size_t certificates_step(void *state)
{
    struct filler *filler = state;
    struct leaf_names names;
    if (!begin_filling(filler)) {
        return 0;
    }
    struct mimic *mimic = server_mimic(&filler->server, 0);
    decide_names(&names, mimic);
    struct leaf *leaf = make_leaf(filler, &names, 0);
    size_t len = CRYPTO_BUFFER_len(leaf->certificate);
    for (size_t i = 0; i < NUM_LEAVES; i++) {
        filler->certificates[i] = malloc(len);
        if (filler->certificates[i] == NULL) {
            die("no memory");
        }
        memcpy(filler->certificates[i], CRYPTO_BUFFER_data(leaf->certificate), len);
    }
    cache_value_unref(&leaf->value);
    mimic_unref(mimic);
    return NUM_LEAVES;
}

static void *filler_setup(unsigned thread, unsigned num_threads, unsigned long kind)
{
    struct filler *filler = calloc(1, sizeof(*filler));
    (void)thread;
    if (filler == NULL || num_threads != 1 || kind >= MG_ARRAY_LEN(kinds) || mg_rcu_thread_start() != MG_OK) {
        die("cannot begin");
    }
    memset(filler->certificates, 1, sizeof(filler->certificates)); /* its pages are there */
    filler->kind = kind;
    certs_pki_init_at(&filler->pki, kinds[kind].issuer, WIRE_ISSUER_DEFAULT, mg_clock_wall_seconds());
    filler->issuer = certs_issuer(&filler->pki, 1);
    server_init(&filler->server);
    malloc_trim(0);
    filler->bytes_before = resident_bytes();
    const struct cache_config config = {.max_entries = NUM_LEAVES,
                                        .max_bytes = (size_t)NUM_LEAVES * 4096,
                                        .max_pending = 16,
                                        .max_waiters = 16,
                                        .free_value = leaf_free_value};
    if (cache_new(&filler->cache, &config) != MG_OK) {
        die("no memory");
    }
    return filler;
}

static size_t filler_weigh(void *state)
{
    const struct filler *filler = state;
    return resident_bytes() - filler->bytes_before;
}

static void filler_end(struct filler *filler)
{
    cache_free(filler->cache);
    issuer_unref(filler->issuer);
    certs_pki_free(&filler->pki);
    mg_buffer_free(&filler->server.der);
    free(filler);
    mg_rcu_thread_stop();
}

static void leaves_teardown(void *state)
{
    filler_end(state);
}

static void certificates_teardown(void *state)
{
    struct filler *filler = state;
    for (size_t i = 0; i < NUM_LEAVES; i++) {
        free(filler->certificates[i]);
    }
    filler_end(filler);
}

static const struct probe probes[] = {
    {.name = "leaves", .setup = filler_setup, .step = leaves_step, .weigh = filler_weigh, .teardown = leaves_teardown},
    {.name = "certificates",
     .setup = filler_setup,
     .step = certificates_step,
     .weigh = filler_weigh,
     .teardown = certificates_teardown},
};

int main(void)
{
    const struct leaf_keys_config config = {.num_keys = {4, 1}, .lifetime_seconds = 86400};
    if (mg_rcu_thread_start() != MG_OK || leaf_keys_new(&leaf_keys, &config, 0, NULL) != MG_OK) {
        die("cannot make keys");
    }
    mg_rcu_offline();
    int status = probe_serve(&(struct probe_helper){.probes = probes, .num_probes = MG_ARRAY_LEN(probes)});
    mg_rcu_online();
    leaf_keys_free(leaf_keys);
    mg_rcu_thread_stop();
    return status;
}
