/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages between the engine and the signer, over a SOCK_SEQPACKET Unix socket: one message per packet, encoded
 * and decoded face to face in signer.c. Integers are big-endian.
 *
 *   engine                                   signer
 *     HELLO  version                 ──►
 *                                    ◄──     ISSUERS  every issuer this engine may have certificates signed by
 *     SIGN   batch of TBSCertificates ──►
 *     CANCEL ids of requests          ──►    which are not signed if it comes in time, and then have no result
 *     CLIENT_SIGN  one request        ──►    by a key of the appliance as a TLS client
 *                                    ◄──     SIGNED   batch of results, in any order, in any grouping
 *
 * Requests carry ids that the engine chooses; several SIGN packets may be in flight; the signer may send ISSUERS again
 * at any time. A packet that does not decode is fatal to the connection: the peer is broken. There is no call that
 * signs a digest (design.md section 1).
 *
 * Pure encode and decode, no I/O: any thread.
 */
#ifndef MINTGATE_WIRE_SIGNER_H
#define MINTGATE_WIRE_SIGNER_H

#include "wire/packet.h"

#define WIRE_SIGNER_VERSION 3
/* The oldest one that a signer still speaks: without CANCEL and CLIENT_SIGN. */
#define WIRE_SIGNER_OLDEST_VERSION 1
/* The largest packet either side sends or accepts. Below the default socket buffer, so that no tuning is needed. */
#define WIRE_SIGNER_MAX_PACKET (128 * 1024)
/* The largest TBSCertificate in a SIGN packet: a certificate with some hundreds of names. */
#define WIRE_SIGNER_MAX_TBS (48 * 1024)
#define WIRE_SIGNER_MAX_BATCH 64
#define WIRE_SIGNER_MAX_ISSUERS 16
#define WIRE_SIGNER_MAX_CHAIN 8
/* The largest content of a CLIENT_SIGN: in TLS 1.2 all handshake messages so far. */
#define WIRE_SIGNER_MAX_CONTENT (120 * 1024)
/* The largest signatureValue: RSA-4096. */
#define WIRE_SIGNER_MAX_SIGNATURE 512

enum wire_signer_type {
    WIRE_SIGNER_HELLO = 1,
    WIRE_SIGNER_ISSUERS = 2,
    WIRE_SIGNER_SIGN = 3,
    WIRE_SIGNER_SIGNED = 4,
    WIRE_SIGNER_CANCEL = 5,
    WIRE_SIGNER_CLIENT_SIGN = 6,
};

enum wire_key_type {
    WIRE_KEY_EC_P256 = 1,
    WIRE_KEY_EC_P384 = 2,
    WIRE_KEY_RSA_2048 = 3,
    WIRE_KEY_RSA_3072 = 4,
    WIRE_KEY_RSA_4096 = 5,
    WIRE_KEY_EC_P521 = 6, /* of private CAs alone: never an issuer of leaves, and on no token */
};

/* What an issuer is for. */
enum wire_issuer_role {
    WIRE_ISSUER_DEFAULT = 1, /* forward-trust: signs for servers that verified */
    WIRE_ISSUER_UNTRUST = 2, /* forward-untrust: signs what a client should not trust */
    WIRE_ISSUER_OFFERED = 3, /* installed by control, and used for what control says */
};

/* The result of one signature request. Everything but OK and BUSY is final for that request. */
enum wire_sign_status {
    WIRE_SIGN_OK = 0,
    WIRE_SIGN_BUSY = 1,            /* queue full, deadline passed, or issuer certified anew: may be tried again */
    WIRE_SIGN_UNKNOWN_KEY = 2,     /* no such key, or not of the call's purpose */
    WIRE_SIGN_BAD_TBS = 3,         /* not a TBSCertificate in DER */
    WIRE_SIGN_BAD_ISSUER = 4,      /* issuer name, AKI or signature algorithm are not this issuer's */
    WIRE_SIGN_BAD_VALIDITY = 5,    /* longer than allowed, or outside the issuer's own */
    WIRE_SIGN_BAD_CONSTRAINTS = 6, /* basicConstraints or keyUsage of more than an end-entity */
    WIRE_SIGN_BAD_EKU = 7,         /* extended key usage other than serverAuth alone */
    WIRE_SIGN_BAD_EXTENSION = 8,   /* an extension that leaves do not carry, or one twice */
    WIRE_SIGN_BAD_NAME = 9,        /* no subjectAltName, or an empty or forbidden one */
    WIRE_SIGN_BAD_SERIAL = 10,     /* serial not positive, or not of 8 to 20 bytes */
    WIRE_SIGN_BAD_KEY = 11,        /* subject key weak, of an unknown type, or the issuer's own */
    WIRE_SIGN_FAILED = 12,         /* the backend could not sign */
    WIRE_SIGN_BAD_CONTENT = 13,    /* not what a TLS client signs, or not by this scheme (CLIENT_SIGN) */
};
#define WIRE_SIGN_NUM_STATUSES 14

