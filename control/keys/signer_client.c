/* SPDX-License-Identifier: Apache-2.0 */
#include "control/keys/signer_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/unix_socket.h"

/* A connection is taken at once, unless the signer's queue of them is full. */
#define CONNECT_TIMEOUT_MS 1000
#define CONNECT_PAUSE_MS 10
#define MAX_WAIT_MS 60000 /* of one poll */

/* How calls ended. */
enum { CALL_OK, CALL_REFUSED, CALL_UNANSWERED, NUM_CALL_ENDS };

struct signer_client {
    _Atomic bool is_reachable;
    _Atomic uint64_t num_calls[NUM_CALL_ENDS];
    pthread_mutex_t lock; /* held for a call; of everything below */
    char path[128];
    uint32_t timeout_ms;
    int fd; /* -1: not connected */
    uint64_t last_id;
    struct mg_buffer out;
    uint8_t in[WIRE_CONTROL_MAX_PACKET];
};

enum mg_status signer_client_new(struct signer_client **out, const char *path, uint32_t timeout_ms,
                                 struct mg_error *error)
{
    struct signer_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the client of the signer");
    }
    int len = snprintf(client->path, sizeof(client->path), "%s", path);
    if (len < 0 || (size_t)len >= sizeof(client->path)) {
        free(client);
        return mg_error_set(error, MG_INVALID, "%s: the path is too long for a socket", path);
    }
    if (!mg_secret_buffer_init(&client->out, WIRE_CONTROL_MAX_PACKET)) { /* keys that are imported pass through it */
        free(client);
        return mg_error_set(error, MG_MEMORY, "no memory for the client of the signer");
    }
    pthread_mutex_init(&client->lock, NULL);
    client->timeout_ms = timeout_ms;
    client->fd = -1;
    *out = client;
    return MG_OK;
}

static void disconnect(struct signer_client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
}

void signer_client_free(struct signer_client *client)
{
    if (client != NULL) {
        disconnect(client);
        mg_secret_free(&client->out);
        pthread_mutex_destroy(&client->lock);
        free(client);
    }
}

/* The exchange of packets. |deadline_ns| is monotonic. */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* connect_until tries again for a while: the signer's queue of connections may be full. */
static enum mg_status connect_until(struct signer_client *client, uint64_t deadline_ns, struct mg_error *error)
{
    deadline_ns = earlier(deadline_ns, mg_clock_monotonic_ns() + CONNECT_TIMEOUT_MS * MG_NS_PER_MS);
    for (;;) {
        struct mg_error why = {""};
        enum mg_status status = mg_unix_connect(client->path, SOCK_SEQPACKET, &client->fd, &why);
        if (status == MG_OK) {
            return MG_OK;
        }
        client->fd = -1;
        if (status == MG_NOT_FOUND) {
            return mg_error_set(error, MG_IO, "the signer is not running: %s", why.text);
        }
        if (mg_clock_monotonic_ns() >= deadline_ns) {
            return mg_error_set(error, MG_IO, "the signer cannot be reached: %s", why.text);
        }
        (void)poll(NULL, 0, CONNECT_PAUSE_MS);
    }
}

/* wait_for waits for |events|. MG_AGAIN: the deadline has passed. */
static enum mg_status wait_for(const struct signer_client *client, short events, uint64_t deadline_ns)
{
    struct pollfd fd = {.fd = client->fd, .events = events};
    for (;;) {
        uint64_t now_ns = mg_clock_monotonic_ns();
        uint64_t left_ms = now_ns < deadline_ns ? (deadline_ns - now_ns) / MG_NS_PER_MS + 1 : 0;
        int count = poll(&fd, 1, (int)earlier(left_ms, MAX_WAIT_MS));
        if (count > 0) {
            return MG_OK;
        }
        if (count == 0 && now_ns >= deadline_ns) {
            return MG_AGAIN;
        }
        if (count < 0 && errno != EINTR) {
            return MG_IO;
        }
    }
}

/* transfer sends the request and receives one packet. MG_IO: the connection is lost; MG_AGAIN: the time is up. */
static enum mg_status transfer(struct signer_client *client, uint64_t deadline_ns, struct mg_slice *reply)
{
    enum mg_status status = wait_for(client, POLLOUT, deadline_ns);
    if (status == MG_OK && send(client->fd, client->out.data, client->out.len, MSG_NOSIGNAL) < 0) {
        status = MG_IO;
    }
    if (status == MG_OK) {
        status = wait_for(client, POLLIN, deadline_ns);
    }
    if (status != MG_OK) {
        return status;
    }
    ssize_t len = recv(client->fd, client->in, sizeof(client->in), MSG_TRUNC);
    if (len <= 0 || (size_t)len > sizeof(client->in)) {
        return MG_IO;
    }
    *reply = mg_slice_of(client->in, (size_t)len);
    return MG_OK;
}

