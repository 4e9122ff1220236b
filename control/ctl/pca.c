/* SPDX-License-Identifier: Apache-2.0 */
/* Private CAs (docs/api/naver.md), under Mintgate's own path, and the access keys of that family's clients. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "control/ctl/commands.h"
#include "control/ctl/credential.h"
#include "control/ctl/table.h"

#define CAS API_MINTGATE "/pca/ca"
#define KEYS API_MINTGATE "/pca-keys"
#define MAX_CERTIFICATES ((size_t)256 << 10)
#define MAX_LIST ((size_t)16 << 20) /* 100000 serial numbers, a line each */
#define DAY_SECONDS 86400
#define DEFAULT_DAYS 365

static const char *const ca_members[] = {"caTag", "alias", "caType", "status", "memo"};
static const char *const ca_titles[] = {"TAG", "ALIAS", "TYPE", "STATUS", "MEMO"};
static const char *const key_members[] = {"accessKey", "role", "secretKey"};
static const char *const key_titles[] = {"ACCESS KEY", "ROLE", "SECRET KEY"};

/* The last column of a key is what is told once. */
static const struct credential_columns cas = {ca_members, ca_titles, MG_ARRAY_LEN(ca_members)};
static const struct credential_columns keys = {key_members, key_titles, MG_ARRAY_LEN(key_members) - 1};
static const struct credential_columns new_key = {key_members, key_titles, MG_ARRAY_LEN(key_members)};

/* ---- asking ---- */

/* ask asks for |path| and takes `data` out of the answer, for the caller to drop; |body|, NULL for none, is taken over.
 */
static enum mg_status ask(struct ctl *ctl, const char *method, const char *path, json_t *body, json_t **data,
                          struct mg_error *error)
{
    json_t *answer;
    enum mg_status status = api_ask(ctl, method, path, body, &answer, error);
    json_decref(body);
    if (status == MG_OK) {
        *data = json_incref(json_object_get(answer, "data"));
        json_decref(answer);
    }
    return status;
}

/* print_info prints caInfo, or a list of it, and drops |data|. */
static enum mg_status print_info(struct ctl *ctl, json_t *data, const char *member, struct mg_error *error)
{
    json_t *info = member == NULL ? data : json_object_get(data, member);
    enum mg_status status = ctl->json ? ctl_print_json(data, error) : credential_print(ctl, info, &cas, error);
    json_decref(data);
    return status;
}

/* deliver_text prints the text |data|, or its |member|, with a line's end, or writes it to --out; |data| is dropped. */
static enum mg_status deliver_text(struct ctl *ctl, json_t *data, const char *member, struct mg_error *error)
{
    struct mg_buffer text;
    const char *content = member == NULL ? json_string_value(data) : ctl_text(data, member);
    if (ctl->json) {
        enum mg_status status = ctl_print_json(data, error);
        json_decref(data);
        return status;
    }
    mg_buffer_init(&text, MAX_CERTIFICATES);
    mg_buffer_append_text(&text, content == NULL ? "" : content);
    mg_buffer_append_text(&text, "\n");
    json_decref(data);
    return ctl_deliver(ctl, &text, error);
}

/* path_of makes the path of the CA that the first argument names, with |rest| behind. */
static enum mg_status path_of(const struct ctl *ctl, const char *rest, char out[API_MAX_PATH], struct mg_error *error)
{
    return api_path(out, CAS, ctl->args[0], rest, error);
}

/* get_text prints what is read at |rest| of the CA. */
static enum mg_status get_text(struct ctl *ctl, const char *rest, const char *member, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *data;
    enum mg_status status = path_of(ctl, rest, path, error);
    if (status == MG_OK) {
        status = ask(ctl, "GET", path, NULL, &data, error);
    }
    return status == MG_OK ? deliver_text(ctl, data, member, error) : status;
}

/* ---- CAs ---- */

