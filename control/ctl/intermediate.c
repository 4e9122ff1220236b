/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an intermediate, one command a step (docs/api/zia.md). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/api.h"
#include "control/ctl/certificate.h"
#include "control/ctl/commands.h"

/* path_of finds what the first argument names and makes the path of |call| for it: "" for the object itself. */
static enum mg_status path_of(struct ctl *ctl, const char *call, char out[API_MAX_PATH], struct mg_error *error)
{
    int64_t id;
    enum mg_status status = certificate_find(ctl, ctl->args[0], &id, error);
    if (status == MG_OK) {
        snprintf(out, API_MAX_PATH, API_INTERMEDIATES "%s/%" PRId64, call, id);
    }
    return status;
}

/* ask_about asks for |call| of what the first argument names, and takes over |body|, which may be NULL. */
static enum mg_status ask_about(struct ctl *ctl, const char *method, const char *call, json_t *body, json_t **out,
                                struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = path_of(ctl, call, path, error);
    if (status == MG_OK) {
        status = api_ask(ctl, method, path, body, out, error);
    }
    json_decref(body);
    return status;
}

/* step is ask_about for a call that answers with the certificate after it. */
static enum mg_status step(struct ctl *ctl, const char *method, const char *call, json_t *body, struct mg_error *error)
{
    json_t *cert;
    enum mg_status status = ask_about(ctl, method, call, body, &cert, error);
    if (status == MG_OK) {
        status = certificate_print_step(ctl, cert, error);
        json_decref(cert);
    }
    return status;
}

enum mg_status intermediate_list(struct ctl *ctl, struct mg_error *error)
{
    json_t *list;
    enum mg_status status = certificate_list(ctl, &list, error);
    if (status == MG_OK) {
        status = certificate_print_list(ctl, list, error);
        json_decref(list);
    }
    return status;
}

/* add_token adds the name of the token that holds the key of |cert|, which is no member of the vendor's. */
static enum mg_status add_token(struct ctl *ctl, json_t *cert, struct mg_error *error)
{
    json_t *keys;
    enum mg_status status = api_ask(ctl, "GET", API_MINTGATE "/keys", NULL, &keys, error);
    if (status != MG_OK) {
        return status;
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        if (strcmp(ctl_text(key, "intermediate"), ctl_text(cert, "name")) == 0) {
            (void)json_object_set_new(cert, "token", json_string(ctl_text(key, "holder")));
        }
    }
    json_decref(keys);
    return MG_OK;
}

enum mg_status intermediate_show(struct ctl *ctl, struct mg_error *error)
{
    json_t *cert;
    enum mg_status status = ask_about(ctl, "GET", "", NULL, &cert, error);
    if (status == MG_OK) {
        bool is_on_token = strcmp(ctl_text(cert, "type"), "CUSTOM_HSM") == 0;
        status = is_on_token && !ctl->json ? add_token(ctl, cert, error) : MG_OK;
        status = status == MG_OK ? certificate_print_all(ctl, cert, error) : status;
        json_decref(cert);
    }
    return status;
}

/* type_of translates --type. */
static enum mg_status type_of(const struct ctl *ctl, const char **out, struct mg_error *error)
{
    const char *type = ctl->options[CTL_TYPE];
    if (type == NULL || strcmp(type, "sw") == 0) {
        *out = "CUSTOM_SW";
    } else if (strcmp(type, "hsm") == 0) {
        *out = "CUSTOM_HSM";
    } else {
        return mg_error_set(error, MG_INVALID, "--type: '%s' must be sw or hsm", type);
    }
    return MG_OK;
}

/* An option that goes into a body as it is. */
struct member {
    enum ctl_option option;
    const char *name;
};

/* add_members adds the options that were given. False: no memory, or a value that is no UTF-8. */
static bool add_members(const struct ctl *ctl, const struct member *members, size_t num_members, json_t *body)
{
    bool ok = body != NULL;
    for (size_t i = 0; ok && i < num_members; i++) {
        const char *value = ctl->options[members[i].option];
        ok = value == NULL || json_object_set_new(body, members[i].name, json_string(value)) == 0;
    }
    return ok;
}

static enum mg_status fail_body(json_t *body, struct mg_error *error)
{
    json_decref(body);
    return mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
}

enum mg_status intermediate_create(struct ctl *ctl, struct mg_error *error)
{
    static const struct member members[] = {
        {CTL_KEY_TYPE, "keyType"}, {CTL_REGION, "region"}, {CTL_DESCRIPTION, "description"}};
    const char *type = "";
    json_t *cert;
    enum mg_status status = type_of(ctl, &type, error);
    if (status != MG_OK) {
        return status;
    }
    json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "name", ctl->args[0], "type", type, "status",
                             ctl->options[CTL_ENABLED] == NULL ? "DISABLED" : "ENABLED", "keyType", "EC_P256");
    if (!add_members(ctl, members, MG_ARRAY_LEN(members), body)) {
        return fail_body(body, error);
    }
    status = api_ask(ctl, "POST", API_INTERMEDIATES, body, &cert, error);
    json_decref(body);
    if (status == MG_OK) {
        status = certificate_print_step(ctl, cert, error);
        json_decref(cert);
    }
    return status;
}

