/* SPDX-License-Identifier: Apache-2.0 */
/* Key stores and trust stores themselves. */
#include <ctype.h>
#include <stdio.h>

#include "control/http/json_body.h"
#include "control/http/scan.h"
#include "control/sap/edge_internal.h"
#include "control/sap/edge_xml.h"

/* ---- what is answered ---- */

/* The members of a KeyStore, while its entries are walked. */
struct store_members {
    json_t *aliases, *certs, *keys;
};

static enum mg_status add_members(void *arg, const struct sap_entry *entry, struct mg_error *error)
{
    struct store_members *members = arg;
    json_t *alias = json_pack("{s:s, s:o}", "aliasName", entry->name, "cert", edge_cert_name(entry));
    int failed = json_array_append_new(members->certs, edge_cert_name(entry));
    if (entry->has_key) {
        failed |= json_object_set_new(alias, "key", json_string(entry->name));
        failed |= json_array_append_new(members->keys, json_string(entry->name));
    }
    failed |= json_array_append_new(members->aliases, alias);
    return failed == 0 ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

/* store_json gives a KeyStore; on failure *out is NULL. */
static enum mg_status store_json(struct store_tx *tx, const char *name, json_t **out, struct mg_error *error)
{
    struct sap_store store;
    *out = NULL;
    enum mg_status status = sap_store_load(tx, name, &store, error);
    if (status != MG_OK) {
        return status;
    }
    struct store_members members = {.aliases = json_array(), .certs = json_array(), .keys = json_array()};
    json_t *json = json_pack("{s:o, s:o, s:o, s:s}", "aliases", members.aliases, "certs", members.certs, "keys",
                             members.keys, "name", store.name);
    status = sap_entry_each(tx, store.id, add_members, &members, error);
    if (status != MG_OK) {
        json_decref(json);
        return status;
    }
    *out = json;
    return MG_OK;
}

/* ---- handlers ---- */

static enum mg_status add_store_name(void *arg, const struct sap_store *store, struct mg_error *error)
{
    return json_array_append_new(arg, json_string(store->name)) == 0 ? MG_OK
                                                                     : mg_error_set(error, MG_MEMORY, "out of memory");
}

void edge_list_stores(void *arg, struct http_request *request, struct http_response *response)
{
    struct edge_exchange exchange;
    struct store_tx *tx;
    json_t *list = json_array();
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = store_begin(exchange.call.sap->store, STORE_READ, &tx, &exchange.error);
    }
    if (status == MG_OK) {
        status = store_end(tx, sap_store_each(tx, add_store_name, list, &exchange.error), &exchange.error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, list);
    } else {
        json_decref(list);
    }
    edge_finish(&exchange, status);
}

static enum mg_status load_store_json(struct edge_exchange *exchange, json_t **out)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(exchange->call.sap->store, STORE_READ, &tx, &exchange->error);
    return status == MG_OK ? store_end(tx, store_json(tx, exchange->store, out, &exchange->error), &exchange->error)
                           : status;
}

void edge_get_store(void *arg, struct http_request *request, struct http_response *response)
{
    struct edge_exchange exchange;
    json_t *json = NULL;
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = load_store_json(&exchange, &json);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, json);
    }
    edge_finish(&exchange, status);
}

static enum mg_status name_of_json(struct mg_slice text, char out[SAP_NAME_SIZE], struct mg_error *error)
{
    struct name_body {
        const char *name;
    } body = {.name = NULL};
    static const struct http_field fields[] = {
        {"name", HTTP_FIELD_TEXT, true, offsetof(struct name_body, name), 1, SAP_MAX_NAME}};
    json_t *json = NULL;
    if (http_json_parse(text, &json, error) != MG_OK) {
        return MG_INVALID;
    }
    enum mg_status status = json_is_object(json) ? http_json_fields(json, fields, MG_ARRAY_LEN(fields), &body, error)
                                                 : mg_error_set(error, MG_INVALID, "body: must be a JSON object");
    if (status == MG_OK) {
        snprintf(out, SAP_NAME_SIZE, "%s", body.name);
    }
    http_json_free(json);
    return status;
}

/* read_store_name reads the body, XML or JSON, whatever the client calls it. Apigee's names have letters and digits
 * alone. */
static enum mg_status read_store_name(const struct http_request *request, char out[SAP_NAME_SIZE],
                                      struct mg_error *error)
{
    struct mg_slice body = mg_buffer_slice(&request->body), text = scan_trim(body);
    enum mg_status status = text.len > 0 && text.data[0] == '<' ? edge_xml_name(text, out, SAP_NAME_SIZE, error)
                                                                : name_of_json(body, out, error);
    for (size_t i = 0; status == MG_OK && out[i] != '\0'; i++) {
        if (!isascii((unsigned char)out[i]) || !isalnum((unsigned char)out[i])) {
            status = mg_error_set(error, MG_INVALID, "name: must have letters and digits alone");
        }
    }
    return status;
}

void edge_create_store(void *arg, struct http_request *request, struct http_response *response)
{
    struct edge_exchange exchange;
    json_t *json = NULL;
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = read_store_name(request, exchange.store, &exchange.error);
    }
    if (status == MG_OK) {
        status = sap_store_create(&exchange.call, exchange.store, SAP_UNDECIDED, "", NULL, &exchange.error);
    }
    if (status == MG_OK) {
        status = load_store_json(&exchange, &json);
    }
    if (status == MG_OK) {
        http_response_json(response, 201, json);
    }
    edge_finish(&exchange, status);
}

void edge_delete_store(void *arg, struct http_request *request, struct http_response *response)
{
    struct edge_exchange exchange;
    json_t *json = NULL;
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = load_store_json(&exchange, &json);
    }
    if (status == MG_OK) {
        status = sap_store_delete(&exchange.call, exchange.store, &exchange.error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, json);
    } else {
        json_decref(json);
    }
    edge_finish(&exchange, status);
}
