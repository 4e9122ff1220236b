/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/appliance.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/json.h"
#include "control/audit.h"
#include "control/ccadb/fields.h"
#include "control/ccadb/values.h"
#include "control/issuer_use.h"
#include "control/service/pem.h"

#define MAX_DETAIL 4096

static enum mg_status audit(const struct appliance_call *call, const char *operation, const char *object,
                            struct mg_buffer *detail, struct mg_error *error)
{
    mg_json_end_object(detail);
    mg_buffer_append_u8(detail, 0);
    if (!mg_buffer_ok(detail)) {
        return mg_error_set(error, MG_MEMORY, "no memory for an audit record");
    }
    const struct audit_entry entry = {
        .time_us = call->now_us,
        .actor = call->actor,
        .operation = operation,
        .object = object,
        .outcome = AUDIT_DONE,
        .detail = (const char *)detail->data,
    };
    return audit_append(call->tx, &entry, error);
}

/* chain_of reads the certificates of |intermediate|, its own first. The caller frees |out| in any case. */
static enum mg_status chain_of(const struct intermediate *intermediate, struct der_chain *out, struct mg_error *error)
{
    *out = (struct der_chain){.num_certificates = 0};
    enum mg_status status = der_chain_add(out, intermediate->certificate, error);
    return status == MG_OK ? der_chain_add(out, intermediate->chain, error) : status;
}

static void hash_of(struct mg_slice der, uint8_t out[RECORDS_SHA256_LEN])
{
    (void)SHA256(der.data, der.len, out);
}

/* ---- what records say ---- */

struct verdict {
    bool is_revoked;
    bool is_own; /* the records are of the intermediate's own certificate */
    char crl_url[VALUES_MAX_URL + 1];
};

static enum mg_status hear(void *arg, const struct record *record, struct mg_error *error)
{
    struct verdict *verdict = arg;
    const char *url = fields_crl_url(record->attributes);
    (void)error;
    verdict->is_revoked = verdict->is_revoked || fields_is_revoked(record->attributes);
    if (verdict->is_own && verdict->crl_url[0] == '\0' && url != NULL) {
        snprintf(verdict->crl_url, sizeof(verdict->crl_url), "%s", url);
    }
    return MG_OK;
}

static enum mg_status judge(struct store_tx *tx, const struct der_chain *chain, struct verdict *out,
                            struct mg_error *error)
{
    enum mg_status status = MG_OK;
    *out = (struct verdict){.is_revoked = false};
    for (size_t i = 0; status == MG_OK && i < chain->num_certificates; i++) {
        uint8_t sha256[RECORDS_SHA256_LEN];
        hash_of(chain->certificates[i], sha256);
        out->is_own = i == 0;
        status = records_each(tx, 0, sha256, hear, out, error);
    }
    return status;
}

static enum mg_status audit_use(const struct appliance_call *call, const struct intermediate *intermediate,
                                const struct verdict *verdict, struct mg_error *error)
{
    char object[40];
    struct mg_buffer detail;
    mg_buffer_init(&detail, MAX_DETAIL);
    snprintf(object, sizeof(object), "intermediate/%lld", (long long)intermediate->id);
    mg_json_begin_object(&detail, NULL);
    mg_json_string(&detail, "name", intermediate->name);
    mg_json_bool(&detail, "revoked", verdict->is_revoked);
    mg_json_string(&detail, "crlUrl", verdict->crl_url);
    enum mg_status status = audit(call, "ccadbUse", object, &detail, error);
    mg_buffer_free(&detail);
    return status;
}

static enum mg_status note_use(struct appliance_call *call, const struct intermediate *intermediate,
                               const struct der_chain *chain, struct mg_error *error)
{
    struct verdict verdict;
    bool changed = false;
    enum mg_status status = judge(call->tx, chain, &verdict, error);
    if (status == MG_OK) {
        status = issuer_use_set(call->tx, intermediate->id, verdict.is_revoked, verdict.crl_url, &changed, error);
    }
    call->changed = call->changed || changed;
    return status == MG_OK && changed ? audit_use(call, intermediate, &verdict, error) : status;
}

/* ---- a record of its own ---- */

static enum mg_status audit_record(const struct appliance_call *call, const struct record *record, int64_t id,
                                   struct mg_error *error)
{
    char object[8 + RECORD_ID_SIZE] = "ccadb/";
    struct mg_buffer detail;
    mg_buffer_init(&detail, MAX_DETAIL);
    record_id_of(record, object + strlen(object));
    mg_json_begin_object(&detail, NULL);
    mg_json_string(&detail, "name", record->name);
    mg_json_string(&detail, "owner", record->owner);
    mg_json_uint(&detail, "intermediate", (uint64_t)id);
    enum mg_status status = audit(call, "ccadbAdopt", object, &detail, error);
    mg_buffer_free(&detail);
    return status;
}

