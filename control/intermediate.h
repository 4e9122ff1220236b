/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of an intermediate CA certificate (contracts.md section 1.4): its fields, and how it is kept. No rules
 * about when what may change: those are in lifecycle.h, which alone changes records.
 */
#ifndef MINTGATE_CONTROL_INTERMEDIATE_H
#define MINTGATE_CONTROL_INTERMEDIATE_H

#include "control/store.h"
#include "control/text.h"
#include "control/words.h"
#include "wire/signer.h"

/* The issuing CA that each installation makes for itself; it is there from the first start and always listed first. */
#define INTERMEDIATE_BUILTIN_ID 1

enum intermediate_type { INTERMEDIATE_BUILTIN = 1, INTERMEDIATE_SOFTWARE, INTERMEDIATE_HSM };
enum intermediate_region {
    INTERMEDIATE_GLOBAL = 1,
    INTERMEDIATE_ASIA,
    INTERMEDIATE_EUROPE,
    INTERMEDIATE_US,
    INTERMEDIATE_NUM_REGIONS /* and the place for none */
};
enum intermediate_status { INTERMEDIATE_ENABLED = 1, INTERMEDIATE_DISABLED };

/* In the order of the workflow. */
enum intermediate_state {
    INTERMEDIATE_ABSENT = 0, /* no such certificate */
    INTERMEDIATE_GENERAL_DONE,
    INTERMEDIATE_KEYGEN_DONE,
    INTERMEDIATE_PUBKEY_DONE,
    INTERMEDIATE_ATTESTATION_DONE,
    INTERMEDIATE_ATTESTATION_VERIFY_DONE,
    INTERMEDIATE_CSRGEN_DONE,
    INTERMEDIATE_CERT_UPLOAD_DONE,
    INTERMEDIATE_CHAIN_UPLOAD_DONE,
    INTERMEDIATE_CERT_READY,
    INTERMEDIATE_NUM_STATES
};

/* Their words, as in the API: "CUSTOM_SW", "GLOBAL", "ENABLED", "CSRGEN_DONE", "RSA_2K" (of enum wire_key_type). */
extern const struct words intermediate_type_words, intermediate_region_words, intermediate_status_words,
    intermediate_state_words, intermediate_key_type_words;
/* The words of all keys of the signer: those of intermediates, and "EC_P521", which private CAs alone have. */
extern const struct words signer_key_type_words;

/* Bounds in characters; those of names of X.520 attributes are in RFC 5280 appendix A.1. */
#define INTERMEDIATE_MAX_NAME 128
#define INTERMEDIATE_MAX_DESCRIPTION 1024
#define INTERMEDIATE_MAX_FILE_NAME 255
#define INTERMEDIATE_MAX_ATTRIBUTE 64
#define INTERMEDIATE_MAX_PLACE 128

/* What a CSR was asked to say. */
struct intermediate_csr {
    char file_name[TEXT_SIZE(INTERMEDIATE_MAX_FILE_NAME)];
    char common_name[TEXT_SIZE(INTERMEDIATE_MAX_ATTRIBUTE)];
    char organization[TEXT_SIZE(INTERMEDIATE_MAX_ATTRIBUTE)];
    char unit[TEXT_SIZE(INTERMEDIATE_MAX_ATTRIBUTE)];
    char city[TEXT_SIZE(INTERMEDIATE_MAX_PLACE)];
    char state[TEXT_SIZE(INTERMEDIATE_MAX_PLACE)];
    char country[TEXT_SIZE(2)];
    char digest[TEXT_SIZE(8)]; /* "SHA256", "SHA384" */
    int64_t key_size;          /* bits of the modulus or the field */
    int64_t path_len;          /* pathLenConstraint */
};

/* Zero state: no record, which owns nothing. Absent texts are NULL or "", absent times 0. Times are seconds since 1970
 * unless their name says more. */
struct intermediate {
    int64_t id;
    bool is_default; /* from default_issuer.h; not saved with the record */
    bool is_revoked; /* from issuer_use.h, likewise: it signs nothing, whatever its status */
    char *crl_url;   /* from there, likewise; NULL or "": none; owned */
    enum intermediate_type type;
    enum intermediate_region region;
    enum intermediate_status status;
    enum intermediate_state state;
    enum wire_key_type key_type;
    int64_t fallback_id; /* the certificate that succeeds this one when it expires as the default; 0: none */
    char name[TEXT_SIZE(INTERMEDIATE_MAX_NAME)];
    char description[TEXT_SIZE(INTERMEDIATE_MAX_DESCRIPTION)];
    struct wire_key_id key_id; /* of the signer; all zero: no key yet */
    char *public_key;          /* PEM; owned, as the other pointers */
    int64_t key_time;
    int64_t attestation_time; /* when the attestation was verified */
    struct intermediate_csr csr;
    char *csr_pem;
    int64_t csr_time;
    char *certificate; /* PEM of the one certificate */
    char certificate_file[TEXT_SIZE(INTERMEDIATE_MAX_FILE_NAME)];
    int64_t not_before, not_after;
    char *chain; /* PEM of what is above |certificate|, upwards */
    int64_t created_us, updated_us;
};

/* The tables of this module, of default_issuer.h and of issuer_use.h. */
extern const struct store_migrations intermediate_migrations;

/* intermediate_free frees what |record| owns and zeroes it. */
void intermediate_free(struct intermediate *record);

/* intermediate_set1 replaces an owned text of a record by a copy of |text|, or by NULL for a slice without memory. */
MG_MUST_USE enum mg_status intermediate_set1(char **field, struct mg_slice text, struct mg_error *error);

/* intermediate_has_key tells whether the key pair was made. */
MG_MUST_USE bool intermediate_has_key(const struct intermediate *record);

/* intermediate_load reads the record |id|: MG_NOT_FOUND. The caller frees it with intermediate_free. */
MG_MUST_USE enum mg_status intermediate_load(struct store_tx *tx, int64_t id, struct intermediate *out,
                                             struct mg_error *error);

/* intermediate_insert adds |record|; an id of 0 is replaced by a new one, which was never used before. MG_EXISTS: the
 * name is taken, whatever its case (in ASCII). */
MG_MUST_USE enum mg_status intermediate_insert(struct store_tx *tx, struct intermediate *record,
                                               struct mg_error *error);

/* intermediate_update saves all of |record|: MG_NOT_FOUND, MG_EXISTS as above. */
MG_MUST_USE enum mg_status intermediate_update(struct store_tx *tx, const struct intermediate *record,
                                               struct mg_error *error);

/* intermediate_delete removes |id|, also as a successor of others: MG_NOT_FOUND. */
MG_MUST_USE enum mg_status intermediate_delete(struct store_tx *tx, int64_t id, struct mg_error *error);

enum intermediate_filter {
    INTERMEDIATE_ALL,
    INTERMEDIATE_READY_TO_USE, /* CERT_READY and ENABLED, and not revoked */
};

struct intermediate_list {
    struct intermediate *items; /* by id: the built-in first */
    size_t num_items;
};

MG_MUST_USE enum mg_status intermediate_list_load(struct store_tx *tx, enum intermediate_filter filter,
                                                  struct intermediate_list *out, struct mg_error *error);
void intermediate_list_free(struct intermediate_list *list);

/* What quotas count: the certificates that are not built in. */
struct intermediate_counts {
    int64_t num_custom, num_enabled;
};

MG_MUST_USE enum mg_status intermediate_count(struct store_tx *tx, struct intermediate_counts *out,
                                              struct mg_error *error);

#endif