/* exchange_bytes sends what is in |out|, on the connection that is there or a new one. A connection that was there may
 * have been lost without notice, with a signer that has ended since: then, and only then, it is tried once more. */
static enum mg_status exchange_bytes(struct signer_client *client, uint32_t timeout_ms, struct mg_slice *reply,
                                     struct mg_error *error)
{
    uint64_t deadline_ns = mg_clock_monotonic_ns() + timeout_ms * MG_NS_PER_MS;
    enum mg_status status = MG_IO;
    if (client->fd >= 0) {
        status = transfer(client, deadline_ns, reply);
    }
    if (status == MG_IO) {
        disconnect(client);
        status = connect_until(client, deadline_ns, error);
        if (status != MG_OK) {
            return status;
        }
        status = transfer(client, deadline_ns, reply);
    }
    if (status == MG_AGAIN) {
        return mg_error_set(error, MG_IO, "the signer did not answer within %u ms", timeout_ms);
    }
    return status == MG_OK ? MG_OK : mg_error_set(error, MG_IO, "the signer closed the connection without an answer");
}

/* take_reply decodes |packet|, which must answer |request|. */
static enum mg_status take_reply(struct mg_slice packet, const struct wire_control_request *request,
                                 struct wire_control_reply *reply, struct mg_error *error)
{
    struct mg_error why = {""};
    if (wire_control_decode_reply(packet, reply, &why) != MG_OK) {
        return mg_error_set(error, MG_INTERNAL, "the signer's answer does not decode: %s", why.text);
    }
    if (reply->call != request->call || reply->id != request->id) {
        return mg_error_set(error, MG_INTERNAL, "the signer answered another question");
    }
    return MG_OK;
}

static void count(struct signer_client *client, int end)
{
    atomic_fetch_add_explicit(&client->num_calls[end], 1, memory_order_relaxed);
    atomic_store_explicit(&client->is_reachable, end != CALL_UNANSWERED, memory_order_relaxed);
}

/* exchange_within makes one call under the lock. The reply borrows from the client; a refusal is the result. */
static enum mg_status exchange_within(struct signer_client *client, uint32_t timeout_ms,
                                      struct wire_control_request *request, struct wire_control_reply *reply,
                                      struct mg_error *error)
{
    struct mg_slice packet;
    request->id = ++client->last_id;
    mg_buffer_clear(&client->out);
    wire_control_encode_request(&client->out, request);
    if (!mg_buffer_ok(&client->out)) {
        return mg_error_set(error, MG_INVALID, "%s: does not fit a packet to the signer",
                            wire_control_call_name(request->call));
    }
    enum mg_status status = exchange_bytes(client, timeout_ms, &packet, error);
    if (status == MG_OK) {
        status = take_reply(packet, request, reply, error);
    }
    if (status != MG_OK) {
        count(client, CALL_UNANSWERED);
        disconnect(client); /* a late answer is not to be taken for that of the next call */
        return status;
    }
    /* Nothing is refused by the end of a list. */
    bool is_refused = reply->status != WIRE_CONTROL_OK && request->call != WIRE_CONTROL_LIST;
    count(client, is_refused ? CALL_REFUSED : CALL_OK);
    if (reply->status != WIRE_CONTROL_OK) {
        return mg_error_set(error, wire_control_status_class(reply->status), "%.*s", (int)reply->text.len,
                            (const char *)reply->text.data);
    }
    return MG_OK;
}

static enum mg_status exchange(struct signer_client *client, struct wire_control_request *request,
                               struct wire_control_reply *reply, struct mg_error *error)
{
    return exchange_within(client, client->timeout_ms, request, reply, error);
}

/* Looking after the signer */

bool signer_client_is_reachable(const struct signer_client *client)
{
    return atomic_load_explicit(&client->is_reachable, memory_order_relaxed);
}

enum mg_status signer_client_probe(struct signer_client *client, uint32_t timeout_ms, struct mg_error *error)
{
    /* The key behind the last possible one: an answer, whatever it says, is what is wanted. */
    struct wire_control_request request = {.call = WIRE_CONTROL_LIST};
    struct wire_control_reply reply;
    memset(request.key_id.bytes, 0xff, sizeof(request.key_id.bytes));
    if (pthread_mutex_trylock(&client->lock) == 0) {
        enum mg_status asked = exchange_within(client, timeout_ms, &request, &reply, error);
        pthread_mutex_unlock(&client->lock);
        if (asked == MG_NOT_FOUND && error != NULL) {
            error->text[0] = '\0';
        }
        return asked == MG_IO || asked == MG_INTERNAL ? MG_IO : MG_OK;
    }
    return signer_client_is_reachable(client) ? MG_OK : mg_error_set(error, MG_IO, "the signer has not answered yet");
}