enum mg_status pca_ca_list(struct ctl *ctl, struct mg_error *error)
{
    json_t *all = json_array();
    enum mg_status status = MG_OK;
    int64_t num_pages = 1;
    for (int64_t page = 1; status == MG_OK && page <= num_pages; page++) {
        char path[API_MAX_PATH];
        json_t *data, *item;
        size_t i;
        snprintf(path, sizeof(path), CAS "?pageNo=%" PRId64, page);
        status = ask(ctl, "GET", path, NULL, &data, error);
        if (status == MG_OK) {
            num_pages = ctl_number(data, "totalPageNo");
            json_array_foreach(json_object_get(data, "caInfoList"), i, item)
            {
                (void)json_array_append(all, json_object_get(item, "caInfo"));
            }
            json_decref(data);
        }
    }
    if (status == MG_OK) {
        return print_info(ctl, all, NULL, error);
    }
    json_decref(all);
    return status;
}

enum mg_status pca_ca_show(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *data;
    enum mg_status status = path_of(ctl, "", path, error);
    if (status == MG_OK) {
        status = ask(ctl, "GET", path, NULL, &data, error);
    }
    return status == MG_OK ? print_info(ctl, data, "caInfo", error) : status;
}

/* days_of reads --for in days; |otherwise| where it is not given. */
static enum mg_status days_of(const struct ctl *ctl, int64_t otherwise, int64_t *out, struct mg_error *error)
{
    uint64_t seconds;
    *out = otherwise;
    if (ctl->options[CTL_FOR] == NULL) {
        return MG_OK;
    }
    enum mg_status status = ctl_seconds(ctl->options[CTL_FOR], &seconds, error);
    if (status == MG_OK && (seconds % DAY_SECONDS != 0 || seconds == 0)) {
        status = mg_error_set(error, MG_INVALID, "--for: must be whole days, such as 90d");
    }
    *out = (int64_t)(seconds / DAY_SECONDS);
    return status;
}

/* parameters_of makes x509Parameters of the options. NULL: one is no UTF-8. */
static json_t *parameters_of(const struct ctl *ctl)
{
    static const struct {
        enum ctl_option option;
        const char *member;
    } attributes[] = {{CTL_CN, "commonName"}, {CTL_O, "organization"},   {CTL_OU, "organizationUnit"},
                      {CTL_L, "locality"},    {CTL_ST, "stateProvince"}, {CTL_C, "country"}};
    json_t *out = json_pack("{s:s}", "commonName", ctl->args[0]);
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes); i++) {
        const char *value = ctl->options[attributes[i].option];
        if (value != NULL && json_object_set_new(out, attributes[i].member, json_string(value)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static enum mg_status create_body(const struct ctl *ctl, json_t **out, struct mg_error *error)
{
    const char *key_type = ctl->options[CTL_KEY_TYPE];
    int64_t days;
    enum mg_status status = days_of(ctl, 0, &days, error);
    if (status != MG_OK) {
        return status;
    }
    *out =
        json_pack("{s:s,s:s,s:o,s:o}", "alias", ctl->args[0], "keyType", key_type == NULL ? "EC256" : key_type,
                  "period", days == 0 ? json_string("MAX") : json_integer(days), "x509Parameters", parameters_of(ctl));
    if (*out != NULL && ctl->options[CTL_DESCRIPTION] != NULL) {
        (void)json_object_set_new(*out, "memo", json_string(ctl->options[CTL_DESCRIPTION]));
    }
    return *out != NULL ? MG_OK : mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
}

/* is_tag: what goes into a query is not escaped. */
static bool is_tag(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text) && *text != '-') {
            return false;
        }
    }
    return true;
}

enum mg_status pca_ca_create(struct ctl *ctl, struct mg_error *error)
{
    const char *type = ctl->options[CTL_TYPE], *parent = ctl->num_args > 1 ? ctl->args[1] : NULL;
    char path[API_MAX_PATH];
    json_t *body, *data;
    bool is_sub = type != NULL && strcmp(type, "sub") == 0;
    if (type == NULL || (!is_sub && strcmp(type, "root") != 0)) {
        return mg_error_set(error, MG_INVALID, "pca ca create: --type root or --type sub is needed");
    }
    if (parent != NULL && (!is_sub || !is_tag(parent) || strlen(parent) > 64)) {
        return mg_error_set(error, MG_INVALID, "pca ca create: the tag of a CA stands above one of --type sub alone");
    }
    snprintf(path, sizeof(path), CAS "?caType=PRIVATE_%s%s%s", is_sub ? "SUB" : "ROOT",
             parent == NULL ? "" : "&issuerTag=", parent == NULL ? "" : parent);
    enum mg_status status = create_body(ctl, &body, error);
    if (status == MG_OK) {
        status = ask(ctl, "POST", path, body, &data, error);
    }
    return status == MG_OK ? print_info(ctl, data, "caInfo", error) : status;
}