static enum mg_status make_record(struct appliance_call *call, const struct intermediate *intermediate,
                                  const struct record *parent, const struct records_certificate *certificate,
                                  struct mg_error *error)
{
    struct record record = {
        .kind = RECORD_INTERMEDIATE,
        .owner_id = parent->owner_id,
        .parent_id = parent->id,
        .attributes = json_object(),
        .created_us = call->now_us,
        .updated_us = call->now_us,
    };
    memcpy(record.owner, parent->owner, sizeof(record.owner));
    const char *name = certificate->common_name[0] != '\0' ? certificate->common_name : intermediate->name;
    enum mg_status status = records_set_name(&record, name, error);
    if (status == MG_OK) {
        status = records_insert(call->tx, &record, certificate, error);
    }
    if (status == MG_OK) {
        status = audit_record(call, &record, intermediate->id, error);
    }
    record_free(&record);
    return status;
}

/* adopt makes the record of |x509|, unless its issuer has none, or it has one of the same owner. */
static enum mg_status adopt(struct appliance_call *call, const struct intermediate *intermediate, X509 *x509,
                            struct mg_error *error)
{
    struct record parent, known;
    struct records_certificate certificate;
    enum mg_status status = records_find_issuer(call->tx, x509, &parent, error);
    if (status != MG_OK) {
        return status == MG_NOT_FOUND ? MG_OK : status;
    }
    status = records_describe(x509, &certificate, error);
    if (status == MG_OK) {
        status = records_find(call->tx, certificate.sha256, parent.owner_id, 0, &known, error);
        record_free(&known);
        if (status == MG_NOT_FOUND) {
            status = make_record(call, intermediate, &parent, &certificate, error);
        }
        records_describe_free(&certificate);
    }
    record_free(&parent);
    return status;
}

static enum mg_status take(struct appliance_call *call, const struct intermediate *intermediate,
                           const struct der_chain *chain, struct mg_error *error)
{
    const uint8_t *at = chain->certificates[0].data;
    X509 *x509 = d2i_X509(NULL, &at, (long)chain->certificates[0].len);
    ERR_clear_error();
    if (x509 == NULL) {
        return mg_error_set(error, MG_INTERNAL, "the certificate of intermediate %lld cannot be read",
                            (long long)intermediate->id);
    }
    enum mg_status status = adopt(call, intermediate, x509, error);
    X509_free(x509);
    return status == MG_OK ? note_use(call, intermediate, chain, error) : status;
}

enum mg_status appliance_take(struct appliance_call *call, const struct intermediate *intermediate,
                              struct mg_error *error)
{
    struct der_chain chain;
    enum mg_status status = chain_of(intermediate, &chain, error);
    if (status == MG_OK) {
        status = take(call, intermediate, &chain, error);
    }
    der_chain_free(&chain);
    return status;
}

enum mg_status appliance_take_all(struct appliance_call *call, struct mg_error *error)
{
    struct intermediate_list list;
    enum mg_status status = intermediate_list_load(call->tx, INTERMEDIATE_ALL, &list, error);
    for (size_t i = 0; status == MG_OK && i < list.num_items; i++) {
        if (list.items[i].state == INTERMEDIATE_CERT_READY) {
            status = appliance_take(call, &list.items[i], error);
        }
    }
    intermediate_list_free(&list);
    return status;
}

/* ---- before anything is done ---- */

static enum mg_status has_certificate(const struct intermediate *intermediate, const uint8_t *sha256, bool *out,
                                      struct mg_error *error)
{
    struct der_chain chain;
    enum mg_status status = chain_of(intermediate, &chain, error);
    *out = false;
    for (size_t i = 0; status == MG_OK && i < chain.num_certificates; i++) {
        uint8_t own[RECORDS_SHA256_LEN];
        hash_of(chain.certificates[i], own);
        *out = *out || memcmp(own, sha256, sizeof(own)) == 0;
    }
    der_chain_free(&chain);
    return status;
}

enum mg_status appliance_concern(struct store_tx *tx, const uint8_t sha256[RECORDS_SHA256_LEN],
                                 struct appliance_concern *out, struct mg_error *error)
{
    struct intermediate_list list;
    enum mg_status status = intermediate_list_load(tx, INTERMEDIATE_ALL, &list, error);
    *out = (struct appliance_concern){.is_ours = false};
    for (size_t i = 0; status == MG_OK && i < list.num_items; i++) {
        const struct intermediate *one = &list.items[i];
        bool has = false;
        if (one->state == INTERMEDIATE_CERT_READY) {
            status = has_certificate(one, sha256, &has, error);
        }
        out->is_ours = out->is_ours || has;
        if (has && one->is_default && !one->is_revoked) {
            out->default_id = one->id;
        }
    }
    intermediate_list_free(&list);
    return status;
}
