/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>

#include "cache/rcu.h"
#include "mint_client_fixture.h"
#include "minting/validity.h"

struct certs_pki pki;
struct issuer *issuer;
struct leaf_keys *leaf_keys;
struct mimic *mimic, *large_mimic, *expired_mimic;
struct leaf_names names, large_names, expired_names;

static const struct certs_name www[] = {CERTS_DNS("www.example.com")};

/* A certificate with |num_names| names: some 30 bytes of TBSCertificate each. */
static struct mimic *mimic_of_many(size_t num_names)
{
    static char texts[MIMIC_MAX_NAMES][32];
    static struct certs_name many[MIMIC_MAX_NAMES];
    for (size_t i = 0; i < num_names; i++) {
        int len = snprintf(texts[i], sizeof(texts[i]), "name-%zu.with.padding.example", i);
        many[i] = (struct certs_name){2, mg_slice_of(texts[i], (size_t)len)};
    }
    return certs_mimic(&(struct certs_spec){.names = many, .num_names = num_names});
}

int setup_group(void **state)
{
    (void)state;
    if (mg_rcu_thread_start() != MG_OK) {
        return -1;
    }
    certs_pki_init(&pki, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    issuer = certs_issuer(&pki, 1);
    mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    large_mimic = mimic_of_many(500);
    expired_mimic = certs_mimic(
        &(struct certs_spec){.names = www, .num_names = 1, .not_before = CERTS_NOW - 10, .not_after = CERTS_NOW - 5});
    const struct mg_slice none = {NULL, 0};
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, none, NULL, NULL);
    leaf_names_decide(&large_names, large_mimic, MIMIC_NAME_DNS, none, NULL, NULL);
    leaf_names_decide(&expired_names, expired_mimic, MIMIC_NAME_DNS, none, NULL, NULL);
    const struct leaf_keys_config config = {.num_keys = {2, 1}, .lifetime_seconds = 1000};
    return leaf_keys_new(&leaf_keys, &config, 0, NULL) == MG_OK ? 0 : -1;
}

int teardown_group(void **state)
{
    (void)state;
    leaf_keys_free(leaf_keys);
    mimic_unref(mimic);
    mimic_unref(large_mimic);
    mimic_unref(expired_mimic);
    issuer_unref(issuer);
    certs_pki_free(&pki);
    mg_rcu_thread_stop();
    return 0;
}

void on_issuers(void *arg, const struct wire_issuers *issuers)
{
    struct fixture *fixture = arg;
    fixture->num_issuers_calls++;
    assert_int_equal(issuers->num_issuers, 1);
    fixture->last_key_id = issuers->issuers[0].key_id;
}

static void on_done(void *arg, const struct mint_outcome *outcome)
{
    struct fixture *fixture = arg;
    assert_true((outcome->result == MINT_OK) == (outcome->leaf != NULL));
    fixture->outcomes[fixture->num_outcomes++] = *outcome;
    if (fixture->submits_again) {
        fixture->submits_again = false;
        assert_int_equal(submit(fixture, &names), MG_OK);
    }
}

static enum mg_status submit_with(struct fixture *fixture, const struct leaf_names *what, mint_wanted *is_wanted)
{
    const struct mint_job job = {
        .issuer = fixture->issuer,
        .names = what,
        .key_type = LEAF_KEY_EC_P256,
        .now = CERTS_NOW,
        .done = on_done,
        .is_wanted = is_wanted,
        .arg = fixture,
        .verify = fixture->verify,
    };
    return mint_client_submit(fixture->client, &job, fixture->now_ns, NULL);
}

enum mg_status submit(struct fixture *fixture, const struct leaf_names *what)
{
    return submit_with(fixture, what, NULL);
}

static bool is_wanted(void *arg)
{
    const struct fixture *fixture = arg;
    return !fixture->is_unwanted;
}

enum mg_status submit_cancellable(struct fixture *fixture)
{
    return submit_with(fixture, &names, is_wanted);
}

void submit_and_flush(struct fixture *fixture, size_t num_jobs)
{
    for (size_t i = 0; i < num_jobs; i++) {
        assert_int_equal(submit(fixture, &names), MG_OK);
    }
    mint_client_flush(fixture->client, fixture->now_ns);
}

void process(struct fixture *fixture)
{
    mint_client_process(fixture->client, fixture->now_ns);
}

struct mint_client_options options_for(const struct signer *signer)
{
    return (struct mint_client_options){
        .socket_path = signer->path,
        .leaf_keys = leaf_keys,
        .max_jobs = MAX_JOBS,
        .timeout_ns = TIMEOUT_NS,
        .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS,
    };
}

void fixture_init_with(struct fixture *fixture, bool verify)
{
    *fixture = (struct fixture){.now_ns = 1000 * MG_NS_PER_SECOND, .verify = verify, .issuer = issuer};
    signer_init(&fixture->signer);
    const struct mint_client_options options = options_for(&fixture->signer);
    const struct mint_client_callbacks callbacks = {.issuers = on_issuers, .arg = fixture};
    assert_int_equal(mint_client_new(&fixture->client, &options, &callbacks, NULL), MG_OK);
}

void greet(struct fixture *fixture)
{
    signer_accept(&fixture->signer);
    signer_send_issuers(&fixture->signer, &pki.wire);
    process(fixture);
    assert_true(mint_client_is_ready(fixture->client));
}

void fixture_init(struct fixture *fixture)
{
    fixture_init_with(fixture, false);
    signer_start(&fixture->signer);
    process(fixture);
    greet(fixture);
}

void take_outcome(struct fixture *fixture, size_t i, enum mint_result result)
{
    assert_true(i < fixture->num_outcomes);
    assert_int_equal(fixture->outcomes[i].result, result);
    if (fixture->outcomes[i].leaf != NULL) {
        cache_value_unref(&fixture->outcomes[i].leaf->value);
    }
}

void fixture_free(struct fixture *fixture)
{
    mint_client_free(fixture->client);
    signer_stop(&fixture->signer);
}

void assert_mints(struct fixture *fixture)
{
    size_t before = fixture->num_outcomes;
    submit_and_flush(fixture, 1);
    assert_true(signer_receive(&fixture->signer));
    signer_sign(&fixture->signer, pki.key, 0);
    process(fixture);
    assert_int_equal(fixture->num_outcomes, before + 1);
    take_outcome(fixture, before, MINT_OK);
}

bool is_readable(const struct fixture *fixture)
{
    struct pollfd fd = {.fd = mint_client_fd(fixture->client), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}
