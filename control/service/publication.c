/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/publication.h"

#include <string.h>

#include "control/succession.h"

static enum mg_status add(struct publication *out, const struct lifecycle *lifecycle, const struct intermediate *record,
                          struct mg_error *error)
{
    struct wire_publish *message = &out->message;
    if (message->num_issuers == WIRE_PUBLISH_MAX_ISSUERS) {
        return mg_error_set(error, MG_LIMIT, "more than %d intermediates are enabled", WIRE_PUBLISH_MAX_ISSUERS);
    }
    struct der_chain *chain = &out->chains[message->num_issuers];
    enum mg_status status = der_chain_add(chain, record->certificate, error);
    if (status == MG_OK) {
        status = der_chain_add(chain, record->chain, error);
    }
    if (status != MG_OK) {
        return status;
    }
    out->records[message->num_issuers] = record;
    struct wire_published_issuer *issuer = &message->issuers[message->num_issuers++];
    issuer->name = mg_slice_of_text(record->name);
    issuer->name.len = issuer->name.len > WIRE_PUBLISH_MAX_TEXT ? WIRE_PUBLISH_MAX_TEXT : issuer->name.len;
    issuer->is_revoked = record->is_revoked;
    if (lifecycle->publishes_crl_urls && record->crl_url != NULL) {
        issuer->crl_url = mg_slice_of_text(record->crl_url);
    }
    issuer->issuer = (struct wire_issuer){
        .key_id = record->key_id,
        .role = WIRE_ISSUER_DEFAULT,
        .key_type = record->key_type,
        .num_chain = chain->num_certificates,
    };
    memcpy(issuer->issuer.chain, chain->certificates, sizeof(chain->certificates));
    return MG_OK;
}

static bool is_served(const struct intermediate *record, const struct lifecycle *lifecycle, int64_t default_id)
{
    bool usable =
        record->state == INTERMEDIATE_CERT_READY && record->status == INTERMEDIATE_ENABLED && !record->is_revoked;
    bool alone = lifecycle->subscription == CONFIG_SUBSCRIPTION_SOFTWARE && default_id != INTERMEDIATE_BUILTIN_ID &&
                 record->type != INTERMEDIATE_BUILTIN;
    return record->id != default_id && usable && !alone;
}

/* place_of returns the place of |record| in the message, from 1; 0: it is not there. */
static uint8_t place_of(const struct publication *publication, const struct intermediate *record)
{
    for (size_t i = 0; i < publication->message.num_issuers; i++) {
        if (publication->records[i] == record) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

/* add_successors says who succeeds whom, and adds those who are not there yet as reserves, with their own successors.
 */
static enum mg_status add_successors(struct publication *out, const struct lifecycle *lifecycle, struct mg_error *error)
{
    struct wire_publish *message = &out->message;
    for (size_t i = 0; i < message->num_issuers; i++) {
        const struct intermediate *successor = succession_next(&out->list, out->records[i]);
        if (successor != NULL && place_of(out, successor) == 0) {
            enum mg_status status = add(out, lifecycle, successor, error);
            if (status != MG_OK) {
                return status;
            }
            message->issuers[message->num_issuers - 1].is_reserve = true;
        }
        message->issuers[i].successor = successor == NULL ? 0 : place_of(out, successor);
    }
    return MG_OK;
}

enum mg_status publication_load_all(struct store *store, struct intermediate_list *out, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, intermediate_list_load(tx, INTERMEDIATE_ALL, out, error), error) : status;
}

enum mg_status publication_load(struct publication *out, const struct lifecycle *lifecycle, int64_t default_id,
                                uint64_t epoch, uint32_t premint_ms, struct mg_error *error)
{
    memset(out, 0, sizeof(*out));
    out->message.type = WIRE_PUBLISH_PREPARE;
    out->message.epoch = epoch;
    out->message.premint_ms = premint_ms;
    enum mg_status status = publication_load_all(lifecycle->store, &out->list, error);
    for (size_t i = 0; i < out->list.num_items && status == MG_OK; i++) {
        if (out->list.items[i].id == default_id) {
            status = add(out, lifecycle, &out->list.items[i], error);
        }
    }
    if (status == MG_OK && out->message.num_issuers == 0) {
        status = mg_error_set(error, MG_NOT_FOUND, "there is no intermediate %lld", (long long)default_id);
    }
    for (size_t i = 0; i < out->list.num_items && status == MG_OK; i++) {
        if (is_served(&out->list.items[i], lifecycle, default_id)) {
            status = add(out, lifecycle, &out->list.items[i], error);
        }
    }
    return status == MG_OK ? add_successors(out, lifecycle, error) : status;
}

void publication_free(struct publication *publication)
{
    for (size_t i = 0; i < WIRE_PUBLISH_MAX_ISSUERS; i++) {
        der_chain_free(&publication->chains[i]);
    }
    intermediate_list_free(&publication->list);
}
