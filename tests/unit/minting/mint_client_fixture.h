/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the signer, and a signer that the test plays, at a time of their own. */
#ifndef MINTGATE_TESTS_MINT_CLIENT_FIXTURE_H
#define MINTGATE_TESTS_MINT_CLIENT_FIXTURE_H

#include "certs.h"
#include "minting/mint_client.h"
#include "played_signer.h"

#define TIMEOUT_NS (10 * MG_NS_PER_SECOND)
#define MAX_JOBS 100

/* What all tests share: issuer, leaf keys, and names to mint for. */
extern struct certs_pki pki;
extern struct issuer *issuer;
extern struct leaf_keys *leaf_keys;
extern struct mimic *mimic, *large_mimic, *expired_mimic;
extern struct leaf_names names, large_names, expired_names;

/* They are made and freed by these, a group's setup and teardown. */
int setup_group(void **state);
int teardown_group(void **state);

struct fixture {
    struct signer signer;
    struct mint_client *client;
    uint64_t now_ns;
    size_t num_issuers_calls;
    struct wire_key_id last_key_id;
    struct mint_outcome outcomes[128]; /* in the order in which jobs ended; |leaf| owned */
    size_t num_outcomes;
    bool submits_again;    /* when a job ends */
    bool is_unwanted;      /* what was submitted by submit_cancellable */
    bool verify;           /* of each job */
    struct issuer *issuer; /* likewise */
};

/* fixture_init makes a client that is connected, fixture_init_with one whose signer has not been started. */
void fixture_init(struct fixture *fixture);
void fixture_init_with(struct fixture *fixture, bool verify);
void fixture_free(struct fixture *fixture);

/* The options and the callback that the client is made with. */
struct mint_client_options options_for(const struct signer *signer);
void on_issuers(void *arg, const struct wire_issuers *issuers);

/* greet has the signer say its issuers to a client that has connected. */
void greet(struct fixture *fixture);
void process(struct fixture *fixture);

/* is_readable tells whether the descriptor of the client says that there is something to process. */
bool is_readable(const struct fixture *fixture);

enum mg_status submit(struct fixture *fixture, const struct leaf_names *what);
enum mg_status submit_cancellable(struct fixture *fixture);
void submit_and_flush(struct fixture *fixture, size_t num_jobs);

/* take_outcome ends outcome |i|, which must be |result|; a leaf is given back. */
void take_outcome(struct fixture *fixture, size_t i, enum mint_result result);

#define COUNT(fixture, counter) mg_counter_get(&mint_client_counters((fixture)->client)->counter)

/* assert_mints makes one good round trip, to see that a client is sound. */
void assert_mints(struct fixture *fixture);

#endif