/* read_file reads |path| as a JSON text. */
static enum mg_status read_file(const char *path, json_t **out, struct mg_error *error)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_CERTIFICATES);
    enum mg_status status = mg_file_read(path, &text, error);
    if (status == MG_OK) {
        *out = json_stringn((const char *)text.data, text.len);
        status = *out != NULL ? MG_OK : mg_error_set(error, MG_DENIED, "%s: is no PEM", path);
    }
    mg_buffer_free(&text);
    return status;
}

enum mg_status pca_ca_activate(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *certificate = NULL, *chain = NULL, *data;
    enum mg_status status = path_of(ctl, "/activate", path, error);
    if (status == MG_OK) {
        status = read_file(ctl->args[1], &certificate, error);
    }
    if (status == MG_OK && ctl->num_args > 2) {
        status = read_file(ctl->args[2], &chain, error);
    }
    if (status != MG_OK) {
        json_decref(certificate);
        return status;
    }
    status = ask(ctl, "POST", path, json_pack("{s:o,s:o*}", "certPem", certificate, "caChainPem", chain), &data, error);
    return status == MG_OK ? print_info(ctl, data, "caInfo", error) : status;
}

enum mg_status pca_ca_set_status(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH], word[32];
    json_t *data;
    snprintf(word, sizeof(word), "%s", ctl->args[1]);
    for (char *at = word; *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    enum mg_status status = path_of(ctl, "", path, error);
    if (status == MG_OK) {
        status = ask(ctl, "PUT", path, json_pack("{s:s}", "status", word), &data, error);
    }
    return status == MG_OK ? print_info(ctl, data, NULL, error) : status;
}

enum mg_status pca_ca_delete(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *data;
    enum mg_status status = path_of(ctl, "", path, error);
    if (status == MG_OK) {
        status = ask(ctl, "DELETE", path, NULL, &data, error);
    }
    if (status == MG_OK) {
        json_decref(data);
    }
    return status;
}

enum mg_status pca_ca_csr(struct ctl *ctl, struct mg_error *error)
{
    return get_text(ctl, "/sub/csr", "csrPem", error);
}

enum mg_status pca_ca_chain(struct ctl *ctl, struct mg_error *error)
{
    return get_text(ctl, "/chain", NULL, error);
}

enum mg_status pca_ca_crl(struct ctl *ctl, struct mg_error *error)
{
    return get_text(ctl, "/crl", NULL, error);
}

/* change sends |body|, which it takes over, to |rest| of the CA, and prints nothing. */
static enum mg_status change(struct ctl *ctl, const char *method, const char *rest, json_t *body,
                             struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *data;
    enum mg_status status = path_of(ctl, rest, path, error);
    if (status != MG_OK) {
        json_decref(body);
        return status;
    }
    status = ask(ctl, method, path, body, &data, error);
    if (status == MG_OK) {
        json_decref(data);
    }
    return status;
}

enum mg_status pca_ca_rotate_crl(struct ctl *ctl, struct mg_error *error)
{
    return change(ctl, "POST", "/crl/rotate", NULL, error);
}

enum mg_status pca_ca_set_crl_days(struct ctl *ctl, struct mg_error *error)
{
    json_t *body = json_pack("{s:s}", "expiry", ctl->args[1]);
    return body != NULL ? change(ctl, "PUT", "/crl/config", body, error)
                        : mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
}

enum mg_status pca_ca_set_ocsp(struct ctl *ctl, struct mg_error *error)
{
    if (ctl->num_args == 1) {
        return change(ctl, "DELETE", "/urls", NULL, error);
    }
    json_t *body = json_pack("{s:s}", "ocsp_servers", ctl->args[1]);
    return body != NULL ? change(ctl, "PUT", "/urls", body, error)
                        : mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
}

/* ---- certificates ---- */

