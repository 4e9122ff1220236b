/* SPDX-License-Identifier: Apache-2.0 */
#include "zia_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/http/credentials.h"
#include "control/http/zia_auth.h"
#include "tests/unit/control/ca_builder.h"

/* The certificates of ca_builder.h are valid then. */
#define AFTER_SECONDS ((uint64_t)(CA_NOW - FIXTURE_WALL_SECONDS))

struct service service;

static sqlite3 *db;
static struct authenticator *authenticator;
static struct router *router;
static struct zia zia;
static char tokens[HTTP_ROLE_ADMIN + 1][128]; /* "Bearer ..." by role */

/* ---- the service ---- */

static bool fails(struct service *self, struct lifecycle_call *of, struct mg_error *why, enum mg_status *status)
{
    if (self->status == MG_OK) {
        return false;
    }
    of->code = self->code;
    *status = mg_error_set(why, self->status, "%s", self->text);
    self->status = MG_OK;
    return true;
}

enum mg_status service_make_key(struct service *self, struct lifecycle_call *of, int64_t id, struct intermediate *out,
                                struct mg_error *why)
{
    static uint8_t num_keys;
    struct wire_key_id key_id = {"key of a route"};
    enum mg_status status;
    if (fails(self, of, why, &status)) {
        return status;
    }
    key_id.bytes[14] = ++num_keys;
    status = lifecycle_check(of, LIFECYCLE_MAKE_KEY, id, NULL, why);
    return status == MG_OK ? lifecycle_key_made(of, id, &key_id, mg_buffer_slice(&public_key), out, why) : status;
}

enum mg_status service_read_attestation(struct service *self, struct lifecycle_call *of, int64_t id,
                                        struct mg_buffer *text, struct intermediate *out, struct mg_error *why)
{
    enum mg_status status;
    if (fails(self, of, why, &status)) {
        return status;
    }
    mg_buffer_append_text(text, "what the token says");
    return lifecycle_read(of, LIFECYCLE_READ_ATTESTATION, id, out, why);
}

enum mg_status service_verify_attestation(struct service *self, struct lifecycle_call *of, int64_t id,
                                          struct intermediate *out, struct mg_error *why)
{
    enum mg_status status;
    return fails(self, of, why, &status) ? status : lifecycle_attestation_verified(of, id, out, why);
}

enum mg_status service_make_csr(struct service *self, struct lifecycle_call *of, int64_t id,
                                const struct lifecycle_csr_wish *wish, struct intermediate *out, struct mg_error *why)
{
    struct intermediate_csr csr;
    enum mg_status status;
    if (fails(self, of, why, &status)) {
        return status;
    }
    status = lifecycle_check_csr(of, id, wish, &csr, NULL, why);
    return status == MG_OK ? lifecycle_csr_made(of, id, &csr, mg_slice_of_text("PEM of a CSR"), out, why) : status;
}

enum mg_status service_finalize(struct service *self, struct lifecycle_call *of, int64_t id, struct intermediate *out,
                                struct mg_error *why)
{
    enum mg_status status;
    return fails(self, of, why, &status) ? status : lifecycle_finalize(of, id, out, why);
}

enum mg_status service_update(struct service *self, struct lifecycle_call *of, int64_t id,
                              const struct lifecycle_draft *draft, struct intermediate *out, struct mg_error *why)
{
    enum mg_status status;
    return fails(self, of, why, &status) ? status : lifecycle_update(of, id, draft, out, why);
}

enum mg_status service_delete(struct service *self, struct lifecycle_call *of, int64_t id, struct mg_error *why)
{
    enum mg_status status;
    return fails(self, of, why, &status) ? status : lifecycle_delete(of, id, why);
}

enum mg_status service_make_default(struct service *self, struct lifecycle_call *of, int64_t id, bool force,
                                    struct intermediate *out, struct mg_error *why)
{
    struct default_issuer now;
    enum mg_status status;
    assert_false(force);
    return fails(self, of, why, &status) ? status : lifecycle_commit_default(of, id, &now, out, why);
}

/* ---- clients ---- */

