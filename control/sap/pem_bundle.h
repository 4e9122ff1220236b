/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM files as people put them together (RFC 7468): certificates in any number and one private key, with text between.
 * Where the vendor's documents ask for it it takes more than a strict reader does (contracts.md section 3.4 and the
 * document of section 3): blocks that follow each other without the end of a line, lines that begin with a space, and
 * an end with four dashes. Any thread.
 */
#ifndef MINTGATE_CONTROL_SAP_PEM_BUNDLE_H
#define MINTGATE_CONTROL_SAP_PEM_BUNDLE_H

#include "control/sap/private_key.h"

enum pem_bundle_parts {
    PEM_BUNDLE_CERTIFICATES = 1,
    PEM_BUNDLE_KEY = 2,
    PEM_BUNDLE_BOTH = PEM_BUNDLE_CERTIFICATES | PEM_BUNDLE_KEY,
};

struct pem_bundle_rules {
    enum pem_bundle_parts parts; /* what may be in it; each must be */
    bool wants_lines;            /* each block must begin on a line of its own (ignoreNewlineValidation=false) */
};

/* pem_bundle_looks_like tells whether |file| has the beginning of a block somewhere: else it is DER, or nothing. */
MG_MUST_USE bool pem_bundle_looks_like(struct mg_slice file);

/* pem_bundle_read adds what is in |file| to |material|. MG_INVALID: a block that is cut or malformed or of a kind that
 * is not asked for, a part missing, a password that is wrong or missing. */
MG_MUST_USE enum mg_status pem_bundle_read(struct material *material, struct mg_slice file,
                                           const struct pem_bundle_rules *rules, struct passphrase *passphrase,
                                           struct mg_error *error);

#endif