enum mg_status intermediate_keygen(struct ctl *ctl, struct mg_error *error)
{
    return step(ctl, "POST", "/keyPair", json_object(), error);
}

static enum mg_status download(struct ctl *ctl, const char *call, struct mg_error *error)
{
    char path[API_MAX_PATH];
    struct mg_buffer text;
    enum mg_status status = path_of(ctl, call, path, error);
    if (status == MG_OK) {
        status = api_download(ctl, path, &text, error);
    }
    if (status != MG_OK) {
        return status;
    }
    text.len -= 1; /* the NUL */
    return ctl_deliver(ctl, &text, error);
}

enum mg_status intermediate_download_csr(struct ctl *ctl, struct mg_error *error)
{
    return download(ctl, "/downloadCsr", error);
}

enum mg_status intermediate_public_key(struct ctl *ctl, struct mg_error *error)
{
    return download(ctl, "/downloadPublicKey", error);
}

enum mg_status intermediate_attestation(struct ctl *ctl, struct mg_error *error)
{
    return download(ctl, "/downloadAttestation", error);
}

enum mg_status intermediate_verify_attestation(struct ctl *ctl, struct mg_error *error)
{
    return step(ctl, "POST", "/verifyKeyAttestation", json_object(), error);
}

/* add_path_length adds --path-length, which is a number. */
static enum mg_status add_path_length(const struct ctl *ctl, json_t *body, struct mg_error *error)
{
    const char *text = ctl->options[CTL_PATH_LENGTH];
    if (text == NULL) {
        return MG_OK;
    }
    if (text[0] < '0' || text[0] > '8' || text[1] != '\0') {
        return mg_error_set(error, MG_INVALID, "--path-length: '%s' must be a number from 0 to 8", text);
    }
    return json_object_set_new(body, "pathLengthConstraint", json_integer(text[0] - '0')) == 0
               ? MG_OK
               : mg_error_set(error, MG_MEMORY, "out of memory");
}

/* The request is made and, unless its JSON is wanted, fetched at once. */
enum mg_status intermediate_csr(struct ctl *ctl, struct mg_error *error)
{
    static const struct member members[] = {{CTL_CN, "commName"},
                                            {CTL_O, "orgName"},
                                            {CTL_OU, "deptName"},
                                            {CTL_L, "city"},
                                            {CTL_ST, "state"},
                                            {CTL_C, "country"},
                                            {CTL_DIGEST, "signatureAlgorithm"}};
    json_t *body = json_object(), *info;
    if (!add_members(ctl, members, MG_ARRAY_LEN(members), body)) {
        return fail_body(body, error);
    }
    enum mg_status status = add_path_length(ctl, body, error);
    if (status != MG_OK) {
        json_decref(body);
        return status;
    }
    status = ask_about(ctl, "POST", "/generateCsr", body, &info, error);
    if (status != MG_OK) {
        return status;
    }
    if (ctl->json) {
        status = ctl_print_json(info, error);
    }
    if (status == MG_OK && (!ctl->json || ctl->options[CTL_OUT] != NULL)) {
        status = download(ctl, "/downloadCsr", error);
    }
    json_decref(info);
    return status;
}

static enum mg_status upload(struct ctl *ctl, const char *call, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *cert;
    enum mg_status status = path_of(ctl, call, path, error);
    if (status == MG_OK) {
        status = api_upload(ctl, path, ctl->args[1], &cert, error);
    }
    if (status == MG_OK) {
        status = certificate_print_step(ctl, cert, error);
        json_decref(cert);
    }
    return status;
}

enum mg_status intermediate_upload_cert(struct ctl *ctl, struct mg_error *error)
{
    return upload(ctl, "/uploadCert", error);
}

enum mg_status intermediate_upload_chain(struct ctl *ctl, struct mg_error *error)
{
    return upload(ctl, "/uploadCertChain", error);
}

enum mg_status intermediate_finalize(struct ctl *ctl, struct mg_error *error)
{
    return step(ctl, "POST", "/finalizeCert", json_object(), error);
}

enum mg_status intermediate_enable(struct ctl *ctl, struct mg_error *error)
{
    return step(ctl, "PUT", "", json_pack("{s:s}", "status", "ENABLED"), error);
}

enum mg_status intermediate_disable(struct ctl *ctl, struct mg_error *error)
{
    return step(ctl, "PUT", "", json_pack("{s:s}", "status", "DISABLED"), error);
}

enum mg_status intermediate_delete(struct ctl *ctl, struct mg_error *error)
{
    json_t *nothing;
    enum mg_status status = ask_about(ctl, "DELETE", "", NULL, &nothing, error);
    if (status == MG_OK) {
        status = ctl->json ? ctl_print_json(nothing, error) : MG_OK;
        json_decref(nothing);
    }
    return status;
}
