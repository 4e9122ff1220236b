/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of wire/publish.h that bring what stores hold to the engines, apart from the swap of issuers:
 *
 *   engine                                                control
 *     WANT         all stores that its configuration names ──►    after HELLO, and when that changes
 *                                                       ◄──  STORE        a part of what one of them holds
 *     STORE_TAKEN  so many of its items are here, or why not ──►
 *
 * A store travels in as many parts as it takes, in the order of its items, each sent when the one before was answered;
 * a part whose first item is 0 begins it anew. With the last one the engine uses it, and never a part of it. Control
 * sends a store when an engine wants it, and again whenever its epoch (control/sap/sap_reading.h) is another one.
 *
 * Encoded and decoded face to face by wire/publish.c. Pure: any thread.
 */
#ifndef MINTGATE_WIRE_PUBLISH_STORE_H
#define MINTGATE_WIRE_PUBLISH_STORE_H

#include "wire/signer.h"

/* Stores that one engine wants. */
#define WIRE_STORE_MAX_WANTS 64
#define WIRE_STORE_MAX_NAME 64
/* Of a store: 64 entries of 32 certificates (control/sap/sap.h). */
#define WIRE_STORE_MAX_ITEMS 2048
#define WIRE_STORE_MAX_ITEMS_OF_PART 64
/* Of a reason; UTF-8, not checked here. */
#define WIRE_STORE_MAX_TEXT 255

enum wire_store_kind {
    WIRE_STORE_TRUST = 1, /* certificates that servers are verified by */
    WIRE_STORE_KEYS = 2,  /* what a TLS client proves itself by */
};

/* A store by the name that the configuration has for it: its own, or that of a reference. */
struct wire_store_id {
    enum wire_store_kind kind;
    struct mg_slice name; /* 1 to WIRE_STORE_MAX_NAME bytes; borrowed, as all slices here */
};

struct wire_store_wants {
    struct wire_store_id ids[WIRE_STORE_MAX_WANTS]; /* each once */
    size_t num_ids;
};

/* Of a trust store: one certificate. Of a key store: one entry. */
struct wire_store_item {
    struct mg_slice certificates[WIRE_SIGNER_MAX_CHAIN]; /* DER; a key's own first */
    size_t num_certificates;                             /* at least 1; in a trust store 1 */
    bool is_anchor;            /* trust: a CA whose certificates are trusted; else this very certificate alone is */
    struct mg_slice name;      /* keys: 1 to WIRE_STORE_MAX_NAME bytes */
    struct wire_key_id key_id; /* keys: of the signer's */
};

struct wire_store_part {
    struct wire_store_id id;
    struct mg_slice missing; /* why there is no such store, for people; empty: there is one */
    uint16_t first, num_all; /* its first item's place, and how many the store has; 0 of 0: it is empty */
    struct wire_store_item items[WIRE_STORE_MAX_ITEMS_OF_PART];
    size_t num_items; /* at least 1, but for a store that is empty or missing */
};

struct wire_store_taken {
    struct wire_store_id id;
    uint16_t num_taken;
    struct mg_slice reason; /* why the store cannot be used, for people; empty: it can */
};

/* wire_store_item_size returns what |item| adds to the packet of a part. */
size_t wire_store_item_size(enum wire_store_kind kind, const struct wire_store_item *item);

/* The fields of each message, for wire/publish.c. */
void wire_put_store_wants(struct mg_buffer *out, const struct wire_store_wants *wants);
void wire_put_store_part(struct mg_buffer *out, const struct wire_store_part *part);
void wire_put_store_taken(struct mg_buffer *out, const struct wire_store_taken *taken);
void wire_read_store_wants(struct wire_reader *in, struct wire_store_wants *out);
void wire_read_store_part(struct wire_reader *in, struct wire_store_part *out);
void wire_read_store_taken(struct wire_reader *in, struct wire_store_taken *out);

#endif