void signer_client_metrics(const struct signer_client *client, struct mg_buffer *out)
{
    static const char reachable[] = "mintgate_control_signer_reachable",
                      calls[] = "mintgate_control_signer_calls_total";
    static const char *const ends[NUM_CALL_ENDS] = {
        [CALL_OK] = "end=\"ok\"", [CALL_REFUSED] = "end=\"refused\"", [CALL_UNANSWERED] = "end=\"unanswered\""};
    mg_metrics_family(out, reachable, "gauge", "1 while the signer answers.");
    mg_metrics_sample(out, reachable, "", signer_client_is_reachable(client));
    mg_metrics_family(out, calls, "counter", "Calls of the signer, by how they ended.");
    for (size_t i = 0; i < NUM_CALL_ENDS; i++) {
        mg_metrics_sample(out, calls, ends[i], atomic_load_explicit(&client->num_calls[i], memory_order_relaxed));
    }
}

/* The calls */

static enum mg_status append_der(struct mg_buffer *out, struct mg_slice der, struct mg_error *error)
{
    mg_buffer_append_slice(out, der);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for the signer's answer");
}

/* call_for_der makes a call whose result is DER; call_for_nothing one that has none. */
static enum mg_status call_for_der(struct signer_client *client, struct wire_control_request *request,
                                   struct mg_buffer *der, struct mg_error *error)
{
    struct wire_control_reply reply;
    pthread_mutex_lock(&client->lock);
    enum mg_status status = exchange(client, request, &reply, error);
    if (status == MG_OK) {
        status = append_der(der, reply.der, error);
    }
    pthread_mutex_unlock(&client->lock);
    return status;
}

static enum mg_status call_for_nothing(struct signer_client *client, struct wire_control_request *request,
                                       struct mg_error *error)
{
    struct wire_control_reply reply;
    pthread_mutex_lock(&client->lock);
    enum mg_status status = exchange(client, request, &reply, error);
    pthread_mutex_unlock(&client->lock);
    return status;
}

/* visit_next lists one key behind |at| and moves |at| to it. MG_NOT_FOUND: there is none; else as |visit| says. */
static enum mg_status visit_next(struct signer_client *client, struct wire_key_id *at, signer_client_visitor *visit,
                                 void *arg, bool *is_visited, struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_LIST, .key_id = *at};
    struct wire_control_reply reply;
    pthread_mutex_lock(&client->lock);
    enum mg_status status = exchange(client, &request, &reply, error);
    *is_visited = status == MG_OK;
    if (status == MG_OK) {
        *at = reply.key.key_id;
        status = visit(arg, &reply.key);
    }
    pthread_mutex_unlock(&client->lock);
    return status;
}

enum mg_status signer_client_list(struct signer_client *client, signer_client_visitor *visit, void *arg,
                                  struct mg_error *error)
{
    struct wire_key_id at = {{0}};
    bool is_visited;
    enum mg_status status;
    do {
        status = visit_next(client, &at, visit, arg, &is_visited, error);
    } while (status == MG_OK);
    if (!is_visited && status == MG_NOT_FOUND) { /* the end of the list */
        if (error != NULL) {
            error->text[0] = '\0';
        }
        return MG_OK;
    }
    return status;
}

enum mg_status signer_client_make_key_for(struct signer_client *client, enum wire_key_purpose purpose,
                                          enum wire_key_type type, const struct wire_control_token *token,
                                          const char *label, const char *holder, struct wire_key_id *out,
                                          struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_KEY,
                                           .make_key = {.purpose = purpose,
                                                        .type = type,
                                                        .token = *token,
                                                        .label = mg_slice_of_text(label),
                                                        .holder = mg_slice_of_text(holder)}};
    struct wire_control_reply reply;
    if (request.make_key.label.len > WIRE_CONTROL_MAX_LABEL) {
        return mg_error_set(error, MG_INVALID, "label: at most %d bytes are allowed", WIRE_CONTROL_MAX_LABEL);
    }
    if (request.make_key.holder.len > WIRE_CONTROL_MAX_HOLDER) {
        return mg_error_set(error, MG_INVALID, "holder: at most %d bytes are allowed", WIRE_CONTROL_MAX_HOLDER);
    }
    pthread_mutex_lock(&client->lock);
    enum mg_status status = exchange(client, &request, &reply, error);
    if (status == MG_OK) {
        *out = reply.made;
    }
    pthread_mutex_unlock(&client->lock);
    return status;
}

