/* SPDX-License-Identifier: Apache-2.0 */
/* Making an intermediate the default, and showing how far minting ahead has come meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "control/ctl/api.h"
#include "control/ctl/certificate.h"
#include "control/ctl/commands.h"

/* show_progress writes the line of progress over the last one. It says nothing while control tells nothing. */
static void show_progress(void *arg)
{
    json_t *now;
    struct mg_error error;
    if (api_ask(arg, "GET", API_MINTGATE "/publication", NULL, &now, &error) != MG_OK) {
        return;
    }
    if (json_is_true(json_object_get(now, "underWay"))) {
        fprintf(stderr, "\rminting ahead: %" PRId64 " of %" PRId64 " certificates ", ctl_number(now, "done"),
                ctl_number(now, "all"));
        fflush(stderr);
    }
    json_decref(now);
}

/* path_of makes the path that the command line asks for. */
static enum mg_status path_of(struct ctl *ctl, char out[API_MAX_PATH], struct mg_error *error)
{
    const char *force = ctl->options[CTL_FORCE] == NULL ? "" : "?force=true";
    bool previous = ctl->options[CTL_PREVIOUS] != NULL;
    int64_t id;
    if (previous == (ctl->num_args == 1)) {
        return mg_error_set(error, MG_INVALID, "intermediate default: give either ID or --previous");
    }
    if (previous) {
        snprintf(out, API_MAX_PATH, API_MINTGATE "/default/previous%s", force);
        return MG_OK;
    }
    enum mg_status status = certificate_find(ctl, ctl->args[0], &id, error);
    if (status == MG_OK) {
        snprintf(out, API_MAX_PATH, API_MINTGATE "/default/%" PRId64 "%s", id, force);
    }
    return status;
}

static enum mg_status print_default(const struct ctl *ctl, const json_t *cert, struct mg_error *error)
{
    struct mg_buffer text;
    if (ctl->json) {
        return ctl_print_json(cert, error);
    }
    mg_buffer_init(&text, MG_BUFFER_MAX_FORMAT);
    mg_buffer_append_format(&text, "%s (%" PRId64 ") is the default now.\n", ctl_text(cert, "name"),
                            ctl_number(cert, "id"));
    return ctl_print(&text, error);
}

enum mg_status intermediate_default(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *cert;
    bool watched = isatty(STDERR_FILENO);
    enum mg_status status = path_of(ctl, path, error);
    if (status != MG_OK) {
        return status;
    }
    status = api_ask_watched(ctl, "PUT", path, watched ? show_progress : NULL, ctl, &cert, error);
    if (watched) {
        fputs("\r\033[K", stderr); /* the line of progress has done its work */
    }
    if (status == MG_OK) {
        status = print_default(ctl, cert, error);
        json_decref(cert);
    }
    return status;
}
