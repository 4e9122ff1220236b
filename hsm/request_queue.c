/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/request_queue.h"

#include <stdlib.h>

struct line {
    struct leaf_request *first, *last;
    size_t count;
};

struct request_queue {
    struct leaf_request *pool;
    size_t capacity;
    size_t num_touched;        /* of the pool: what lies behind was never used, so that its memory stays untouched */
    struct leaf_request *free; /* released ones */
    size_t num_in_use, num_waiting;
    struct line lines[WIRE_SIGNER_MAX_ISSUERS];
    size_t next_line; /* whose turn it is */
};

enum mg_status request_queue_new(struct request_queue **out, size_t capacity, struct mg_error *error)
{
    struct request_queue *queue = calloc(1, sizeof(*queue));
    struct leaf_request *pool = calloc(capacity, sizeof(*pool));
    if (queue == NULL || pool == NULL) {
        free(queue);
        free(pool);
        return mg_error_set(error, MG_MEMORY, "no memory for a queue of %zu requests", capacity);
    }
    queue->pool = pool;
    queue->capacity = capacity;
    *out = queue;
    return MG_OK;
}

void request_queue_free(struct request_queue *queue)
{
    if (queue != NULL) {
        free(queue->pool);
        free(queue);
    }
}

struct leaf_request *request_queue_get(struct request_queue *queue)
{
    struct leaf_request *request = queue->free;
    if (request != NULL) {
        queue->free = request->next;
    } else if (queue->num_touched < queue->capacity) {
        request = &queue->pool[queue->num_touched++];
    } else {
        return NULL;
    }
    queue->num_in_use++;
    return request;
}

void request_queue_release(struct request_queue *queue, struct leaf_request *request)
{
    request->next = queue->free;
    queue->free = request;
    queue->num_in_use--;
}

void request_queue_put(struct request_queue *queue, struct leaf_request *request)
{
    struct line *line = &queue->lines[request->issuer->line];
    request->next = NULL;
    if (line->last != NULL) {
        line->last->next = request;
    } else {
        line->first = request;
    }
    line->last = request;
    line->count++;
    queue->num_waiting++;
}

/* take_from ends a turn where the issuer changes: a line is given to another one after the first was removed. */
static size_t take_from(struct line *line, struct leaf_request **out)
{
    const struct issuer *issuer = line->first->issuer;
    size_t turn = issuer->facts.key_type->turn, count = 0;
    while (count < turn && line->first != NULL && line->first->issuer == issuer) {
        out[count++] = line->first;
        line->first = line->first->next;
    }
    if (line->first == NULL) {
        line->last = NULL;
    }
    line->count -= count;
    return count;
}

static bool always_ready(void *arg, const struct issuer *issuer)
{
    (void)arg;
    (void)issuer;
    return true;
}

size_t request_queue_take(struct request_queue *queue, struct leaf_request **out)
{
    return request_queue_take_ready(queue, out, always_ready, NULL);
}

size_t request_queue_take_ready(struct request_queue *queue, struct leaf_request **out,
                                bool (*is_ready)(void *arg, const struct issuer *issuer), void *arg)
{
    for (size_t i = 0; queue->num_waiting > 0 && i < WIRE_SIGNER_MAX_ISSUERS; i++) {
        size_t place = (queue->next_line + i) % WIRE_SIGNER_MAX_ISSUERS;
        struct line *line = &queue->lines[place];
        if (line->first != NULL && is_ready(arg, line->first->issuer)) {
            size_t count = take_from(line, out);
            queue->next_line = (place + 1) % WIRE_SIGNER_MAX_ISSUERS;
            queue->num_waiting -= count;
            return count;
        }
    }
    return 0;
}

/* extract takes what |match| returns true for out of |line| and returns it as a list. */
static struct leaf_request *extract(struct line *line, bool (*match)(void *arg, const struct leaf_request *request),
                                    void *arg)
{
    struct leaf_request *extracted = NULL, *last = NULL;
    for (struct leaf_request **link = &line->first; *link != NULL;) {
        struct leaf_request *request = *link;
        if (match(arg, request)) {
            *link = request->next;
            request->next = extracted;
            extracted = request;
            line->count--;
        } else {
            last = request;
            link = &request->next;
        }
    }
    line->last = last;
    return extracted;
}

size_t request_queue_remove_if(struct request_queue *queue,
                               bool (*match)(void *arg, const struct leaf_request *request),
                               void (*removed)(void *arg, struct leaf_request *request), void *arg)
{
    size_t count = 0;
    for (size_t i = 0; i < WIRE_SIGNER_MAX_ISSUERS; i++) {
        struct leaf_request *request = extract(&queue->lines[i], match, arg);
        while (request != NULL) {
            struct leaf_request *next = request->next;
            queue->num_waiting--;
            count++;
            removed(arg, request);
            request = next;
        }
    }
    return count;
}

bool request_queue_share_is_used(const struct request_queue *queue, const struct issuer *issuer)
{
    return queue->lines[issuer->line].count >= queue->capacity - queue->capacity / 4;
}

size_t request_queue_waiting(const struct request_queue *queue)
{
    return queue->num_waiting;
}

size_t request_queue_in_use(const struct request_queue *queue)
{
    return queue->num_in_use;
}
