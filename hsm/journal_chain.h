/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of the issuance journal and the hash chain through them, written and read face to face. JSON, one object a
 * line:
 *
 *   {"journal":"mintgate-issuance","version":1,"file":1,"batch":0,"created":"...","previous":"HEX","chain":"HEX"}
 *   {"time":"...","issuer":"HEX","serial":"HEX","key_sha256":"HEX","names":["a.example","192.0.2.1"]}
 *   {"batch":1,"records":1,"chain":"HEX"}
 *
 * A file begins with a header; then come batches: some records and the line that closes them. "issuer" is a key id,
 * "key_sha256" the hash of the leaf's SubjectPublicKeyInfo. The chain value of a closing line is
 *
 *   SHA-256(previous chain value, batch number as u64, number of records as u64, SHA-256(the records' bytes))
 *
 * and that of a header likewise, with its own bytes up to ,"chain" in place of the records, none of which are counted;
 * "previous" repeats the last chain value of the file before (zeros before the first), and "batch" the last number. So
 * nothing can be changed, removed or put in anywhere but at the very end without a break; how far the end is can be
 * told from the value that the signer logs when it stops and when a file is full. Pure: any thread.
 */
#ifndef MINTGATE_HSM_JOURNAL_CHAIN_H
#define MINTGATE_HSM_JOURNAL_CHAIN_H

#include <openssl/evp.h>

#include "base/buffer.h"
#include "base/status.h"
#include "wire/signer.h"

#define JOURNAL_HASH_LEN 32
#define JOURNAL_HEX_LEN (2 * JOURNAL_HASH_LEN)
/* More than a line of the largest TBSCertificate can have: every byte of its names escaped. */
#define JOURNAL_MAX_LINE (8 * WIRE_SIGNER_MAX_TBS)
/* The closing line at its longest. */
#define JOURNAL_MAX_CLOSING 160

/* What is recorded of one certificate. All borrowed. */
struct journal_record {
    const struct wire_key_id *issuer;
    struct mg_slice serial; /* content octets */
    struct mg_slice names;  /* GeneralNames, as leaf_policy_check gives them */
    struct mg_slice spki;
};

/* struct journal_position is a place between two lines of the chain. Zero state: before the first file. */
struct journal_position {
    uint8_t chain[JOURNAL_HASH_LEN];
    uint64_t batch; /* number of the last batch */
};

/* journal_hex writes |len| bytes in lower-case hexadecimal, NUL-terminated: 2 * len + 1 bytes. */
void journal_hex(char *out, const uint8_t *bytes, size_t len);

/* journal_chain_header appends the header of file number |file|, which follows |position|, and moves |position| behind
 * it. |sha256| is any context initialised with SHA-256. False if hashing fails. */
MG_MUST_USE bool journal_chain_header(struct mg_buffer *out, EVP_MD_CTX *sha256, uint64_t file, int64_t now_us,
                                      struct journal_position *position);

/* struct journal_keys remembers what the last few keys hash to, since thousands of leaves share a handful of keys. Zero
 * state: none. One thread's. */
#define JOURNAL_NUM_KEYS 8
#define JOURNAL_MAX_KEY_LEN 320 /* RSA-2048's; a longer one is hashed each time */
struct journal_keys {
    struct {
        size_t len; /* 0: free */
        uint8_t spki[JOURNAL_MAX_KEY_LEN];
        char hash_text[2 * JOURNAL_HASH_LEN + 1];
    } known[JOURNAL_NUM_KEYS];
    size_t next; /* is forgotten next */
};

/* journal_chain_record appends a record's line. |time_text| is from mg_clock_format_us. */
MG_MUST_USE bool journal_chain_record(struct mg_buffer *out, EVP_MD_CTX *sha256, struct journal_keys *keys,
                                      const char *time_text, const struct journal_record *record);

/* journal_chain_close appends the line that closes a batch of |num_records| records whose bytes hash to |records_hash|,
 * and moves |position| behind it. */
MG_MUST_USE bool journal_chain_close(struct mg_buffer *out, EVP_MD_CTX *sha256, uint64_t num_records,
                                     const uint8_t records_hash[JOURNAL_HASH_LEN], struct journal_position *position);

/* A reader is fed the lines of a file, in order. */
enum journal_line {
    JOURNAL_LINE_HEADER, /* ends a part of the chain, and it is right */
    JOURNAL_LINE_RECORD, /* to be confirmed by the batch that it is in */
    JOURNAL_LINE_BATCH,  /* ends a part of the chain, and it is right */
    JOURNAL_LINE_BROKEN, /* not such a line, out of place, or its chain value is wrong: stop */
};

struct journal_reader {
    struct journal_position position; /* behind the last part that was right */
    uint64_t file;                    /* from the header; 0 before it */
    uint64_t num_records;             /* since then */
    EVP_MD_CTX *records;              /* hash of them */
    EVP_MD_CTX *sha256;
};

MG_MUST_USE enum mg_status journal_reader_init(struct journal_reader *reader, struct mg_error *error);
void journal_reader_free(struct journal_reader *reader);

/* journal_reader_start_file expects a header next. With |follows| it must continue |reader|'s position and be the next
 * file; else it sets them, as for the oldest file that is still there. */
void journal_reader_start_file(struct journal_reader *reader, bool follows);

/* journal_reader_line takes one line with its line feed. */
enum journal_line journal_reader_line(struct journal_reader *reader, struct mg_slice line);

#endif
