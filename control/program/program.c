/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/program.h"

#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "control/admin/administration.h"
#include "control/admin/administration_api.h"
#include "control/admin/database_copy.h"
#include "control/audit.h"
#include "control/ccadb/ccadb.h"
#include "control/ccadb/tables.h"
#include "control/default_issuer.h"
#include "control/http/authenticator.h"
#include "control/http/rate_limit.h"
#include "control/http/server.h"
#include "control/http/zia_auth.h"
#include "control/key_place.h"
#include "control/lifecycle_counters.h"
#include "control/naver/crl_pages.h"
#include "control/naver/naver.h"
#include "control/naver/naver_key.h"
#include "control/naver/pca_keeper.h"
#include "control/naver/pca_names.h"
#include "control/program/common_api.h"
#include "control/program/health.h"
#include "control/program/mintgate_api.h"
#include "control/program/problems.h"
#include "control/program/published_stores.h"
#include "control/program/refused.h"
#include "control/sap/sap_api.h"
#include "control/securosys/ska_api.h"
#include "control/securosys/ska_gate.h"
#include "control/service/expiry.h"
#include "control/service/service.h"
#include "control/zia/zia.h"
#include "metrics/metrics_http.h"

#define DRAIN_NS (20 * MG_NS_PER_SECOND)
#define BUSY_MS 5000
#define FIRST_CREDENTIAL "first-credential"

/* How often a signer that answers is asked whether it still does, and what it has to answer. */
#define PROBE_INTERVAL_NS (2 * MG_NS_PER_SECOND)
#define PROBE_TIMEOUT_MS 2000

struct program {
    const struct config *config; /* as started */
    char first_credential[PATH_MAX];
    struct store *store;
    sqlite3 *credentials; /* the authenticator's own connection, to read */
    struct refusals *refusals;
    struct refused refused;
    struct authenticator *authenticator;
    struct lifecycle lifecycle;
    struct lifecycle_counters counters;
    struct sap_imports *sap_imports;
    struct sap sap;
    struct sap_api sap_api;
    struct signer_client *signer;
    struct ccadb ccadb;
    struct lifecycle_hooks hooks;
    struct engines *engines;
    struct service *service;
    struct health health;
    struct common_api common_api;
    struct expiry *expiry;
    struct mintgate_api mintgate_api;
    struct administration_api administration_api;
    struct zia zia;
    struct pca pca;
    struct naver naver;
    struct pca_keeper *pca_keeper;
    struct router *crl_router;      /* NULL: CRLs are not served, as the next */
    struct http_server *crl_server; /* of its own: there is nothing else at its address */
    struct ska *ska;
    struct ska_api ska_api;
    struct ska_gate ska_gate;
    struct approval_gate gate;
    struct rate_limits *rate_limits;
    struct router *router;
    struct http_server *server;
    struct metrics_http *metrics;
    uint64_t next_probe_ns; /* monotonic */
    bool said_waiting;      /* that the signer is not there */
};

/* ---- the store ---- */

/* directory_of makes the directory of the database, and names the file of the first credential in it. */
static enum mg_status make_directory(struct program *program, struct mg_error *error)
{
    const char *path = program->config->control.database;
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = snprintf(directory, sizeof(directory), "%.*s", slash == NULL ? 1 : (int)(slash - path),
                       slash == NULL ? "." : path);
    if (len < 1 || (size_t)len + sizeof(FIRST_CREDENTIAL) + 1 >= sizeof(program->first_credential)) {
        return mg_error_set(error, MG_INVALID, "control.database: %s: not a path in a directory", path);
    }
    memcpy(program->first_credential, directory, (size_t)len);
    snprintf(program->first_credential + len, sizeof(program->first_credential) - (size_t)len, "/" FIRST_CREDENTIAL);
    return mg_file_make_directory(directory, 0700, error);
}

