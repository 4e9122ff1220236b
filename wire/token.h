/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages between the signer and the processes that hold its PKCS#11 tokens, over SOCK_SEQPACKET sockets that a
 * child inherits: one message per packet, encoded and decoded face to face in token.c. Integers are big-endian.
 *
 *   signer                                 launcher: started once, starts the children
 *     LAUNCH   place, token           ──►
 *     KILL     place                  ──►
 *                                     ◄──  EXITED   place, wait status
 *
 *   signer, supervising                    child: mintgate-token, one for each token
 *                                     ◄──  READY    logged in, or why not; first and once
 *     CALL     call, id, fields       ──►
 *                                     ◄──  REPLY    call, id, status, fields
 *
 *   signer, each signing thread            child, on a socket for each of them
 *     SIGN     digests under one key  ──►
 *                                     ◄──  SIGNED   results, in any order, in any grouping
 *
 * One CALL is under way at a time; several SIGN packets may be. A packet that does not decode is fatal to the child:
 * one of the two is broken. Unlike the engine, the signer does ask for signatures of digests here: it has judged what
 * they are digests of, and nobody else holds an end of these sockets.
 *
 * Pure encode and decode, no I/O: any thread.
 */
#ifndef MINTGATE_WIRE_TOKEN_H
#define MINTGATE_WIRE_TOKEN_H

#include "wire/signer.h"

#define WIRE_TOKEN_VERSION 2
/* The largest packet either side sends or accepts. */
#define WIRE_TOKEN_MAX_PACKET (64 * 1024)
/* Digests in a SIGN packet. */
#define WIRE_TOKEN_MAX_BATCH 64
#define WIRE_TOKEN_MAX_DIGEST 64
#define WIRE_TOKEN_MAX_SIGNATURE WIRE_SIGNER_MAX_SIGNATURE
#define WIRE_TOKEN_FINGERPRINT_LEN 32
#define WIRE_TOKEN_MAX_SPKI 2048
#define WIRE_TOKEN_MAX_LABEL 64
#define WIRE_TOKEN_MAX_TEXT 511
#define WIRE_TOKEN_MAX_KEYS 256
#define WIRE_TOKEN_MAX_SESSIONS 64
#define WIRE_TOKEN_MAX_LANES 64  /* signing sockets of a child */
#define WIRE_TOKEN_MAX_PLACES 16 /* tokens of a signer */
#define WIRE_TOKEN_MAX_PATH 1023

enum wire_token_type {
    WIRE_TOKEN_LAUNCH = 1,
    WIRE_TOKEN_KILL = 2,
    WIRE_TOKEN_EXITED = 3,
    WIRE_TOKEN_READY = 4,
    WIRE_TOKEN_CALL = 5,
    WIRE_TOKEN_REPLY = 6,
    WIRE_TOKEN_SIGN = 7,
    WIRE_TOKEN_SIGNED = 8,
};

/* How an opening, a call or a signature ended. */
enum wire_token_status {
    WIRE_TOKEN_OK = 0,
    WIRE_TOKEN_INVALID = 1,      /* a field breaks a rule */
    WIRE_TOKEN_NOT_FOUND = 2,    /* no such key, or not with this public key */
    WIRE_TOKEN_EXISTS = 3,       /* another key has this id */
    WIRE_TOKEN_REFUSED = 4,      /* the token has no such mechanism, or did not make the key as it must be */
    WIRE_TOKEN_FAILED = 5,       /* the module returned an error, or the child could not go on */
    WIRE_TOKEN_NO_MODULE = 6,    /* opening: the module could not be loaded or does not start */
    WIRE_TOKEN_NO_TOKEN = 7,     /* opening: no token, or several, answer to the name */
    WIRE_TOKEN_PIN_WRONG = 8,    /* opening: the token did not take the PIN: another try is one nearer to its lock */
    WIRE_TOKEN_PIN_LAST_TRY = 9, /* opening: one wrong PIN more would lock it, so none was tried */
    WIRE_TOKEN_PIN_LOCKED = 10,  /* opening: locked already; none was tried */
};
#define WIRE_TOKEN_NUM_STATUSES 11

/* wire_token_status_name returns a static word such as "pin_wrong", for counters and logs. */
const char *wire_token_status_name(enum wire_token_status status);
/* wire_token_status_class turns a status into the class of an error. */
enum mg_status wire_token_status_class(enum wire_token_status status);

/* The hash that a digest was made with: RSA signs its name along (RFC 8017 section 9.2). */
enum wire_token_digest {
    WIRE_TOKEN_SHA256 = 1,
    WIRE_TOKEN_SHA384 = 2,
    WIRE_TOKEN_SHA512 = 3,
};
/* wire_token_digest_len returns 32, 48 or 64. */
size_t wire_token_digest_len(enum wire_token_digest digest);

/* wire_token_type_of reads the type of |packet|: MG_INVALID for an empty packet or an unknown type. */
MG_MUST_USE enum mg_status wire_token_type_of(struct mg_slice packet, enum wire_token_type *out);

