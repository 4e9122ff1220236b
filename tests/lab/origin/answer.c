/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/answer.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "bench/http_head.h"

#define BROKEN_BODY_LEN (256 * 1024)
#define MAX_DELAY_MS 60000

/* append_safe writes text from outside so that it means itself in HTML and in JSON. */
static void append_safe(struct mg_buffer *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool safe = isalnum((unsigned char)*c) || strchr("-_.:*/ []", *c) != NULL;
        mg_buffer_append(out, safe ? c : "?", 1);
    }
}

struct fact {
    const char *key, *value;
};
#define NUM_FACTS 7

static void list_facts(struct fact out[NUM_FACTS], const struct http_peer *peer)
{
    const struct fact facts[NUM_FACTS] = {
        {"sni", peer->sni},   {"version", peer->version}, {"cipher", peer->cipher}, {"group", peer->group},
        {"alpn", peer->alpn}, {"resumed", peer->resumed}, {"client", peer->client},
    };
    memcpy(out, facts, sizeof(facts));
}

static void make_page(struct answer *answer, const struct request *request, const struct origin *origin)
{
    (void)origin;
    struct fact facts[NUM_FACTS];
    list_facts(facts, &request->peer);
    answer->content_type = "text/html; charset=utf-8";
    mg_buffer_append_text(&answer->text, "<!doctype html>\n<title>Lab origin</title>\n<h1>");
    append_safe(&answer->text, request->peer.sni);
    mg_buffer_append_text(&answer->text, "</h1>\n<p>The lab's origin served this page.</p>\n<table>\n");
    for (size_t i = 0; i < NUM_FACTS; i++) {
        mg_buffer_append_format(&answer->text, "<tr><th>%s</th><td>", facts[i].key);
        append_safe(&answer->text, facts[i].value);
        mg_buffer_append_text(&answer->text, "</td></tr>\n");
    }
    mg_buffer_append_text(&answer->text, "</table>\n");
}

static void make_info(struct answer *answer, const struct request *request, const struct origin *origin)
{
    (void)origin;
    struct fact facts[NUM_FACTS];
    list_facts(facts, &request->peer);
    for (size_t i = 0; i < NUM_FACTS; i++) {
        mg_buffer_append_format(&answer->text, "%s\"%s\": \"", i == 0 ? "{" : ", ", facts[i].key);
        append_safe(&answer->text, facts[i].value);
        mg_buffer_append_text(&answer->text, "\"");
    }
    mg_buffer_append_text(&answer->text, "}\n");
}

static void make_stats(struct answer *answer, const struct request *request, const struct origin *origin)
{
    (void)request;
    for (size_t i = 0; i < ORIGIN_NUM_COUNTERS; i++) {
        mg_buffer_append_format(&answer->text, "%s\"%s\": %" PRIu64, i == 0 ? "{" : ", ", origin_counter_name(i),
                                origin_count(origin, i));
    }
    mg_buffer_append_format(&answer->text, ", \"minted\": %" PRIu64 "}\n", fresh_num_minted(origin->fresh));
}

static void make_digest(struct answer *answer, const struct request *request)
{
    mg_buffer_append_format(&answer->text, "{\"method\": \"%s\", \"length\": %" PRIu64 ", \"sha256\": \"",
                            strcmp(request->method, "PUT") == 0 ? "PUT" : "POST", request->body_len);
    for (size_t i = 0; i < sizeof(request->body_sha256); i++) {
        mg_buffer_append_format(&answer->text, "%02x", request->body_sha256[i]);
    }
    mg_buffer_append_text(&answer->text, "\"}\n");
}

static void make_refusal(struct answer *answer, unsigned status)
{
    answer->status = status;
    answer->content_type = "text/plain";
    mg_buffer_append_format(&answer->text, "%u\n", status);
}

static void set_pattern(struct answer *answer, uint64_t content_length, uint64_t send_len)
{
    answer->content_type = "application/octet-stream";
    answer->pattern = true;
    answer->content_length = content_length;
    answer->send_len = send_len;
}