static struct control_actor this_program(void)
{
    return (struct control_actor){.name = "mintgate-control", .role = CONTROL_ADMIN, .source = "internal"};
}

/* append_restore appends to the audit record that the database was a backup of the time |made|. */
static enum mg_status append_restore(struct store_tx *tx, int64_t made, struct mg_error *error)
{
    char detail[64];
    snprintf(detail, sizeof(detail), "{\"made\": %" PRId64 "}", made);
    const struct audit_entry entry = {
        .time_us = mg_clock_wall_us(),
        .actor = this_program(),
        .operation = "restore",
        .object = "",
        .outcome = AUDIT_DONE,
        .detail = detail,
    };
    return audit_append(tx, &entry, error);
}

/* record_restore sees to it that nobody goes back to an older state unrecorded, be it by mintgatectl or by hand. */
static enum mg_status record_restore(struct program *program, struct mg_error *error)
{
    struct store_tx *tx;
    int64_t made = 0;
    enum mg_status status = store_begin(program->store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = store_take_copy_mark(tx, &made, error);
    if (status == MG_OK && made != 0) {
        status = append_restore(tx, made, error);
    }
    status = store_end(tx, status, error);
    if (status == MG_OK && made != 0) {
        mg_log_info("the database was restored from a backup: the audit record says so");
    }
    return status;
}

static enum mg_status open_store(struct program *program, struct mg_error *error)
{
    const struct store_migrations *const modules[] = {
        &audit_migrations,     &intermediate_migrations, &administration_migrations, &pca_migrations,
        &naver_key_migrations, &ska_migrations,          &ccadb_migrations,          &sap_migrations};
    const char *path = program->config->control.database;
    enum mg_status status = store_open(&program->store, path, modules, MG_ARRAY_LEN(modules), error);
    if (status != MG_OK) {
        return status;
    }
    if (sqlite3_open_v2(path, &program->credentials, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(program->credentials, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(program->credentials, "PRAGMA query_only = ON", NULL, NULL, NULL) != SQLITE_OK) {
        return mg_error_set(error, MG_IO, "%s: %s", path, sqlite3_errmsg(program->credentials));
    }
    database_copy_sweep(path);
    status = record_restore(program, error);
    if (status != MG_OK) {
        return status;
    }
    return refusals_new(&program->refusals, program->store, error);
}

static enum mg_status make_first_administrator(struct program *program, struct mg_error *error)
{
    const struct administration_call call = {
        .store = program->store,
        .actor = this_program(),
        .now_us = mg_clock_wall_us(),
    };
    enum mg_status status = administration_first_start(&call, program->first_credential, error);
    if (status == MG_OK) {
        mg_log_info("the first administrator's credential is in %s: one login uses it up", program->first_credential);
    }
    return status == MG_EXISTS ? MG_OK : status;
}

static enum mg_status make_authenticator(struct program *program, struct mg_error *error)
{
    static const char *const audiences[] = {"https://api.zscaler.com", NULL};
    const struct authenticator_config config = {
        .db = program->credentials,
        .hooks = {.arg = &program->refused, .use_up = refused_use_up, .denied = refused_login},
        .first_credential_file = program->first_credential,
        .audiences = audiences,
    };
    program->refused = (struct refused){.store = program->store, .refusals = program->refusals};
    return authenticator_new(&program->authenticator, &config, error);
}

/* ---- settings that may change ---- */

static uint32_t prepare_ms_of(const struct config *config)
{
    return (uint32_t)(config->control.prepare_time_ns / MG_NS_PER_MS);
}

static struct rate_plan rate_plan_of(const struct config *config)
{
    const struct config_rate_limits *limits = &config->rate_limits;
    if (!limits->enabled) {
        return (struct rate_plan){.limits = {{0}}};
    }
    return (struct rate_plan){.limits = {
                                  [RATE_LIGHT] = {limits->get_per_second, limits->get_per_hour},
                                  [RATE_MEDIUM] = {limits->change_per_second, limits->change_per_hour},
                                  [RATE_HEAVY] = {limits->delete_per_minute, limits->delete_per_hour},
                                  [RATE_CALL] = {config->ccadb.calls_per_minute, 0},
                              }};
}

static uint64_t same_call_of(const struct config *config)
{
    return config->rate_limits.enabled ? config->ccadb.same_call_ns : 0;
}

/* ---- the rest ---- */

static enum mg_status make_service(struct program *program, struct mg_error *error)
{
    const struct config *config = program->config;
    program->hooks = (struct lifecycle_hooks){.finalizing = ccadb_finalizing};
    program->lifecycle = (struct lifecycle){.store = program->store,
                                            .subscription = config->control.subscription,
                                            .counters = &program->counters,
                                            .hooks = &program->hooks,
                                            .publishes_crl_urls = config->ccadb.crl_pointers};
    for (unsigned region = INTERMEDIATE_GLOBAL; region < INTERMEDIATE_NUM_REGIONS; region++) {
        program->lifecycle.has_token[region] =
            key_place_exists(&config->signer.tokens, (enum intermediate_region)region);
    }
    enum mg_status status =
        signer_client_new(&program->signer, config->signer.control_socket, SIGNER_CLIENT_DEFAULT_TIMEOUT_MS, error);
    if (status == MG_OK) {
        status = engines_new(&program->engines, config->control.engine_socket, error);
    }
    if (status != MG_OK) {
        return status;
    }
    const struct ska_config ska_config = {.store = program->store, .signer = program->signer};
    status = ska_new(&program->ska, &ska_config, error);
    if (status != MG_OK) {
        return status;
    }
    program->ska_gate = (struct ska_gate){.ska = program->ska,
                                          .make_default = config->control.approve_default,
                                          .make_csr = config->control.approve_csr,
                                          .sign_sub_ca = config->control.approve_sub_ca};
    program->gate = ska_gate_of(&program->ska_gate);
    const struct service_config service_config = {
        .lifecycle = &program->lifecycle,
        .signer = program->signer,
        .engines = program->engines,
        .tokens = &config->signer.tokens,
        .prepare_ms = prepare_ms_of(config),
        .gate = &program->gate,
    };
    status = service_new(&program->service, &service_config, error);
    if (status != MG_OK) {
        return status;
    }
    const struct store_source stores = published_stores_of(program->store);
    engines_set_stores(program->engines, &stores);
    const struct sap_imports_config imports_config = {
        .store = program->store, .signer = program->signer, .service = program->service};
    return sap_imports_new(&program->sap_imports, &imports_config, error);
}

/* open_pca: without an address of their own, certificates of private CAs name the one where CRLs are served. */
static enum mg_status open_pca(struct program *program, struct mg_error *error)
{
    const struct config_control *config = &program->config->control;
    char base[PCA_MAX_URL + 1];
    if (config->crl_url[0] != '\0' && !pca_is_url(config->crl_url)) {
        return mg_error_set(error, MG_INVALID, "control.crl_url: must be a URL of http or https");
    }
    snprintf(base, sizeof(base), "%s%.*s", config->crl_url[0] != '\0' || config->crl_listen[0] == '\0' ? "" : "http://",
             PCA_MAX_URL - 8, config->crl_url[0] != '\0' ? config->crl_url : config->crl_listen);
    pca_init(&program->pca, program->store, program->signer, base);
    program->pca.gate = &program->gate;
    return config->crl_listen[0] == '\0' ? MG_OK : crl_pages_new(&program->crl_router, &program->pca, error);
}

static enum mg_status add_naver(struct program *program, struct mg_error *error)
{
    program->naver = (struct naver){
        .pca = &program->pca,
        .auth = {.store = program->store, .denied = refused_login, .denied_arg = &program->refused},
        .authenticator = program->authenticator,
        .render = problem_render,
    };
    return naver_add(program->router, &program->naver, error);
}

static enum mg_status add_ccadb(struct program *program, struct mg_error *error)
{
    struct ccadb *ccadb = &program->ccadb;
    ccadb->service = program->service;
    ccadb->lifecycle = &program->lifecycle;
    ccadb->authenticator = program->authenticator;
    ccadb->render = problem_render;
    ccadb->denied = refused_login;
    ccadb->denied_arg = &program->refused;
    ccadb_set_same_call(ccadb, same_call_of(program->config));
    enum mg_status status = ccadb_init(ccadb, error);
    return status == MG_OK ? ccadb_add(program->router, ccadb, error) : status;
}

static void stores_changed(void *arg)
{
    struct program *program = arg;
    engines_stores_changed(program->engines);
}

static enum mg_status add_sap(struct program *program, struct mg_error *error)
{
    program->sap = (struct sap){
        .store = program->store, .imports = program->sap_imports, .changed = stores_changed, .changed_arg = program};
    program->sap_api = (struct sap_api){
        .sap = &program->sap,
        .lifecycle = &program->lifecycle,
        .service = program->service,
        .authenticator = program->authenticator,
        .render = problem_render,
    };
    return sap_api_add(program->router, &program->sap_api, error);
}

static enum mg_status make_router(struct program *program, struct mg_error *error)
{
    const struct rate_plan plan = rate_plan_of(program->config);
    enum mg_status status = rate_limits_new(&program->rate_limits, &plan, error);
    if (status == MG_OK) {
        status = router_new(&program->router, program->rate_limits, error);
    }
    if (status == MG_OK) {
        program->health = (struct health){.signer = program->signer, .engines = program->engines};
        program->common_api = (struct common_api){.store = program->store, .health = &program->health};
        status = common_api_add(program->router, &program->common_api, error);
    }
    if (status == MG_OK) {
        status = zia_auth_add(program->router, program->authenticator, error);
    }
    if (status == MG_OK) {
        program->zia = (struct zia){
            .service = program->service,
            .lifecycle = &program->lifecycle,
            .authenticator = program->authenticator,
        };
        status = zia_add(program->router, &program->zia, error);
    }
    if (status == MG_OK) {
        status = add_ccadb(program, error);
    }
    if (status == MG_OK) {
        status = add_naver(program, error);
    }
    if (status == MG_OK) {
        status = add_sap(program, error);
    }
    if (status == MG_OK) {
        program->mintgate_api = (struct mintgate_api){
            .service = program->service,
            .signer = program->signer,
            .engines = program->engines,
            .lifecycle = &program->lifecycle,
            .authenticator = program->authenticator,
        };
        status = mintgate_api_add(program->router, &program->mintgate_api, error);
    }
    if (status == MG_OK) {
        program->administration_api = (struct administration_api){
            .store = program->store,
            .database = program->config->control.database,
            .authenticator = program->authenticator,
            .render = problem_render,
        };
        status = administration_api_add(program->router, &program->administration_api, error);
    }
    if (status == MG_OK) {
        program->ska_api = (struct ska_api){
            .ska = program->ska,
            .store = program->store,
            .authenticator = program->authenticator,
            .render = problem_render,
        };
        status = ska_api_add(program->router, &program->ska_api, error);
    }
    if (status == MG_OK) {
        router_set_watch(program->router, refused_request, &program->refused);
    }
    return status;
}

static void list_route(void *arg, const struct http_family *family, const char *base, const struct http_route *route)
{
    static const char *const weights[RATE_NUM_WEIGHTS] = {"none", "light", "medium", "heavy", "call"};
    static const char *const bodies[] = {"none", "json", "json", "form", "multipart", "raw"};
    (void)family;
    fprintf(arg, "%s %s%s %s %s %s %zu\n", http_method_name(route->method), base, route->pattern,
            http_role_name(route->role), weights[route->weight], bodies[route->body], route->body_limit);
}

enum mg_status program_list_routes(FILE *out, struct mg_error *error)
{
    static const struct config no_config;
    struct program program = {.config = &no_config}; /* the tables are the same without anything behind them */
    enum mg_status status = make_router(&program, error);
    if (status == MG_OK) {
        router_each(program.router, list_route, out);
    }
    router_free(program.router);
    ccadb_release(&program.ccadb);
    rate_limits_free(program.rate_limits);
    return status;
}

enum mg_status program_open(struct program **out, const struct config *config, struct mg_error *error)
{
    struct program *program = calloc(1, sizeof(*program));
    if (program == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    program->config = config;
    enum mg_status status = make_directory(program, error);
    if (status == MG_OK) {
        status = open_store(program, error);
    }
    if (status == MG_OK) {
        status = make_first_administrator(program, error);
    }
    if (status == MG_OK) {
        status = make_authenticator(program, error);
    }
    if (status == MG_OK) {
        status = make_service(program, error);
    }
    if (status == MG_OK) {
        status = open_pca(program, error);
    }
    if (status == MG_OK) {
        status = make_router(program, error);
    }
    if (status != MG_OK) {
        program_free(program);
        return status;
    }
    *out = program;
    return MG_OK;
}

/* ---- serving ---- */

static void render_metrics(void *arg, struct mg_buffer *out)
{
    struct program *program = arg;
    http_server_metrics(program->server, "mintgate_control_http", "on the listeners of the APIs", out);
    http_server_metrics(program->crl_server, "mintgate_control_crl", "on the listener of CRLs", out);
    authenticator_metrics(program->authenticator, mg_clock_monotonic_ns(), out);
    rate_limits_metrics(program->rate_limits, out);
    lifecycle_counters_metrics(&program->counters, out);
    default_issuer_metrics(program->store, out);
    store_metrics(program->store, out);
    engines_metrics(program->engines, out);
    signer_client_metrics(program->signer, out);
}

static enum mg_status start_metrics(struct program *program, struct mg_error *error)
{
    const struct metrics_http_route routes[] = {
        {.path = "/metrics", .content_type = METRICS_HTTP_PROMETHEUS, .render = render_metrics, .arg = program}};
    const struct metrics_http_config config = {
        .socket_path = program->config->control.metrics_socket, .routes = routes, .num_routes = MG_ARRAY_LEN(routes)};
    return metrics_http_start(&program->metrics, &config, error);
}

enum mg_status program_serve(struct program *program, struct mg_error *error)
{
    const struct config_control *config = &program->config->control;
    const struct http_server_config server_config = {
        .tls_address = config->listen,
        .certificate_file = config->certificate,
        .key_file = config->key,
        .socket_path = config->socket,
        .router = program->router,
        .limits = http_server_default_limits,
    };
    router_hold_changes(program->router, true);
    const struct http_server_config crl_config = {
        .plain_address = config->crl_listen, .router = program->crl_router, .limits = http_server_default_limits};
    enum mg_status status = http_server_start(&program->server, &server_config, error);
    if (status == MG_OK && program->crl_router != NULL) {
        status = http_server_start(&program->crl_server, &crl_config, error);
    }
    return status == MG_OK ? start_metrics(program, error) : status;
}

/* ---- while running ---- */

/* look_after_signer says when the signer is away, and when it is there again. */
static enum mg_status look_after_signer(struct program *program)
{
    struct mg_error error = {""};
    enum mg_status status = signer_client_probe(program->signer, PROBE_TIMEOUT_MS, &error);
    if (status != MG_OK && !program->said_waiting) {
        mg_log_warning("waiting for the signer: %s", error.text);
    } else if (status == MG_OK && program->said_waiting) {
        mg_log_info("the signer is there");
    }
    program->said_waiting = status != MG_OK;
    return status;
}

static enum mg_status join(struct program *program, struct mg_error *error)
{
    enum mg_status status = service_start(program->service, mg_clock_wall_us(), error);
    if (status == MG_OK) {
        status = sap_imports_settle(program->sap_imports, mg_clock_wall_us(), error);
    }
    if (status == MG_IO) {
        return MG_OK; /* it went away again */
    }
    if (status == MG_OK) {
        status = expiry_start(&program->expiry, program->service, &program->lifecycle,
                              program->config->control.on_issuer_expiry, error);
    }
    if (status == MG_OK) {
        status = pca_keeper_start(&program->pca_keeper, &program->pca, error);
    }
    if (status == MG_OK) {
        status = ska_start(program->ska, error);
    }
    if (status == MG_OK) {
        router_hold_changes(program->router, false);
        atomic_store_explicit(&program->health.has_joined, true, memory_order_relaxed);
        mg_log_info("store, signer and engines are together");
    }
    return status;
}

enum mg_status program_tick(struct program *program, struct mg_error *error)
{
    uint64_t now_ns = mg_clock_monotonic_ns();
    bool is_reachable = signer_client_is_reachable(program->signer);
    if (is_reachable && now_ns < program->next_probe_ns) {
        return MG_OK;
    }
    program->next_probe_ns = now_ns + PROBE_INTERVAL_NS;
    enum mg_status status = look_after_signer(program);
    bool has_joined = atomic_load_explicit(&program->health.has_joined, memory_order_relaxed);
    return status == MG_OK && !has_joined ? join(program, error) : MG_OK;
}

/* warn_of_restart speaks of the keys that this program reads. */
static void warn_of_restart(void *arg, const char *key)
{
    (void)arg;
    bool is_own = strncmp(key, "control.", strlen("control.")) == 0 || strncmp(key, "ccadb.", strlen("ccadb.")) == 0;
    if (is_own || strcmp(key, "signer.control_socket") == 0 || strcmp(key, "signer.tokens") == 0) {
        mg_log_warning("reload: %s has changed, which takes a restart", key);
    }
}

enum mg_status program_reload(struct program *program, struct mg_error *error)
{
    struct config *config;
    enum mg_status status = config_load(&config, program->config->path, error);
    if (status != MG_OK) {
        return status;
    }
    status = http_server_set_certificate(program->server, config->control.certificate, config->control.key, error);
    if (status == MG_OK) {
        const struct rate_plan plan = rate_plan_of(config);
        config_each_needing_restart(program->config, config, warn_of_restart, NULL);
        mg_log_set_level(config->log_level);
        rate_limits_set_plan(program->rate_limits, &plan);
        ccadb_set_same_call(&program->ccadb, same_call_of(config));
        service_set_prepare_ms(program->service, prepare_ms_of(config));
        if (program->expiry != NULL) {
            expiry_set(program->expiry, config->control.on_issuer_expiry);
        }
    }
    config_free(config);
    return status;
}

/* ---- the end ---- */

void program_drain(struct program *program)
{
    struct mg_error error;
    if (program->server != NULL && http_server_drain(program->server, DRAIN_NS, &error) != MG_OK) {
        mg_log_warning("%s", error.text);
    }
}

void program_free(struct program *program)
{
    if (program == NULL) {
        return;
    }
    metrics_http_stop(program->metrics); /* before what it shows */
    http_server_free(program->server);
    http_server_free(program->crl_server);
    expiry_stop(program->expiry);
    ccadb_release(&program->ccadb);
    pca_keeper_stop(program->pca_keeper);
    router_free(program->router);
    router_free(program->crl_router);
    pca_close(&program->pca);
    rate_limits_free(program->rate_limits);
    sap_imports_free(program->sap_imports);
    service_free(program->service);
    ska_free(program->ska);
    engines_free(program->engines);
    signer_client_free(program->signer);
    authenticator_free(program->authenticator);
    refusals_free(program->refusals);
    (void)sqlite3_close(program->credentials);
    store_close(program->store);
    free(program);
}