/* collect_serials appends the serial numbers of all pages to |all|. */
static enum mg_status collect_serials(struct ctl *ctl, json_t *all, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    int64_t num_pages = 1;
    for (int64_t page = 1; status == MG_OK && page <= num_pages; page++) {
        char path[API_MAX_PATH], rest[64];
        json_t *data;
        snprintf(rest, sizeof(rest), "/cert?pageNo=%" PRId64, page);
        status = path_of(ctl, rest, path, error);
        if (status == MG_OK) {
            status = ask(ctl, "GET", path, NULL, &data, error);
        }
        if (status == MG_OK) {
            num_pages = ctl_number(data, "totalPageNo");
            (void)json_array_extend(all, json_object_get(data, "listCerts"));
            json_decref(data);
        }
    }
    return status;
}

enum mg_status pca_cert_list(struct ctl *ctl, struct mg_error *error)
{
    json_t *all = json_array();
    enum mg_status status = collect_serials(ctl, all, error);
    if (status == MG_OK && ctl->json) {
        status = ctl_print_json(all, error);
    } else if (status == MG_OK) {
        size_t i;
        const json_t *serial;
        struct mg_buffer text;
        mg_buffer_init(&text, MAX_LIST);
        json_array_foreach(all, i, serial)
        {
            const char *cell = json_is_string(serial) ? json_string_value(serial) : "?";
            table_write(&text, &cell, 1, 1);
        }
        status = ctl_print(&text, error);
    }
    json_decref(all);
    return status;
}

/* cert_path makes the path of the certificate that the second argument names. */
static enum mg_status cert_path(const struct ctl *ctl, const char *rest, char out[API_MAX_PATH], struct mg_error *error)
{
    char base[API_MAX_PATH];
    enum mg_status status = path_of(ctl, "/cert", base, error);
    return status == MG_OK ? api_path(out, base, ctl->args[1], rest, error) : status;
}

enum mg_status pca_cert_show(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *data;
    enum mg_status status = cert_path(ctl, "", path, error);
    if (status == MG_OK) {
        status = ask(ctl, "GET", path, NULL, &data, error);
    }
    return status == MG_OK ? deliver_text(ctl, data, "certPem", error) : status;
}

/* sign has the CA sign the request in the file of the second argument, at |rest|. */
static enum mg_status sign(struct ctl *ctl, const char *rest, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *csr, *data;
    int64_t days;
    enum mg_status status = days_of(ctl, DEFAULT_DAYS, &days, error);
    if (status == MG_OK) {
        status = path_of(ctl, rest, path, error);
    }
    if (status == MG_OK) {
        status = read_file(ctl->args[1], &csr, error);
    }
    if (status == MG_OK) {
        status =
            ask(ctl, "POST", path, json_pack("{s:I,s:o}", "period", (json_int_t)days, "csrPem", csr), &data, error);
    }
    return status == MG_OK ? deliver_text(ctl, data, "certificate", error) : status;
}

enum mg_status pca_sign_csr(struct ctl *ctl, struct mg_error *error)
{
    return sign(ctl, "/sub/sign", error);
}

enum mg_status pca_cert_sign(struct ctl *ctl, struct mg_error *error)
{
    return sign(ctl, "/cert/sign", error);
}

enum mg_status pca_revoke(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *data;
    enum mg_status status = cert_path(ctl, "/revoke", path, error);
    if (status == MG_OK) {
        status = ask(ctl, "POST", path, NULL, &data, error);
    }
    if (status == MG_OK) {
        json_decref(data);
    }
    return status;
}

/* ---- access keys ---- */

enum mg_status pca_key_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, KEYS, &keys, error);
}

enum mg_status pca_key_add(struct ctl *ctl, struct mg_error *error)
{
    const char *role = ctl->options[CTL_ROLE];
    json_t *answer;
    if (role == NULL) {
        return mg_error_set(error, MG_INVALID, "pca key add: --role admin, operator or auditor is needed");
    }
    json_t *body = json_pack("{s:s}", "role", role);
    if (body == NULL) {
        return mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
    }
    enum mg_status status = api_ask(ctl, "POST", KEYS, body, &answer, error);
    json_decref(body);
    if (status == MG_OK) {
        status = credential_print(ctl, answer, &new_key, error);
        json_decref(answer);
    }
    return status;
}

enum mg_status pca_key_delete(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, KEYS, error);
}
