/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages between control and the signer, over a SOCK_SEQPACKET Unix socket of their own: one message per packet,
 * encoded and decoded face to face in signer_control.c. Integers are big-endian.
 *
 *   control                          signer
 *     request  call, id, fields ──►
 *                               ◄──  reply  call, id, status, fields
 *
 * A connection has one request under way; its reply carries its call and id. A packet that does not decode is fatal to
 * the connection: the peer is broken, or of another version. No call gives out a private key, signs a digest, or has a
 * minting key or that of a private CA sign bytes that the signer has not read as what they must be (design.md section
 * 1): certification requests and attestations are put together by the signer; certificates and CRLs of private CAs are
 * parsed whole and held to a policy. Keys with the purpose ska, which are kept for others, sign whole structures that
 * control made and the signer parses (SKA_SIGN_TBS), and other payloads (SKA_SIGN_PAYLOAD).
 *
 * Every call may be made again after an answer was lost, with the same result: that is how control goes on after a
 * crash of either side. IMPORT_KEY alone carries a private key, from control to the signer: both sides wipe its packet.
 *
 * Pure encode and decode, no I/O: any thread.
 */
#ifndef MINTGATE_WIRE_SIGNER_CONTROL_H
#define MINTGATE_WIRE_SIGNER_CONTROL_H

#include "wire/signer.h"

#define WIRE_CONTROL_VERSION 3
/* The largest packet either side sends or accepts. */
#define WIRE_CONTROL_MAX_PACKET WIRE_SIGNER_MAX_PACKET
/* A key's certificates all together, so that INSTALL and LIST fit a packet. */
#define WIRE_CONTROL_MAX_CHAIN_BYTES (64 * 1024)
#define WIRE_CONTROL_MAX_LABEL 64
/* The configured name of a PKCS#11 token (signer.tokens). */
#define WIRE_CONTROL_MAX_HOLDER 32
/* An attribute of a subject, in bytes. How many characters each may have is the signer's to check. */
#define WIRE_CONTROL_MAX_ATTRIBUTE 512
/* A private key in PKCS#8 (RFC 5958): an RSA-4096 key needs 2.4 KB. */
#define WIRE_CONTROL_MAX_SECRET 4096
/* A SubjectPublicKeyInfo or a certification request. */
#define WIRE_CONTROL_MAX_DER (16 * 1024)
/* A TBSCertificate or TBSCertList: a CRL of some thousand certificates. */
#define WIRE_CONTROL_MAX_TBS (120 * 1024)
/* What SKA_SIGN_PAYLOAD signs. */
#define WIRE_CONTROL_MAX_PAYLOAD (32 * 1024)
#define WIRE_CONTROL_MAX_TEXT 511
#define WIRE_CONTROL_MAX_PATH_LEN 15
#define WIRE_CONTROL_NO_PATH_LEN (-1)

enum wire_control_call {
    WIRE_CONTROL_LIST = 1,
    WIRE_CONTROL_MAKE_KEY = 2,
    WIRE_CONTROL_PUBLIC_KEY = 3,
    WIRE_CONTROL_MAKE_CSR = 4,
    WIRE_CONTROL_INSTALL = 5,
    WIRE_CONTROL_REMOVE = 6,
    WIRE_CONTROL_DESTROY = 7,
    WIRE_CONTROL_ATTEST = 8,
    WIRE_CONTROL_IMPORT_KEY = 9,
    WIRE_CONTROL_SIGN_CERTIFICATE = 11,
    WIRE_CONTROL_SIGN_CRL = 12,
    WIRE_CONTROL_SKA_SIGN_TBS = 14,
    WIRE_CONTROL_SKA_SIGN_PAYLOAD = 15,
};
#define WIRE_CONTROL_LAST_CALL WIRE_CONTROL_SKA_SIGN_PAYLOAD

/* wire_control_call_is_known tells whether |number| is a call: between the first and the last not all are. */
bool wire_control_call_is_known(unsigned number);

/* wire_control_call_name returns a static word such as "make_key", for logs and counters. */
const char *wire_control_call_name(enum wire_control_call call);

