/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a store's certificates and deleting them, as aliases and by their own names. */
#include <string.h>

#include "control/sap/certificate_json.h"
#include "control/sap/edge_internal.h"
#include "control/sap/entry_material.h"

/* ---- finding entries ---- */

static enum mg_status load_entry(struct store_tx *tx, const struct edge_exchange *exchange, struct sap_entry *out,
                                 struct mg_error *error)
{
    struct sap_store store;
    enum mg_status status = sap_store_load(tx, exchange->store, &store, error);
    return status == MG_OK ? sap_entry_load(tx, store.id, exchange->alias, out, error) : status;
}

static enum mg_status find_entry(struct edge_exchange *exchange, struct sap_entry *out)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(exchange->call.sap->store, STORE_READ, &tx, &exchange->error);
    return status == MG_OK ? store_end(tx, load_entry(tx, exchange, out, &exchange->error), &exchange->error) : status;
}

/* ---- what is answered ---- */

static json_t *infos_json(const struct material *material, int64_t now_ms)
{
    json_t *list = json_array();
    for (size_t i = 0; i < material->num_certificates; i++) {
        (void)json_array_append_new(list, certificate_json_info(material->certificates[i], now_ms));
    }
    return list;
}

/* certs_json gives what Apigee calls a Certificate, or the certsInfo of an Alias. NULL: no memory. */
static json_t *certs_json(const struct edge_exchange *exchange, const struct sap_entry *entry)
{
    struct material material;
    if (entry_material_parse(entry, &material, NULL) != MG_OK) {
        return NULL;
    }
    json_t *json = json_pack("{s:o, s:o}", "certInfo", infos_json(&material, exchange->call.now_us / 1000), "certName",
                             edge_cert_name(entry));
    material_free(&material);
    return json;
}

json_t *edge_alias_json(const struct edge_exchange *exchange, const struct sap_entry *entry)
{
    json_t *json = json_pack("{s:s, s:o}", "alias", entry->name, "certsInfo", certs_json(exchange, entry));
    if (json != NULL && entry->has_key) {
        json_object_set_new(json, "keyName", json_string(entry->name));
    }
    return json;
}

static void show_alias(struct edge_exchange *exchange, const struct sap_entry *entry)
{
    http_response_json(exchange->response, 200, edge_alias_json(exchange, entry));
}

static void show_certificate(struct edge_exchange *exchange, const struct sap_entry *entry)
{
    http_response_bytes(exchange->response, 200, "application/x-pem-file", mg_slice_of_text(entry->certificates));
}

static void show_csr(struct edge_exchange *exchange, const struct sap_entry *entry)
{
    if (entry->csr == NULL) {
        http_fail(exchange->request, exchange->response, HTTP_PROBLEM_INVALID, NULL,
                  "the alias has no private key, and so no certificate signing request");
        return;
    }
    http_response_bytes(exchange->response, 200, "application/x-pem-file", mg_slice_of_text(entry->csr));
}

static void show_cert(struct edge_exchange *exchange, const struct sap_entry *entry)
{
    http_response_json(exchange->response, 200, certs_json(exchange, entry));
}

/* ---- handlers of one entry ---- */

/* What a handler does with the entry of the path. */
struct task {
    void (*show)(struct edge_exchange *exchange, const struct sap_entry *entry); /* answers */
    bool by_cert_name; /* the path has the certificate's own name, not the alias */
    bool deletes;      /* before it answers */
};

/* to_alias makes the alias of a certificate's own name. */
static void to_alias(char *name)
{
    size_t len = strlen(name), suffix = strlen(EDGE_CERT_SUFFIX);
    if (len > suffix && strcmp(name + len - suffix, EDGE_CERT_SUFFIX) == 0) {
        name[len - suffix] = '\0';
    }
}

static void answer(void *arg, struct http_request *request, struct http_response *response, const struct task *task)
{
    struct edge_exchange exchange;
    struct sap_entry entry = {.id = 0};
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (task->by_cert_name) {
        to_alias(exchange.alias);
    }
    if (status == MG_OK) {
        status = find_entry(&exchange, &entry);
    }
    if (status == MG_OK && task->deletes) {
        status = sap_entry_delete(&exchange.call, exchange.store, exchange.alias, &exchange.error);
    }
    if (status == MG_OK) {
        task->show(&exchange, &entry);
    }
    sap_entry_free(&entry);
    edge_finish(&exchange, status);
}

void edge_get_alias(void *arg, struct http_request *request, struct http_response *response)
{
    answer(arg, request, response, &(struct task){.show = show_alias});
}

void edge_get_alias_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    answer(arg, request, response, &(struct task){.show = show_certificate});
}

void edge_get_alias_csr(void *arg, struct http_request *request, struct http_response *response)
{
    answer(arg, request, response, &(struct task){.show = show_csr});
}

void edge_delete_alias(void *arg, struct http_request *request, struct http_response *response)
{
    answer(arg, request, response, &(struct task){.show = show_alias, .deletes = true});
}

void edge_get_cert(void *arg, struct http_request *request, struct http_response *response)
{
    answer(arg, request, response, &(struct task){.show = show_cert, .by_cert_name = true});
}

void edge_export_cert(void *arg, struct http_request *request, struct http_response *response)
{
    answer(arg, request, response, &(struct task){.show = show_certificate, .by_cert_name = true});
}

void edge_delete_cert(void *arg, struct http_request *request, struct http_response *response)
{
    answer(arg, request, response, &(struct task){.show = show_cert, .by_cert_name = true, .deletes = true});
}

/* ---- lists ---- */

/* Lists of names: of aliases, or of certificates. */
struct names {
    json_t *json;
    bool of_certs;
};

static enum mg_status add_name(void *arg, const struct sap_entry *entry, struct mg_error *error)
{
    struct names *names = arg;
    json_t *name = names->of_certs ? edge_cert_name(entry) : json_string(entry->name);
    return json_array_append_new(names->json, name) == 0 ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

static enum mg_status load_names(struct store_tx *tx, const struct edge_exchange *exchange, struct names *names,
                                 struct mg_error *error)
{
    struct sap_store store;
    enum mg_status status = sap_store_load(tx, exchange->store, &store, error);
    return status == MG_OK ? sap_entry_each(tx, store.id, add_name, names, error) : status;
}

static void reply_names(void *arg, struct http_request *request, struct http_response *response, bool of_certs)
{
    struct edge_exchange exchange;
    struct names names = {.json = json_array(), .of_certs = of_certs};
    struct store_tx *tx;
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = store_begin(exchange.call.sap->store, STORE_READ, &tx, &exchange.error);
    }
    if (status == MG_OK) {
        status = store_end(tx, load_names(tx, &exchange, &names, &exchange.error), &exchange.error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, names.json);
    } else {
        json_decref(names.json);
    }
    edge_finish(&exchange, status);
}

void edge_list_aliases(void *arg, struct http_request *request, struct http_response *response)
{
    reply_names(arg, request, response, false);
}

void edge_list_certs(void *arg, struct http_request *request, struct http_response *response)
{
    reply_names(arg, request, response, true);
}
