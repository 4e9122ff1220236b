/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/certificate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/countdown.h"
#include "control/ctl/api.h"
#include "control/ctl/table.h"

#define MAX_TEXT (4U << 20)
#define MAX_ID_TEXT sizeof("-9223372036854775808")

enum mg_status certificate_list(struct ctl *ctl, json_t **out, struct mg_error *error)
{
    enum mg_status status = api_ask(ctl, "GET", API_INTERMEDIATES, NULL, out, error);
    if (status == MG_OK && !json_is_array(*out)) {
        json_decref(*out);
        status = mg_error_set(error, MG_INTERNAL, "%s: the answer is no list", API_INTERMEDIATES);
    }
    return status;
}

const json_t *certificate_match(const json_t *list, const char *text)
{
    const json_t *by_name = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *cert = json_array_get(list, i);
        char id[MAX_ID_TEXT];
        snprintf(id, sizeof(id), "%" PRId64, ctl_number(cert, "id"));
        if (strcmp(id, text) == 0) {
            return cert;
        }
        if (strcmp(ctl_text(cert, "name"), text) == 0) {
            by_name = cert;
        }
    }
    return by_name;
}

enum mg_status certificate_find(struct ctl *ctl, const char *text, int64_t *id, struct mg_error *error)
{
    json_t *list;
    enum mg_status status = certificate_list(ctl, &list, error);
    if (status != MG_OK) {
        return status;
    }
    const json_t *cert = certificate_match(list, text);
    if (cert == NULL) {
        status = mg_error_set(error, MG_NOT_FOUND,
                              "no intermediate has the id or the name '%s'\n"
                              "'mintgatectl intermediate list' shows what there is.",
                              text);
    } else {
        *id = ctl_number(cert, "id");
    }
    json_decref(list);
    return status;
}

/* A step of the life cycle as a command: |verb|, the id, |more|. */
struct step {
    const char *state, *verb, *more;
};

/* next_of returns the step that follows |cert|'s state; NULL: none. */
static const struct step *next_of(const json_t *cert)
{
    static const struct step steps[] = {
        {"GENERAL_DONE", "keygen", ""},
        {"KEYGEN_DONE", "csr", ""},
        {"PUBKEY_DONE", "csr", ""},
        {"ATTESTATION_DONE", "verify-attestation", " (or at once csr)"},
        {"ATTESTATION_VERIFY_DONE", "csr", ""},
        {"CSRGEN_DONE", "upload-cert", " FILE"},
        {"INTCERT_UPLOAD_DONE", "finalize", " (or first upload-chain)"},
        {"CERTCHAIN_UPLOAD_DONE", "finalize", ""},
        {"CERT_READY", "default", ""},
    };
    if (json_is_true(json_object_get(cert, "defaultCertificate"))) {
        return NULL;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(steps); i++) {
        if (strcmp(steps[i].state, ctl_text(cert, "currentState")) == 0) {
            return &steps[i];
        }
    }
    return NULL;
}

static void write_next(struct mg_buffer *out, const json_t *cert)
{
    const struct step *next = next_of(cert);
    if (next != NULL) {
        mg_buffer_append_format(out, "Next: mintgatectl intermediate %s %" PRId64 "%s\n", next->verb,
                                ctl_number(cert, "id"), next->more);
    }
}

enum mg_status certificate_print_step(const struct ctl *ctl, const json_t *cert, struct mg_error *error)
{
    struct mg_buffer text;
    char id[MAX_ID_TEXT];
    if (ctl->json) {
        return ctl_print_json(cert, error);
    }
    snprintf(id, sizeof(id), "%" PRId64, ctl_number(cert, "id"));
    const char *cells[] = {id, ctl_text(cert, "name"), ctl_text(cert, "currentState"), ctl_text(cert, "status")};
    mg_buffer_init(&text, MAX_TEXT);
    table_write(&text, cells, 1, MG_ARRAY_LEN(cells));
    write_next(&text, cert);
    return ctl_print(&text, error);
}

static bool is_time(const char *member)
{
    size_t len = strlen(member);
    return (len > 4 && strcmp(member + len - 4, "Time") == 0) || (len > 4 && strcmp(member + len - 4, "Date") == 0);
}

static void write_member(struct mg_buffer *out, const char *member, const json_t *value)
{
    char text[MG_CLOCK_TEXT_LEN] = "";
    if (json_is_integer(value) && is_time(member)) {
        table_time(text, json_integer_value(value));
    } else if (json_is_integer(value)) {
        snprintf(text, sizeof(text), "%" PRId64, (int64_t)json_integer_value(value));
    } else if (json_is_boolean(value)) {
        strcpy(text, json_is_true(value) ? "yes" : "no");
    }
    /* A fixed width: each is a table of its own. */
    char label[32];
    snprintf(label, sizeof(label), "%-26s", member);
    const char *cells[] = {label, json_is_string(value) ? json_string_value(value) : text};
    table_write(out, cells, 1, MG_ARRAY_LEN(cells));
}

enum mg_status certificate_print_all(const struct ctl *ctl, json_t *cert, struct mg_error *error)
{
    struct mg_buffer text;
    const char *member;
    json_t *value;
    if (ctl->json) {
        return ctl_print_json(cert, error);
    }
    mg_buffer_init(&text, MAX_TEXT);
    json_object_foreach(cert, member, value)
    {
        if (strcmp(member, "publicKey") != 0) { /* the command public-key shows it */
            write_member(&text, member, value);
        }
    }
    write_next(&text, cert);
    return ctl_print(&text, error);
}

void certificate_end(char out[CERTIFICATE_END_LEN], const json_t *cert)
{
    char when[MG_CLOCK_TEXT_LEN];
    int64_t end = ctl_number(cert, "certExpDate"), days = mg_countdown_days(end, mg_clock_wall_seconds());
    table_time(when, end);
    if (end == 0 || days >= MG_COUNTDOWN_FIRST_DAYS) {
        snprintf(out, CERTIFICATE_END_LEN, "%s", when);
    } else if (days < 0) {
        snprintf(out, CERTIFICATE_END_LEN, "%s EXPIRED", when);
    } else {
        snprintf(out, CERTIFICATE_END_LEN, "%s %" PRId64 " days left", when, days);
    }
}

static void add_row(struct table *table, const json_t *cert)
{
    char end[CERTIFICATE_END_LEN];
    certificate_end(end, cert);
    table_add_number(table, ctl_number(cert, "id"));
    table_add(table, ctl_text(cert, "name"));
    table_add(table, ctl_text(cert, "type"));
    table_add(table, ctl_text(cert, "keyType"));
    table_add(table, ctl_text(cert, "currentState"));
    table_add(table, ctl_text(cert, "status"));
    table_add(table, end);
    table_add(table, json_is_true(json_object_get(cert, "defaultCertificate")) ? "default" : "");
}

enum mg_status certificate_print_list(const struct ctl *ctl, const json_t *list, struct mg_error *error)
{
    static const char *const titles[] = {"ID", "NAME", "TYPE", "KEY", "STATE", "STATUS", "EXPIRES", ""};
    struct table table;
    struct mg_buffer text;
    if (ctl->json) {
        return ctl_print_json(list, error);
    }
    table_begin(&table, titles, MG_ARRAY_LEN(titles));
    for (size_t i = 0; i < json_array_size(list); i++) {
        add_row(&table, json_array_get(list, i));
    }
    mg_buffer_init(&text, MAX_TEXT);
    table_end(&table, &text);
    return ctl_print(&text, error);
}