/* wire_sign_status_name returns a static word such as "bad_eku", for counters and logs. */
const char *wire_sign_status_name(enum wire_sign_status status);

struct wire_issuer {
    struct wire_key_id key_id;
    enum wire_issuer_role role;
    enum wire_key_type key_type;
    /* The issuer's own certificate first, then upwards; DER; at least one. Borrowed. The last may be a root, which is
     * never sent to clients. */
    struct mg_slice chain[WIRE_SIGNER_MAX_CHAIN];
    size_t num_chain;
};

/* An issuer as it stands in a packet, of this protocol or another (wire/publish.h). */
void wire_put_issuer(struct mg_buffer *out, const struct wire_issuer *issuer);
void wire_read_issuer(struct wire_reader *in, struct wire_issuer *out);

struct wire_issuers {
    struct wire_issuer issuers[WIRE_SIGNER_MAX_ISSUERS];
    size_t num_issuers;
};

struct wire_sign_request {
    uint64_t id;
    struct wire_key_id key_id;
    uint32_t timeout_ms; /* from receipt; 0: none. Not signed later than that */
    struct mg_slice tbs; /* borrowed; DER of a TBSCertificate */
};

/* What a TLS client proves itself by to a server: its CertificateVerify. Answered by SIGNED like the above, at once and
 * without a place in the queue. */
struct wire_client_sign {
    uint64_t id; /* not that of a request under way */
    struct wire_key_id key_id;
    uint16_t scheme;         /* TLS SignatureScheme, RFC 8446 section 4.2.3 */
    struct mg_slice content; /* borrowed; what is signed, before hashing: 1 to WIRE_SIGNER_MAX_CONTENT bytes */
};

struct wire_sign_result {
    uint64_t id;
    enum wire_sign_status status;
    struct mg_slice signature; /* borrowed; the content of signatureValue; empty unless WIRE_SIGN_OK */
};

/* Requests that nobody waits for any more. */
struct wire_sign_cancel {
    uint64_t ids[WIRE_SIGNER_MAX_BATCH];
    size_t num_ids; /* at least one */
};

/* wire_signer_type_of reads the type of |packet|: MG_INVALID for an empty packet or an unknown type. */
MG_MUST_USE enum mg_status wire_signer_type_of(struct mg_slice packet, enum wire_signer_type *out);

/* The encoders append one packet to |out|, which the caller has initialised with WIRE_SIGNER_MAX_PACKET as its limit
 * and cleared; check mg_buffer_ok. Values that the decoders refuse (an empty or oversized TBSCertificate, a signature
 * with a status other than OK) are the caller's to avoid. */
void wire_signer_encode_hello(struct mg_buffer *out);
void wire_signer_encode_issuers(struct mg_buffer *out, const struct wire_issuers *issuers);
void wire_signer_encode_cancel(struct mg_buffer *out, const struct wire_sign_cancel *cancel);
void wire_signer_encode_client_sign(struct mg_buffer *out, const struct wire_client_sign *request);

/* A batch is begun, filled and ended. wire_signer_add_* returns false, and leaves the batch as it was, when the packet
 * or the count is full: end it, send it and begin another; an empty batch has room for the largest entry. It is also
 * false for an entry that no batch takes: a TBSCertificate that is empty or over WIRE_SIGNER_MAX_TBS, a signature over
 * WIRE_SIGNER_MAX_SIGNATURE. */
void wire_signer_begin_sign(struct mg_buffer *out);
MG_MUST_USE bool wire_signer_add_sign(struct mg_buffer *out, const struct wire_sign_request *request);
void wire_signer_begin_signed(struct mg_buffer *out);
MG_MUST_USE bool wire_signer_add_signed(struct mg_buffer *out, const struct wire_sign_result *result);
/* wire_signer_end_batch returns the number of entries; an empty batch must not be sent. */
size_t wire_signer_end_batch(struct mg_buffer *out);

/* The decoders check every size, range and count, and that nothing is left over. What they return borrows from
 * |packet|. MG_INVALID, with a text that says what was wrong. */
MG_MUST_USE enum mg_status wire_signer_decode_hello(struct mg_slice packet, uint16_t *version, struct mg_error *error);
MG_MUST_USE enum mg_status wire_signer_decode_issuers(struct mg_slice packet, struct wire_issuers *out,
                                                      struct mg_error *error);
MG_MUST_USE enum mg_status wire_signer_decode_cancel(struct mg_slice packet, struct wire_sign_cancel *out,
                                                     struct mg_error *error);
MG_MUST_USE enum mg_status wire_signer_decode_client_sign(struct mg_slice packet, struct wire_client_sign *out,
                                                          struct mg_error *error);
/* |out| has room for WIRE_SIGNER_MAX_BATCH entries. */
MG_MUST_USE enum mg_status wire_signer_decode_sign(struct mg_slice packet, struct wire_sign_request *out,
                                                   size_t *num_out, struct mg_error *error);
MG_MUST_USE enum mg_status wire_signer_decode_signed(struct mg_slice packet, struct wire_sign_result *out,
                                                     size_t *num_out, struct mg_error *error);

#endif
