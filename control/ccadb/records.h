/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CA owners, and the records of their root and intermediate certificates: how they are kept, without the rules by which
 * they change (submission.h). A record is of one owner, and of one certificate, which never changes; (owner, SHA-256)
 * is unique, so several owners may have a record of the same certificate. Within a transaction.
 *
 * Every function: MG_INVALID, MG_NOT_FOUND, MG_EXISTS, and failures of ours (control/store.h).
 */
#ifndef MINTGATE_CONTROL_CCADB_RECORDS_H
#define MINTGATE_CONTROL_CCADB_RECORDS_H

#include <jansson.h>
#include <openssl/x509.h>

#include "control/ccadb/record_id.h"
#include "control/store.h"
#include "control/text.h"

#define RECORDS_MAX_NAME 255
#define RECORDS_SHA256_LEN 32

struct records_owner {
    int64_t id;
    char name[TEXT_SIZE(RECORDS_MAX_NAME)];
};

/* records_owner_add adds an owner of 1 to RECORDS_MAX_NAME characters; MG_EXISTS whatever the case (in ASCII).
 * records_owner_find finds one by its name likewise. */
MG_MUST_USE enum mg_status records_owner_add(struct store_tx *tx, const char *name, struct records_owner *out,
                                             struct mg_error *error);
MG_MUST_USE enum mg_status records_owner_find(struct store_tx *tx, const char *name, struct records_owner *out,
                                              struct mg_error *error);

/* What is kept of a certificate. */
struct records_certificate {
    uint8_t sha256[RECORDS_SHA256_LEN]; /* of the DER */
    struct mg_slice subject, issuer;    /* DER of the Names; borrowed from the X509 */
    unsigned char *der;                 /* owned */
    size_t der_len;
    char common_name[TEXT_SIZE(RECORDS_MAX_NAME)]; /* of the subject; "": none that can be shown */
};

/* records_describe fills |out|, which the caller frees by records_describe_free, from |x509|, which outlives it. */
MG_MUST_USE enum mg_status records_describe(X509 *x509, struct records_certificate *out, struct mg_error *error);
void records_describe_free(struct records_certificate *certificate);

enum record_kind { RECORD_ROOT = 1, RECORD_INTERMEDIATE };

/* A record without its certificate. Zero state: none. Free it with record_free. */
struct record {
    int64_t id;
    enum record_kind kind;
    int64_t owner_id;
    char owner[TEXT_SIZE(RECORDS_MAX_NAME)];
    int64_t parent_id; /* 0: none */
    char name[TEXT_SIZE(RECORDS_MAX_NAME)];
    uint8_t sha256[RECORDS_SHA256_LEN];
    json_t *attributes; /* owned; an object (fields.h) */
    int64_t created_us, updated_us;
};

void record_free(struct record *record);

/* record_id_of writes the id by which clients know |record|. */
void record_id_of(const struct record *record, char out[RECORD_ID_SIZE]);

/* records_set_name checks and takes a name of 1 to RECORDS_MAX_NAME characters. */
MG_MUST_USE enum mg_status records_set_name(struct record *record, const char *name, struct mg_error *error);

/* records_insert adds |record|, all but id and owner's name, with |certificate|; the id is the new one. records_update
 * saves name, attributes and time. */
MG_MUST_USE enum mg_status records_insert(struct store_tx *tx, struct record *record,
                                          const struct records_certificate *certificate, struct mg_error *error);
MG_MUST_USE enum mg_status records_update(struct store_tx *tx, const struct record *record, struct mg_error *error);

/* records_load reads the one whose id is |id| (RECORD_ID_LEN characters); records_load_certificate the certificate of
 * a record, which the caller frees with X509_free. */
MG_MUST_USE enum mg_status records_load(struct store_tx *tx, struct mg_slice id, struct record *out,
                                        struct mg_error *error);
MG_MUST_USE enum mg_status records_load_certificate(struct store_tx *tx, int64_t id, X509 **out,
                                                    struct mg_error *error);

/* records_find finds the first of the certificate |sha256| that is of |owner_id| (0: of anybody) and |kind| (0: of
 * either). */
MG_MUST_USE enum mg_status records_find(struct store_tx *tx, const uint8_t sha256[RECORDS_SHA256_LEN], int64_t owner_id,
                                        enum record_kind kind, struct record *out, struct mg_error *error);

/* records_has_signed tells whether |issuer| has signed |x509|: names, key identifiers, and the signature itself. */
MG_MUST_USE bool records_has_signed(X509 *issuer, X509 *x509);

/* records_find_issuer finds the first whose certificate has signed |x509|: MG_NOT_FOUND. */
MG_MUST_USE enum mg_status records_find_issuer(struct store_tx *tx, X509 *x509, struct record *out,
                                               struct mg_error *error);

/* records_each calls |visit| for each record of |kind| (0: all) whose certificate is |sha256| (NULL: any), in the order
 * of their ids; the record lives for the call. Anything but MG_OK ends the walk with that. */
typedef enum mg_status (*records_visit)(void *arg, const struct record *record, struct mg_error *error);
MG_MUST_USE enum mg_status records_each(struct store_tx *tx, enum record_kind kind,
                                        const uint8_t sha256[RECORDS_SHA256_LEN], records_visit visit, void *arg,
                                        struct mg_error *error);

#endif