enum wire_control_status {
    WIRE_CONTROL_OK = 0,
    WIRE_CONTROL_INVALID = 1,   /* a field breaks a rule */
    WIRE_CONTROL_NOT_FOUND = 2, /* no such key; LIST: no further one */
    WIRE_CONTROL_EXISTS = 3,    /* the token made another key before */
    WIRE_CONTROL_DENIED = 4,    /* the key's purpose or origin forbids the call */
    WIRE_CONTROL_LIMIT = 5,     /* a bound of the signer is full */
    WIRE_CONTROL_FAILED = 6,    /* the signer could not: its disk, its memory, a library */
    WIRE_CONTROL_AWAY = 7,      /* the token that holds the key, or is to hold it, is not up: ask again */
};
#define WIRE_CONTROL_NUM_STATUSES 8

/* wire_control_status_name returns a static word such as "denied". */
const char *wire_control_status_name(enum wire_control_status status);

/* wire_control_status_of and wire_control_status_class turn a result into a reply's status and back. */
enum wire_control_status wire_control_status_of(enum mg_status status);
enum mg_status wire_control_status_class(enum wire_control_status status);

/* Purposes and origins of keys, with the numbers that the signer stores (hsm/purpose.h, hsm/sealed_key.h). */
enum wire_key_purpose {
    WIRE_PURPOSE_MINTING = 1,
    WIRE_PURPOSE_PRIVATE_CA = 2,
    WIRE_PURPOSE_SKA = 3,
    WIRE_PURPOSE_TLS_CLIENT = 4,
    WIRE_PURPOSE_SERVER_TLS = 5,
};
enum wire_key_origin {
    WIRE_ORIGIN_CONTROL = 0,
    WIRE_ORIGIN_BUILTIN_ROOT = 1,
    WIRE_ORIGIN_BUILTIN_ISSUING = 2,
    WIRE_ORIGIN_BUILTIN_UNTRUST = 3,
};

/* A name that control chose for one wish to have a key, random: the same token is always the same key. Never zero. */
struct wire_control_token {
    uint8_t bytes[16];
};

/* MAKE_KEY: a new key. WIRE_CONTROL_EXISTS if |token| made one that differs in what is asked here. */
struct wire_control_make_key {
    enum wire_key_purpose purpose; /* WIRE_CONTROL_DENIED where hsm/purpose.c says so */
    enum wire_key_type type;
    struct wire_control_token token;
    struct mg_slice label;  /* UTF-8 without control characters, at most WIRE_CONTROL_MAX_LABEL bytes */
    struct mg_slice holder; /* the PKCS#11 token that is to hold it; empty: the signer itself */
};

/* IMPORT_KEY: a key that comes from outside; its type is what it is. WIRE_CONTROL_EXISTS if |token| made another. */
struct wire_control_import_key {
    enum wire_key_purpose purpose; /* WIRE_CONTROL_DENIED for all but minting and tls-client */
    struct wire_control_token token;
    struct mg_slice label;  /* as in MAKE_KEY */
    struct mg_slice secret; /* PKCS#8, not encrypted; at most WIRE_CONTROL_MAX_SECRET bytes */
};

/* The attributes of a subject, in the order in which they stand in its name. */
enum wire_subject_attribute {
    WIRE_SUBJECT_C,
    WIRE_SUBJECT_ST,
    WIRE_SUBJECT_L,
    WIRE_SUBJECT_O,
    WIRE_SUBJECT_OU,
    WIRE_SUBJECT_CN,
};
#define WIRE_SUBJECT_NUM_ATTRIBUTES 6

/* wire_subject_attribute_name returns "CN", "O" and so on. */
const char *wire_subject_attribute_name(enum wire_subject_attribute attribute);

/* The hash under the signature of a certification request. */
enum wire_csr_digest {
    WIRE_CSR_SHA256 = 1,
    WIRE_CSR_SHA384 = 2,
    WIRE_CSR_SHA512 = 3,
};

/* MAKE_CSR: a PKCS#10 request (RFC 2986) for a CA certificate. */
struct wire_control_make_csr {
    struct mg_slice subject[WIRE_SUBJECT_NUM_ATTRIBUTES]; /* UTF-8 without control characters; empty: left out */
    enum wire_csr_digest digest;
    int path_len; /* 0 to WIRE_CONTROL_MAX_PATH_LEN, or WIRE_CONTROL_NO_PATH_LEN */
};

/* ATTEST: has the token that holds a key say what it is, and the key sign that (docs/api/attestation.md).
 * WIRE_CONTROL_DENIED for a key that no token holds. */
