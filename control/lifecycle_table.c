/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lifecycle_table.h"

/* Codes and the texts of the first three: contracts.md section 1.6, as recorded. */
static const struct lifecycle_refusal
    not_found = {MG_NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no intermediate CA certificate with this id"},
    builtin = {MG_DENIED, "INVALID_INPUT_ARGUMENT",
               "This operation is not applicable for the Zscaler root certificate"},
    wrong_role = {MG_DENIED, "SCOPE_LIMITED", "This role may not do this"},
    exists = {MG_EXISTS, "DUPLICATE_ITEM", "There is such a certificate already"},
    not_hsm = {MG_DENIED, "INVALID_OPERATION", "Only keys of certificates of type CUSTOM_HSM have an attestation"},
    no_key = {MG_DENIED, "INVALID_OPERATION", "The key pair must be generated first"},
    has_key = {MG_DENIED, "INVALID_OPERATION", "The key pair was generated already and cannot be replaced"},
    no_csr = {MG_DENIED, "INVALID_OPERATION", "The certificate signing request must be generated first"},
    no_cert = {MG_DENIED, "INVALID_OPERATION", "The signed certificate must be uploaded first"},
    not_yet = {MG_DENIED, "INVALID_OPERATION", "The certificate must be finalized first"},
    final = {MG_DENIED, "INVALID_OPERATION", "The certificate is finalized (CERT_READY) and cannot be changed"};

enum effect {
    STAYS, /* in its state */
    RISES, /* to the next state, unless it is there or further already; a reader's look changes nothing */
    MOVES, /* the next state, also from a later one */
};

enum scope {
    ALL,    /* the built-in certificate too */
    CUSTOM, /* all others */
    HSM,    /* those of type CUSTOM_HSM */
};

/* One operation: who may do it (and the roles above), to what, in which range of states, which are in order, how it is
 * refused before and after that, and what comes of it. A missing certificate is not found. */
static const struct row {
    const char *name;
    enum control_role role;
    enum scope scope;
    enum intermediate_state first, last;
    const struct lifecycle_refusal *early, *late;
    enum effect effect;
    enum intermediate_state next;
} table[LIFECYCLE_NUM_OPERATIONS] = {
/* clang-format off */
#define ROW(operation, name, role, scope, first, last, early, late, effect, next)                                      \
    [LIFECYCLE_##operation] = {name, CONTROL_##role, scope, first, last, early, late, effect, next}
#define NEVER NULL /* there is no such state */
#define NONE INTERMEDIATE_ABSENT
#define BASIC INTERMEDIATE_GENERAL_DONE
#define KEY INTERMEDIATE_KEYGEN_DONE
#define PUBKEY INTERMEDIATE_PUBKEY_DONE
#define ATTEST INTERMEDIATE_ATTESTATION_DONE
#define VERIFY INTERMEDIATE_ATTESTATION_VERIFY_DONE
#define CSR INTERMEDIATE_CSRGEN_DONE
#define CERT INTERMEDIATE_CERT_UPLOAD_DONE
#define CHAIN INTERMEDIATE_CHAIN_UPLOAD_DONE
#define READY INTERMEDIATE_CERT_READY
    /*  operation           name                    role      scope   first  last   early     late      effect  next */
    ROW(INSTALL,            "installBuiltin",       ADMIN,    ALL,    NONE,  READY, NEVER,    NEVER,    STAYS,  NONE),
    ROW(SHOW,               "show",                 AUDITOR,  ALL,    BASIC, READY, NEVER,    NEVER,    STAYS,  NONE),
    ROW(CREATE,             "create",               ADMIN,    CUSTOM, NONE,  NONE,  NEVER,    &exists,  MOVES,  BASIC),
    ROW(UPDATE,             "update",               ADMIN,    CUSTOM, BASIC, CHAIN, NEVER,    &final,   STAYS,  NONE),
    ROW(SET_STATUS,         "setStatus",            ADMIN,    CUSTOM, BASIC, READY, NEVER,    NEVER,    STAYS,  NONE),
    ROW(SET_SUCCESSOR,      "setSuccessor",         ADMIN,    ALL,    BASIC, READY, NEVER,    NEVER,    STAYS,  NONE),
    ROW(DELETE,             "delete",               ADMIN,    CUSTOM, BASIC, READY, NEVER,    NEVER,    STAYS,  NONE),
    ROW(MAKE_KEY,           "keyPair",              ADMIN,    CUSTOM, BASIC, BASIC, NEVER,    &has_key, MOVES,  KEY),
    ROW(READ_PUBLIC_KEY,    "downloadPublicKey",    AUDITOR,  ALL,    KEY,   READY, &no_key,  NEVER,    RISES,  PUBKEY),
    ROW(READ_ATTESTATION,   "downloadAttestation",  AUDITOR,  HSM,    KEY,   READY, &no_key,  NEVER,    RISES,  ATTEST),
    ROW(VERIFY_ATTESTATION, "verifyKeyAttestation", ADMIN,    HSM,    KEY,   CHAIN, &no_key,  &final,   RISES,  VERIFY),
    ROW(MAKE_CSR,           "generateCsr",          ADMIN,    CUSTOM, KEY,   CHAIN, &no_key,  &final,   MOVES,  CSR),
    ROW(READ_CSR,           "showCsr",              AUDITOR,  CUSTOM, CSR,   READY, &no_csr,  NEVER,    STAYS,  NONE),
    ROW(UPLOAD_CERTIFICATE, "uploadCert",           ADMIN,    CUSTOM, CSR,   CHAIN, &no_csr,  &final,   MOVES,  CERT),
    ROW(READ_CERTIFICATE,   "showCert",             AUDITOR,  CUSTOM, CERT,  READY, &no_cert, NEVER,    STAYS,  NONE),
    ROW(UPLOAD_CHAIN,       "uploadCertChain",      ADMIN,    CUSTOM, CERT,  CHAIN, &no_cert, &final,   MOVES,  CHAIN),
    ROW(FINALIZE,           "finalizeCert",         ADMIN,    CUSTOM, CERT,  CHAIN, &no_cert, &final,   MOVES,  READY),
    ROW(MAKE_DEFAULT,       "makeDefault",          OPERATOR, ALL,    READY, READY, &not_yet, NEVER,    STAYS,  NONE),
    ROW(IMPORT,             "importKeyStore",       ADMIN,    CUSTOM, NONE,  NONE,  NEVER,    &exists,  MOVES,  READY),
    /* clang-format on */
};

static const struct lifecycle_refusal *refusal_of(const struct row *row, enum intermediate_type type,
                                                  enum intermediate_state state, enum control_role role)
{
    if (role < row->role) {
        return &wrong_role;
    }
    if (state == INTERMEDIATE_ABSENT) {
        return row->first == INTERMEDIATE_ABSENT ? NULL : &not_found;
    }
    if (type == INTERMEDIATE_BUILTIN && row->scope != ALL) {
        return &builtin;
    }
    if (type != INTERMEDIATE_HSM && row->scope == HSM) {
        return &not_hsm;
    }
    if (state < row->first) {
        return row->early;
    }
    return state > row->last ? row->late : NULL;
}

static enum intermediate_state next_of(const struct row *row, enum intermediate_state state, enum control_role role)
{
    bool advances = row->effect == RISES && state < row->next && role > CONTROL_AUDITOR;
    return advances || row->effect == MOVES ? row->next : state;
}

struct lifecycle_verdict lifecycle_judge(enum lifecycle_operation operation, enum intermediate_type type,
                                         enum intermediate_state state, enum control_role role)
{
    const struct row *row = &table[operation];
    const struct lifecycle_refusal *refusal = refusal_of(row, type, state, role);
    return (struct lifecycle_verdict){refusal, refusal == NULL ? next_of(row, state, role) : state};
}

const char *lifecycle_operation_name(enum lifecycle_operation operation)
{
    return table[operation].name;
}