static void fetch_token(enum http_role role)
{
    char secret[CLIENT_SECRET_LEN], form[512];
    assert_int_equal(credentials_client_create(db, http_role_name(role), role, REACH_ALL, secret, NULL), MG_OK);
    snprintf(form, sizeof(form), "grant_type=client_credentials&client_id=%s&client_secret=%s", http_role_name(role),
             secret);
    ask(router, &(struct ask){.method = "POST",
                              .target = "/oauth2/v1/token",
                              .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                              .body = form,
                              .after_seconds = AFTER_SECONDS});
    json_t *json = json_loads(answer.body, 0, NULL);
    const char *token = json_string_value(json_object_get(json, "access_token"));
    assert_non_null(token);
    snprintf(tokens[role], sizeof(tokens[role]), "Bearer %s", token);
    json_decref(json);
}

int zia_fixture_open(void **state)
{
    static const char *const audiences[] = {"https://api.zscaler.com", NULL};
    assert_int_equal(fixture_open(state), 0);
    memset(lifecycle.has_token, 0, sizeof(lifecycle.has_token));
    service = (struct service){.status = MG_OK};
    db = fixture_database();
    const struct authenticator_config config = {.db = db, .audiences = audiences};
    assert_int_equal(authenticator_new(&authenticator, &config, NULL), MG_OK);
    zia = (struct zia){.service = &service, .lifecycle = &lifecycle, .authenticator = authenticator};
    assert_int_equal(router_new(&router, NULL, NULL), MG_OK);
    assert_int_equal(zia_auth_add(router, authenticator, NULL), MG_OK);
    assert_int_equal(zia_add(router, &zia, NULL), MG_OK);
    for (enum http_role role = HTTP_ROLE_AUDITOR; role <= HTTP_ROLE_ADMIN; role++) {
        fetch_token(role);
    }
    return 0;
}

int zia_fixture_close(void **state)
{
    router_free(router);
    authenticator_free(authenticator);
    sqlite3_close(db);
    return fixture_close(state);
}

const struct router *zia_router(void)
{
    return router;
}

static void hand_over(enum http_role role, const char *method, const char *target, const char *type, const char *body)
{
    struct ask what = {.method = method, .target = target, .body = body, .after_seconds = AFTER_SECONDS};
    size_t num = 0;
    if (role != HTTP_ROLE_ANONYMOUS) {
        what.headers[num][0] = "Authorization";
        what.headers[num++][1] = tokens[role];
    }
    if (type != NULL) {
        what.headers[num][0] = "Content-Type";
        what.headers[num][1] = type;
    }
    ask(router, &what);
}

void zia_ask(enum http_role role, const char *method, const char *target, const char *body)
{
    hand_over(role, method, target, "application/json", body);
}

void zia_admin(const char *method, const char *body, const char *format, ...)
{
    char target[256] = "/api/v1/intermediateCaCertificate";
    size_t len = strlen(target);
    va_list args;
    va_start(args, format);
    vsnprintf(target + len, sizeof(target) - len, format, args);
    va_end(args);
    zia_ask(HTTP_ROLE_ADMIN, method, target, body);
}

void zia_upload(const char *word, int64_t id, const char *name, const char *file_name, struct mg_slice file)
{
    char target[128];
    struct mg_buffer form;
    mg_buffer_init(&form, 1 << 20);
    snprintf(target, sizeof(target), "/zia/api/v1/intermediateCaCertificate/%s/%lld", word, (long long)id);
    mg_buffer_append_format(&form,
                            "--" ZIA_BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n",
                            name, file_name);
    mg_buffer_append_text(&form, "Content-Type: application/octet-stream\r\n\r\n");
    mg_buffer_append_slice(&form, file);
    mg_buffer_append_text(&form, "\r\n--" ZIA_BOUNDARY "--\r\n");
    mg_buffer_append_u8(&form, 0);
    assert_true(mg_buffer_ok(&form));
    hand_over(HTTP_ROLE_ADMIN, "POST", target, "multipart/form-data; boundary=" ZIA_BOUNDARY, (const char *)form.data);
    mg_buffer_free(&form);
}

void zia_upload_good(const char *word, int64_t id)
{
    struct mg_buffer file;
    mg_buffer_init(&file, 1 << 16);
    if (strcmp(word, "uploadCert") == 0) {
        fixture_certificate(&file, 0);
    } else {
        fixture_chain(&file);
    }
    zia_upload(word, id, "fileUpload", "signed.pem", mg_buffer_slice(&file));
    mg_buffer_free(&file);
}