#define WIRE_CONTROL_NONCE_LEN 32
#define WIRE_ATTESTATION_FORMAT "mintgate-key-attestation-v1" /* the first line of one */
struct wire_control_attest {
    uint8_t nonce[WIRE_CONTROL_NONCE_LEN]; /* random: what is signed contains it */
};

/* The hash under a signature of an SKA key. */
enum wire_ska_digest {
    WIRE_SKA_SHA224 = 1,
    WIRE_SKA_SHA256 = 2,
    WIRE_SKA_SHA384 = 3,
    WIRE_SKA_SHA512 = 4,
};

enum wire_ska_structure {
    WIRE_SKA_CERTIFICATE = 1,           /* a TBSCertificate (RFC 5280 section 4.1) */
    WIRE_SKA_CERTIFICATION_REQUEST = 2, /* a CertificationRequestInfo (RFC 2986 section 4.1) for the very key */
};

/* SKA_SIGN_TBS and SKA_SIGN_PAYLOAD: what an SKA key is to sign, PKCS#1 v1.5 or ECDSA. */
struct wire_control_ska_sign {
    enum wire_ska_digest digest;
    enum wire_ska_structure structure; /* SKA_SIGN_TBS alone */
    struct mg_slice octets;            /* up to WIRE_CONTROL_MAX_DER, of a payload WIRE_CONTROL_MAX_PAYLOAD */
};

/* Certificates in DER, a key's own first, then upwards. Borrowed. */
struct wire_control_chain {
    struct mg_slice certificates[WIRE_SIGNER_MAX_CHAIN];
    size_t num_certificates;
};

struct wire_control_request {
    enum wire_control_call call;
    uint64_t id; /* the reply's */
    /* The key that is meant; LIST: the one behind which the listing goes on, all zero at its beginning; not of
     * MAKE_KEY and IMPORT_KEY. */
    struct wire_key_id key_id;
    union {
        struct wire_control_make_key make_key;
        struct wire_control_import_key import_key;
        struct wire_control_make_csr make_csr;
        struct wire_control_chain install; /* at least one */
        struct wire_control_attest attest;
        struct mg_slice tbs; /* SIGN_CERTIFICATE: a TBSCertificate; SIGN_CRL: a TBSCertList; DER */
        struct wire_control_ska_sign ska_sign;
    };
};

/* LIST: one key, of all that the signer has, whatever their purpose. */
struct wire_control_key {
    struct wire_key_id key_id;
    enum wire_key_purpose purpose;
    enum wire_key_origin origin;
    enum wire_key_type type;
    int64_t created;                 /* seconds since 1970 */
    bool is_installed;               /* leaves may be signed with it */
    struct mg_slice label;           /* UTF-8 */
    struct mg_slice holder;          /* the PKCS#11 token that holds it; empty: the signer itself */
    struct wire_control_chain chain; /* none: not certified yet */
};

struct wire_control_reply {
    enum wire_control_call call;
    uint64_t id;
    enum wire_control_status status;
    struct mg_slice text;            /* unless WIRE_CONTROL_OK: names the field and the rule; UTF-8 */
    union {                          /* if WIRE_CONTROL_OK */
        struct wire_control_key key; /* LIST: the next key in the order of their ids */
        struct wire_key_id made;     /* MAKE_KEY, IMPORT_KEY */
        /* PUBLIC_KEY: SubjectPublicKeyInfo; MAKE_CSR: CertificationRequest; ATTEST: the attestation, which is text;
         * SIGN_*: the content of signatureValue; SKA_SIGN_TBS: the signed structure; SKA_SIGN_PAYLOAD: a signature */
        struct mg_slice der;
    };
};

/* The encoders append one packet to |out|, which the caller has initialised with WIRE_CONTROL_MAX_PACKET as its limit
 * and cleared; check mg_buffer_ok. Values that the decoders refuse are the caller's to avoid. */
void wire_control_encode_request(struct mg_buffer *out, const struct wire_control_request *request);
void wire_control_encode_reply(struct mg_buffer *out, const struct wire_control_reply *reply);

/* The decoders check every size, range and count, that texts are UTF-8, and that nothing is left over. What they return
 * borrows from |packet|. MG_INVALID, with a text that says what was wrong. */
MG_MUST_USE enum mg_status wire_control_decode_request(struct mg_slice packet, struct wire_control_request *out,
                                                       struct mg_error *error);
MG_MUST_USE enum mg_status wire_control_decode_reply(struct mg_slice packet, struct wire_control_reply *out,
                                                     struct mg_error *error);

#endif