static void make_bytes(struct answer *answer, const struct request *request, const struct origin *origin)
{
    (void)origin;
    uint64_t len;
    if (http_number(mg_slice_of_text(request->path + strlen("/bytes/")), 10, &len)) {
        set_pattern(answer, len, len);
    } else {
        make_refusal(answer, 400);
    }
}

static void make_slow(struct answer *answer, const struct request *request, const struct origin *origin)
{
    (void)request;
    (void)origin;
    answer->content_type = "text/plain";
    mg_buffer_append_text(&answer->text, "at last\n");
}

static void make_half_close(struct answer *answer, const struct request *request, const struct origin *origin)
{
    (void)origin;
    answer->content_type = "text/plain";
    mg_buffer_append_format(&answer->text, "you finished %s close_notify\n",
                            request->saw_close_notify ? "with" : "without");
}

static void make_broken(struct answer *answer, const struct request *request, const struct origin *origin)
{
    (void)origin;
    set_pattern(answer, BROKEN_BODY_LEN, BROKEN_BODY_LEN / 2);
    const char *path = request->path;
    answer->end = strcmp(path, "/reset") == 0   ? ANSWER_END_RESET
                  : strcmp(path, "/alert") == 0 ? ANSWER_END_ALERT
                                                : ANSWER_END_TRUNCATE;
}

static const struct {
    const char *path; /* with '/' at its end: all paths below it */
    void (*make)(struct answer *answer, const struct request *request, const struct origin *origin);
} endpoints[] = {
    {"/", make_page},        {"/info", make_info},       {"/stats", make_stats},
    {"/bytes/", make_bytes}, {"/slow", make_slow},       {"/half-close", make_half_close},
    {"/reset", make_broken}, {"/truncate", make_broken}, {"/alert", make_broken},
};

static bool path_matches(const char *path, const char *endpoint)
{
    size_t len = strlen(endpoint);
    bool below = len > 1 && endpoint[len - 1] == '/';
    return below ? strncmp(path, endpoint, len) == 0 : strcmp(path, endpoint) == 0;
}

static void make_for_path(struct answer *answer, const struct request *request, const struct origin *origin)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(endpoints); i++) {
        if (path_matches(request->path, endpoints[i].path)) {
            endpoints[i].make(answer, request, origin);
            return;
        }
    }
    make_refusal(answer, 404);
}

void answer_make(struct answer *answer, const struct request *request, const struct origin *origin)
{
    const char *method = request->method;
    *answer = (struct answer){.status = 200, .content_type = "application/json", .end = ANSWER_END_NORMAL};
    mg_buffer_wrap(&answer->text, answer->storage, sizeof(answer->storage));
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        make_for_path(answer, request, origin);
    } else if (strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0) {
        make_digest(answer, request);
    } else {
        make_refusal(answer, 405);
    }
    if (!answer->pattern) {
        answer->content_length = answer->send_len = answer->text.len;
    }
    if (strcmp(method, "HEAD") == 0) {
        answer->send_len = 0;
    }
}

static uint32_t delay_of(const char *query)
{
    uint64_t delay_ms;
    struct mg_slice rest = mg_slice_of_text(query), key;
    if (!http_take_word(&rest, '=', &key) || !http_equal_text(key, "ms") || !http_number(rest, 10, &delay_ms)) {
        return 1000;
    }
    return delay_ms < MAX_DELAY_MS ? (uint32_t)delay_ms : MAX_DELAY_MS;
}

enum answer_due answer_due_of(const struct request *request, uint32_t *delay_ms)
{
    if (strcmp(request->path, "/half-close") == 0) {
        return ANSWER_AFTER_HALF_CLOSE;
    }
    *delay_ms = delay_of(request->query);
    return strcmp(request->path, "/slow") == 0 && *delay_ms > 0 ? ANSWER_AFTER_DELAY : ANSWER_NOW;
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    default:
        return "Method Not Allowed";
    }
}

void answer_append_head(const struct answer *answer, bool close, struct mg_buffer *out)
{
    mg_buffer_append_format(out, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %" PRIu64 "\r\n%s\r\n",
                            answer->status, reason_of(answer->status), answer->content_type, answer->content_length,
                            close ? "Connection: close\r\n" : "");
}
