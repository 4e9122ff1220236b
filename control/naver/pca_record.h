/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store knows of private CAs: the CAs, the certificates that they issued, and keys of the signer that nobody
 * wants. Rows in and out, and no rules (pca.h has those). Each function is called within the caller's transaction.
 */
#ifndef MINTGATE_CONTROL_NAVER_PCA_RECORD_H
#define MINTGATE_CONTROL_NAVER_PCA_RECORD_H

#include "control/store.h"
#include "control/text.h"
#include "control/words.h"
#include "wire/signer_control.h"

extern const struct store_migrations pca_migrations;

enum pca_type { PCA_ROOT = 1, PCA_SUB };
enum pca_status { PCA_PENDING = 1, PCA_ACTIVE, PCA_DEACTIVATED, PCA_DESTROYING };
extern const struct words pca_type_words;   /* "PRIVATE_ROOT", "PRIVATE_SUB" */
extern const struct words pca_status_words; /* "PENDING" and so on */

#define PCA_TAG_SIZE sizeof("12345678-abcdefgh")
#define PCA_MAX_ALIAS 15
#define PCA_MAX_MEMO 300
#define PCA_MAX_URL 255
/* Bounds of RFC 5280 appendix A.1, in characters. */
#define PCA_MAX_NAME 64
#define PCA_MAX_PLACE 128
/* Twenty octets in hexadecimal, with colons in between. */
#define PCA_SERIAL_OCTETS 20
#define PCA_SERIAL_SIZE (3 * PCA_SERIAL_OCTETS)

/* A subject: "" where an attribute is not given. */
struct pca_subject {
    char common_name[TEXT_SIZE(PCA_MAX_NAME)];
    char organization[TEXT_SIZE(PCA_MAX_NAME)];
    char unit[TEXT_SIZE(PCA_MAX_NAME)];
    char locality[TEXT_SIZE(PCA_MAX_PLACE)];
    char state[TEXT_SIZE(PCA_MAX_PLACE)];
    char country[TEXT_SIZE(2)];
};

/* A private CA. Zero state: none, and nothing owned. Times in microseconds since 1970 unless said, 0: none. */
struct pca_ca {
    int64_t id;
    char tag[PCA_TAG_SIZE];
    char alias[PCA_MAX_ALIAS + 1];
    enum pca_type type;
    enum pca_status status;
    char memo[TEXT_SIZE(PCA_MAX_MEMO)];
    struct pca_subject subject;
    enum wire_key_type key_type;
    struct wire_control_token key_token; /* the wish that the signer made its key for */
    struct wire_key_id key_id;
    char *csr;         /* owned; PEM; NULL: signed where it was made */
    char *certificate; /* owned; PEM; NULL: pending */
    char *chain;       /* owned; PEM, from the one above it to the root; NULL: none */
    int64_t created_us, status_us, destroy_us;
    int64_t signing_count; /* certificates that it has issued */
    char ocsp_url[PCA_MAX_URL + 1];
    int64_t crl_days, crl_number;
    int64_t crl_this_update, crl_next_update; /* seconds since 1970 */
    char *crl;                                /* owned; PEM; NULL: none yet */
};

void pca_ca_free(struct pca_ca *ca);

/* A certificate that a CA has issued. */
struct pca_certificate {
    int64_t ca_id;
    char serial[PCA_SERIAL_SIZE];
    char common_name[TEXT_SIZE(PCA_MAX_NAME)]; /* "": the subject has none */
    int64_t not_before, not_after;             /* seconds since 1970 */
    int64_t revoked_us;                        /* 0: it is not */
    char *pem;                                 /* owned */
};

void pca_certificate_free(struct pca_certificate *certificate);

/* pca_ca_insert sets the record's id. MG_EXISTS: the alias is taken. pca_ca_update writes what may change: all but tag,
 * alias, type, subject and key. */
MG_MUST_USE enum mg_status pca_ca_insert(struct store_tx *tx, struct pca_ca *ca, struct mg_error *error);
MG_MUST_USE enum mg_status pca_ca_update(struct store_tx *tx, const struct pca_ca *ca, struct mg_error *error);
MG_MUST_USE enum mg_status pca_ca_delete(struct store_tx *tx, int64_t id, struct mg_error *error);

/* pca_ca_load: MG_NOT_FOUND. The caller frees |out| with pca_ca_free, also after a failure. */
MG_MUST_USE enum mg_status pca_ca_load(struct store_tx *tx, const char *tag, struct pca_ca *out,
                                       struct mg_error *error);

/* pca_ca_load_due loads one CA with something to be done at |now| (seconds since 1970): its time to be destroyed has
 * come, or its CRL has lived half of its time. MG_NOT_FOUND: there is none. */
MG_MUST_USE enum mg_status pca_ca_load_due(struct store_tx *tx, int64_t now, struct pca_ca *out,
                                           struct mg_error *error);

/* Pages: |visit| is given at most |max| records behind the first |skip|, in the order in which they were made; it takes
 * none of them over. */
typedef void pca_ca_visitor(void *arg, const struct pca_ca *ca);
MG_MUST_USE enum mg_status pca_ca_page(struct store_tx *tx, int64_t skip, int64_t max, pca_ca_visitor *visit, void *arg,
                                       struct mg_error *error);
MG_MUST_USE enum mg_status pca_ca_count(struct store_tx *tx, int64_t *out, struct mg_error *error);

MG_MUST_USE enum mg_status pca_certificate_insert(struct store_tx *tx, const struct pca_certificate *certificate,
                                                  struct mg_error *error);
MG_MUST_USE enum mg_status pca_certificate_load(struct store_tx *tx, int64_t ca_id, const char *serial,
                                                struct pca_certificate *out, struct mg_error *error);
MG_MUST_USE enum mg_status pca_certificate_revoke(struct store_tx *tx, int64_t ca_id, const char *serial,
                                                  int64_t now_us, struct mg_error *error);

typedef void pca_serial_visitor(void *arg, const char *serial, int64_t revoked_us);
MG_MUST_USE enum mg_status pca_certificate_page(struct store_tx *tx, int64_t ca_id, int64_t skip, int64_t max,
                                                pca_serial_visitor *visit, void *arg, struct mg_error *error);
MG_MUST_USE enum mg_status pca_certificate_count(struct store_tx *tx, int64_t ca_id, int64_t *out,
                                                 struct mg_error *error);

/* pca_certificate_each_revoked visits what a CRL of |ca_id| lists: what is revoked and has not expired at |now|
 * (seconds since 1970; RFC 5280 section 3.3 lets a CRL forget the expired). */
MG_MUST_USE enum mg_status pca_certificate_each_revoked(struct store_tx *tx, int64_t ca_id, int64_t now,
                                                        pca_serial_visitor *visit, void *arg, struct mg_error *error);

/* A loose key is one that the signer was, or is about to be, asked for and that no CA has: noted before it is asked
 * for, forgotten in the transaction that makes its CA, noted again in the one that deletes it. A crash leaves none
 * behind. */
struct pca_loose_key {
    struct wire_control_token token;
    enum wire_key_type type;
};
MG_MUST_USE enum mg_status pca_loose_key_add(struct store_tx *tx, const struct pca_loose_key *key,
                                             struct mg_error *error);
MG_MUST_USE enum mg_status pca_loose_key_forget(struct store_tx *tx, const struct wire_control_token *token,
                                                struct mg_error *error);
/* pca_loose_key_next: MG_NOT_FOUND, there is none. */
MG_MUST_USE enum mg_status pca_loose_key_next(struct store_tx *tx, struct pca_loose_key *out, struct mg_error *error);

#endif