/* The launcher. With a LAUNCH come, as SCM_RIGHTS, the child's descriptors: its supervising socket, the pipe that its
 * PIN comes through, and |num_lanes| signing sockets. The texts have no NUL in them. */
struct wire_token_launch {
    uint8_t place;          /* below WIRE_TOKEN_MAX_PLACES: what KILL and EXITED call this child */
    uint8_t num_lanes;      /* 1 to WIRE_TOKEN_MAX_LANES */
    uint8_t num_sessions;   /* to sign on, up to WIRE_TOKEN_MAX_SESSIONS; 0: as many as a calibration finds best */
    struct mg_slice module; /* path, 1 to WIRE_TOKEN_MAX_PATH bytes */
    struct mg_slice token;  /* label, or URI (RFC 7512), likewise */
};

struct wire_token_exited {
    uint8_t place;
    uint32_t wait_status; /* waitpid(2) */
};

/* The child */

/* Who a token is: what C_GetInfo, C_GetSlotInfo and C_GetTokenInfo say, as UTF-8 without control characters. */
struct wire_token_identity {
    struct mg_slice module;       /* library description */
    struct mg_slice module_maker; /* its manufacturer */
    struct mg_slice label, maker, model, serial;
    uint8_t module_version[2], hardware_version[2], firmware_version[2]; /* major, minor */
    bool is_hardware_slot;                                               /* CKF_HW_SLOT (C_GetSlotInfo) */
};

struct wire_token_ready {
    enum wire_token_status status;
    uint32_t rv; /* the CK_RV behind it; 0: none */
    union {
        struct mg_slice text; /* unless WIRE_TOKEN_OK: for people; UTF-8 */
        struct {
            uint8_t num_sessions; /* that it signs on */
            uint32_t rate;        /* signatures a second that the calibration found; 0: there was none */
            struct wire_token_identity identity;
        };
    };
};

enum wire_token_call {
    WIRE_TOKEN_PING = 1,       /* asks the token whether it is there and logged in */
    WIRE_TOKEN_LIST = 2,       /* the signing keys whose id has the length of a wire_key_id */
    WIRE_TOKEN_MAKE_KEY = 3,   /* the same id and type again: the same key */
    WIRE_TOKEN_PUBLIC_KEY = 4, /* read from the token */
    WIRE_TOKEN_ATTRIBUTES = 5, /* of the private key, read from the token now */
    WIRE_TOKEN_SIGN_ONE = 6,   /* for certification requests and proofs: what the signing sockets are not for */
    WIRE_TOKEN_DESTROY = 7,    /* well done also if there is no such key */
};
#define WIRE_TOKEN_LAST_CALL WIRE_TOKEN_DESTROY

/* wire_token_call_name returns a static word such as "make_key". */
const char *wire_token_call_name(enum wire_token_call call);

/* Which key of a token: its CKA_ID, and SHA-256 over its SubjectPublicKeyInfo, so that a token which has another key
 * under the same id never signs for this one. */
struct wire_token_key_ref {
    struct wire_key_id id;
    uint8_t fingerprint[WIRE_TOKEN_FINGERPRINT_LEN];
};

struct wire_token_sign_one {
    struct wire_token_key_ref key;
    enum wire_token_digest digest;
    struct mg_slice octets; /* the digest */
};

struct wire_token_request {
    enum wire_token_call call;
    uint64_t id; /* the reply's */
    union {
        struct wire_key_id key_id; /* PUBLIC_KEY, ATTRIBUTES, DESTROY */
        struct {                   /* MAKE_KEY */
            struct wire_key_id id;
            enum wire_key_type type;
            struct mg_slice label; /* UTF-8, at most WIRE_TOKEN_MAX_LABEL bytes */
        } make_key;
        struct wire_token_sign_one sign_one;
    };
};

struct wire_token_health {
    uint64_t signatures; /* made since the child began */
    uint64_t failures;
};

struct wire_token_listed {
    struct wire_key_id id;
    enum wire_key_type type;
    struct mg_slice label; /* UTF-8; empty where the token's is none */
};

struct wire_token_list {
    struct wire_token_listed keys[WIRE_TOKEN_MAX_KEYS];
    size_t num_keys;
};

enum wire_token_answer { WIRE_TOKEN_NO = 0, WIRE_TOKEN_YES = 1, WIRE_TOKEN_UNKNOWN = 2 };