enum mg_status signer_client_make_key(struct signer_client *client, enum wire_key_type type,
                                      const struct wire_control_token *token, const char *label, const char *holder,
                                      struct wire_key_id *out, struct mg_error *error)
{
    return signer_client_make_key_for(client, WIRE_PURPOSE_MINTING, type, token, label, holder, out, error);
}

enum mg_status signer_client_import_key(struct signer_client *client, enum wire_key_purpose purpose,
                                        const struct wire_control_token *token, const char *label,
                                        struct mg_slice secret, struct wire_key_id *out, struct mg_error *error)
{
    struct wire_control_request request = {
        .call = WIRE_CONTROL_IMPORT_KEY,
        .import_key = {.purpose = purpose, .token = *token, .label = mg_slice_of_text(label), .secret = secret}};
    struct wire_control_reply reply;
    if (request.import_key.label.len > WIRE_CONTROL_MAX_LABEL || secret.len > WIRE_CONTROL_MAX_SECRET) {
        return mg_error_set(error, MG_INVALID, "key: at most %d bytes are allowed, and of its label %d",
                            WIRE_CONTROL_MAX_SECRET, WIRE_CONTROL_MAX_LABEL);
    }
    pthread_mutex_lock(&client->lock);
    enum mg_status status = exchange(client, &request, &reply, error);
    if (status == MG_OK) {
        *out = reply.made;
    }
    mg_secret_wipe(client->out.data, client->out.capacity);
    pthread_mutex_unlock(&client->lock);
    return status;
}

enum mg_status signer_client_public_key(struct signer_client *client, const struct wire_key_id *key_id,
                                        struct mg_buffer *der, struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_PUBLIC_KEY, .key_id = *key_id};
    return call_for_der(client, &request, der, error);
}

enum mg_status signer_client_make_csr(struct signer_client *client, const struct wire_key_id *key_id,
                                      const struct wire_control_make_csr *wanted, struct mg_buffer *der,
                                      struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_CSR, .key_id = *key_id, .make_csr = *wanted};
    return call_for_der(client, &request, der, error);
}

enum mg_status signer_client_attest(struct signer_client *client, const struct wire_key_id *key_id,
                                    const uint8_t nonce[WIRE_CONTROL_NONCE_LEN], struct mg_buffer *text,
                                    struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_ATTEST, .key_id = *key_id};
    memcpy(request.attest.nonce, nonce, sizeof(request.attest.nonce));
    return call_for_der(client, &request, text, error);
}

enum mg_status signer_client_install(struct signer_client *client, const struct wire_key_id *key_id,
                                     const struct wire_control_chain *chain, struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_INSTALL, .key_id = *key_id, .install = *chain};
    return call_for_nothing(client, &request, error);
}

enum mg_status signer_client_remove(struct signer_client *client, const struct wire_key_id *key_id,
                                    struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_REMOVE, .key_id = *key_id};
    return call_for_nothing(client, &request, error);
}

enum mg_status signer_client_destroy(struct signer_client *client, const struct wire_key_id *key_id,
                                     struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_DESTROY, .key_id = *key_id};
    return call_for_nothing(client, &request, error);
}

/* Private CAs */

enum mg_status signer_client_sign_certificate(struct signer_client *client, const struct wire_key_id *key_id,
                                              struct mg_slice tbs, struct mg_buffer *signature, struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_SIGN_CERTIFICATE, .key_id = *key_id, .tbs = tbs};
    return call_for_der(client, &request, signature, error);
}

enum mg_status signer_client_sign_crl(struct signer_client *client, const struct wire_key_id *key_id,
                                      struct mg_slice tbs, struct mg_buffer *signature, struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_SIGN_CRL, .key_id = *key_id, .tbs = tbs};
    return call_for_der(client, &request, signature, error);
}

enum mg_status signer_client_ska_sign_tbs(struct signer_client *client, const struct wire_key_id *key_id,
                                          const struct wire_control_ska_sign *wanted, struct mg_buffer *out,
                                          struct mg_error *error)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_SKA_SIGN_TBS, .key_id = *key_id, .ska_sign = *wanted};
    return call_for_der(client, &request, out, error);
}

enum mg_status signer_client_ska_sign_payload(struct signer_client *client, const struct wire_key_id *key_id,
                                              const struct wire_control_ska_sign *wanted, struct mg_buffer *out,
                                              struct mg_error *error)
{
    struct wire_control_request request = {
        .call = WIRE_CONTROL_SKA_SIGN_PAYLOAD, .key_id = *key_id, .ska_sign = *wanted};
    return call_for_der(client, &request, out, error);
}
