/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-token: the process that loads one PKCS#11 module and signs on one of its tokens, so that what happens in the
 * module happens here and not in the signer. Started by the signer alone, by way of its launcher (launcher.h), which
 * says what each descriptor is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/log.h"
#include "base/options.h"
#include "base/secret.h"
#include "hsm/token/calibration.h"
#include "hsm/token/launcher.h"
#include "hsm/token/service.h"

struct options {
    const char *module, *token;
    size_t num_lanes, num_sessions;
    bool is_launcher;
};

static const char usage[] = "usage: mintgate-token --module PATH --token LABEL|URI --lanes N --sessions N\n"
                            "       mintgate-token --launcher\n"
                            "\n"
                            "Holds a PKCS#11 token for mintgate-signer, which starts it.\n"
                            "\n"
                            "  --version  print the version and exit\n"
                            "  --help     print this and exit\n";

static size_t number_of(const char *text, size_t max)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text && number <= max ? number : max + 1;
}

/* parse_options returns -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *out)
{
    const char *lanes = "", *sessions = "";
    *out = (struct options){.module = NULL};
    const struct mg_option options[] = {
        {.name = "module", .text = &out->module},
        {.name = "token", .text = &out->token},
        {.name = "lanes", .text = &lanes},
        {.name = "sessions", .text = &sessions},
        {.name = "launcher", .given = &out->is_launcher},
    };
    const struct mg_program program = {"mintgate-token", usage, options, MG_ARRAY_LEN(options)};
    int code = mg_options_parse(&program, argc, argv);
    if (code >= 0 || out->is_launcher) {
        return code;
    }
    out->num_lanes = number_of(lanes, WIRE_TOKEN_MAX_LANES);
    out->num_sessions = number_of(sessions, WIRE_TOKEN_MAX_SESSIONS);
    bool is_complete = out->module != NULL && out->token != NULL && out->num_lanes >= 1 &&
                       out->num_lanes <= WIRE_TOKEN_MAX_LANES && out->num_sessions <= WIRE_TOKEN_MAX_SESSIONS;
    return is_complete ? -1 : mg_options_wrong(&program, "needs --module, --token, --lanes and --sessions");
}

static void send_packet(const struct mg_buffer *packet)
{
    if (!mg_buffer_ok(packet) || send(TOKEN_FD_CONTROL, packet->data, packet->len, MSG_NOSIGNAL) < 0) {
        token_end(TOKEN_EXIT_DONE, "the signer is gone");
    }
}

/* read_pin reads the pipe to its end and closes it. */
static bool read_pin(char pin[TOKEN_MAX_PIN + 1])
{
    size_t len = 0;
    ssize_t got;
    while ((got = read(TOKEN_FD_PIN, pin + len, TOKEN_MAX_PIN + 1 - len)) > 0) {
        len += (size_t)got;
        if (len > TOKEN_MAX_PIN) {
            return false;
        }
    }
    close(TOKEN_FD_PIN);
    pin[len] = '\0';
    return got == 0 && len > 0;
}

/* open_token opens the token with the PIN, of which nothing is kept. */
static enum wire_token_status open_token(struct token *token, const struct options *options, struct token_error *error)
{
    char pin[TOKEN_MAX_PIN + 1];
    enum wire_token_status status = read_pin(pin) ? token_open(token, options->module, options->token, pin, error)
                                                  : token_error_set(error, WIRE_TOKEN_PIN_WRONG, CKR_OK,
                                                                    "the PIN must have 1 to %d bytes", TOKEN_MAX_PIN);
    mg_secret_wipe(pin, sizeof(pin));
    return status;
}

/* start does all that comes before READY. */
static enum wire_token_status start(struct token_service *service, struct token *token, const struct options *options,
                                    struct wire_token_ready *ready, struct token_error *error)
{
    static int lanes[WIRE_TOKEN_MAX_LANES];
    size_t num_sessions = options->num_sessions;
    enum wire_token_status status = open_token(token, options, error);
    if (status == WIRE_TOKEN_OK && num_sessions == 0) {
        status = calibration_run(token, &num_sessions, &ready->rate, error);
    }
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    for (size_t i = 0; i < options->num_lanes; i++) {
        lanes[i] = TOKEN_FD_LANES + (int)i;
    }
    *service = (struct token_service){.token = token, .keys = token_keys_new()};
    if (service->keys == NULL) {
        return token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "no memory for keys");
    }
    struct workers_config config = {.token = token,
                                    .keys = service->keys,
                                    .lanes = lanes,
                                    .num_lanes = options->num_lanes,
                                    .num_sessions = num_sessions};
    status = workers_start(&service->workers, &config, &num_sessions, error);
    ready->num_sessions = (uint8_t)num_sessions;
    ready->identity = token->identity;
    return status;
}

static void tell_ready(struct mg_buffer *packet, struct wire_token_ready *ready, enum wire_token_status status,
                       const struct token_error *error)
{
    if (status != WIRE_TOKEN_OK) {
        *ready = (struct wire_token_ready){
            .status = status, .rv = (uint32_t)error->rv, .text = mg_slice_of_text(error->why.text)};
    }
    mg_buffer_clear(packet);
    wire_token_encode_ready(packet, ready);
    send_packet(packet);
    if (status != WIRE_TOKEN_OK) {
        token_end(TOKEN_EXIT_CLOSED, error->why.text);
    }
}

static _Noreturn void serve(struct token_service *service, struct mg_buffer *reply)
{
    static uint8_t request[WIRE_TOKEN_MAX_PACKET];
    struct mg_error error;
    bool is_lost;
    for (;;) {
        ssize_t len = recv(TOKEN_FD_CONTROL, request, sizeof(request), 0);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len <= 0) {
            token_end(TOKEN_EXIT_DONE, "the signer is gone");
        }
        if (token_service_handle(service, mg_slice_of(request, (size_t)len), reply, &is_lost, &error) != MG_OK) {
            token_end(TOKEN_EXIT_BROKEN, error.text);
        }
        send_packet(reply);
        if (is_lost) {
            token_end(TOKEN_EXIT_LOST, "the token is gone");
        }
    }
}

/* confine gives up what no module needs. An allow-list is out of the question: a module may open devices, talk to the
 * network, start daemons (docs/adr/0025-tokens.md). */
static enum mg_status confine(struct mg_error *error)
{
    enum mg_status status = mg_confine_no_dumps(error);
    if (status == MG_OK) {
        status = mg_confine_capabilities(NULL, 0, error);
    }
    return status == MG_OK ? mg_confine_kernel(error) : status;
}

int main(int argc, char **argv)
{
    static struct token token;
    struct options options;
    struct token_service service;
    struct wire_token_ready ready = {.status = WIRE_TOKEN_OK};
    struct token_error error = {.rv = CKR_OK};
    struct mg_error why;
    struct mg_buffer packet;
    int code = parse_options(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    mg_log_init("mintgate-token", MG_LOG_INFO);
    if (confine(&why) != MG_OK) {
        token_end(TOKEN_EXIT_BROKEN, why.text);
    }
    if (options.is_launcher) {
        return launcher_run();
    }
    mg_buffer_init(&packet, WIRE_TOKEN_MAX_PACKET);
    enum wire_token_status status = start(&service, &token, &options, &ready, &error);
    tell_ready(&packet, &ready, status, &error);
    serve(&service, &packet);
}