/* What a token says of a private key (PKCS#11 v2.40 base, sections 4.7 and 4.9). UNKNOWN: it has no such attribute. */
enum wire_token_attribute {
    WIRE_TOKEN_IS_LOCAL, /* made on the token */
    WIRE_TOKEN_IS_SENSITIVE,
    WIRE_TOKEN_WAS_ALWAYS_SENSITIVE,
    WIRE_TOKEN_IS_EXTRACTABLE,
    WIRE_TOKEN_WAS_NEVER_EXTRACTABLE,
    WIRE_TOKEN_IS_MODIFIABLE,
    WIRE_TOKEN_IS_PRIVATE,
    WIRE_TOKEN_MAY_SIGN,
    WIRE_TOKEN_MAY_DECRYPT,
    WIRE_TOKEN_MAY_UNWRAP,
    WIRE_TOKEN_MAY_DERIVE,
    WIRE_TOKEN_IS_READABLE, /* it gave the private value out when asked for it */
};
#define WIRE_TOKEN_NUM_ATTRIBUTES 12

/* wire_token_attribute_name returns a static word such as "never_extractable". */
const char *wire_token_attribute_name(enum wire_token_attribute attribute);

struct wire_token_attributes {
    enum wire_token_answer answers[WIRE_TOKEN_NUM_ATTRIBUTES];
    uint64_t mechanism; /* CKA_KEY_GEN_MECHANISM; WIRE_TOKEN_NO_MECHANISM where the token does not say */
    enum wire_key_type type;
    struct mg_slice label; /* UTF-8 */
    struct mg_slice spki;
};
#define WIRE_TOKEN_NO_MECHANISM UINT64_MAX

struct wire_token_reply {
    enum wire_token_call call;
    uint64_t id;
    enum wire_token_status status;
    uint32_t rv;
    union {
        struct mg_slice text; /* unless WIRE_TOKEN_OK: for people; UTF-8 */
        struct wire_token_health health;
        struct mg_slice spki;      /* MAKE_KEY, PUBLIC_KEY */
        struct mg_slice signature; /* SIGN_ONE */
        struct wire_token_attributes attributes;
        struct wire_token_list list;
    };
};

/* Signing */

struct wire_token_sign {
    struct wire_token_key_ref key;
    enum wire_token_digest digest;
    size_t num_jobs; /* at least one */
    struct {
        uint64_t id;
        struct mg_slice octets; /* wire_token_digest_len of them */
    } jobs[WIRE_TOKEN_MAX_BATCH];
};

struct wire_token_result {
    uint64_t id;
    enum wire_token_status status;
    uint32_t rv;
    struct mg_slice signature; /* the content of signatureValue (ECDSA: DER); empty unless WIRE_TOKEN_OK */
};

/* The encoders append one packet to |out|, which the caller has initialised with WIRE_TOKEN_MAX_PACKET as its limit
 * and cleared; check mg_buffer_ok. Values that the decoders refuse are the caller's to avoid. */
void wire_token_encode_launch(struct mg_buffer *out, const struct wire_token_launch *launch);
void wire_token_encode_kill(struct mg_buffer *out, uint8_t place);
void wire_token_encode_exited(struct mg_buffer *out, const struct wire_token_exited *exited);
void wire_token_encode_ready(struct mg_buffer *out, const struct wire_token_ready *ready);
void wire_token_encode_request(struct mg_buffer *out, const struct wire_token_request *request);
void wire_token_encode_reply(struct mg_buffer *out, const struct wire_token_reply *reply);
void wire_token_encode_sign(struct mg_buffer *out, const struct wire_token_sign *sign);
/* A batch of results is begun and filled. wire_token_add_signed returns false, and leaves the batch as it was, when
 * the packet or the count is full; an empty one has room for the largest result. */
void wire_token_begin_signed(struct mg_buffer *out);
MG_MUST_USE bool wire_token_add_signed(struct mg_buffer *out, const struct wire_token_result *result);

/* The decoders check every size, range and count, that texts are UTF-8, and that nothing is left over. What they return
 * borrows from |packet|. MG_INVALID, with a text that says what was wrong. */
MG_MUST_USE enum mg_status wire_token_decode_launch(struct mg_slice packet, struct wire_token_launch *out,
                                                    struct mg_error *error);
MG_MUST_USE enum mg_status wire_token_decode_kill(struct mg_slice packet, uint8_t *place, struct mg_error *error);
MG_MUST_USE enum mg_status wire_token_decode_exited(struct mg_slice packet, struct wire_token_exited *out,
                                                    struct mg_error *error);
MG_MUST_USE enum mg_status wire_token_decode_ready(struct mg_slice packet, struct wire_token_ready *out,
                                                   struct mg_error *error);
MG_MUST_USE enum mg_status wire_token_decode_request(struct mg_slice packet, struct wire_token_request *out,
                                                     struct mg_error *error);
MG_MUST_USE enum mg_status wire_token_decode_reply(struct mg_slice packet, struct wire_token_reply *out,
                                                   struct mg_error *error);
MG_MUST_USE enum mg_status wire_token_decode_sign(struct mg_slice packet, struct wire_token_sign *out,
                                                  struct mg_error *error);
/* |out| has room for WIRE_TOKEN_MAX_BATCH results. */
MG_MUST_USE enum mg_status wire_token_decode_signed(struct mg_slice packet, struct wire_token_result *out,
                                                    size_t *num_out, struct mg_error *error);

#endif
