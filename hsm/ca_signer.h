/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures by keys of private CAs, for control, and the records of what control has other keys certify: what is to be
 * signed is held to private_ca_policy.h, a certificate is in the issuance journal (journal.h) before its signature
 * exists, and the key may be here or on a token. Control's thread, as the keystore.
 */
#ifndef MINTGATE_HSM_CA_SIGNER_H
#define MINTGATE_HSM_CA_SIGNER_H

#include "hsm/journal.h"
#include "hsm/tbs.h"
#include "hsm/token_keys.h"

struct ca_signer {
    const struct token_store *tokens; /* borrowed, as the next */
    struct journal *journal;
    struct journal_batch batch;
};

MG_MUST_USE enum mg_status ca_signer_init(struct ca_signer *signer, const struct token_store *tokens,
                                          struct journal *journal, struct mg_error *error);
/* ca_signer_free allows the zero state. */
void ca_signer_free(struct ca_signer *signer);

/* ca_signer_sign_certificate appends to |out| the content of signatureValue over |tbs| (DER of a TBSCertificate) by
 * |key|; |now_us| is for the journal. MG_INVALID: the policy refuses it; MG_DENIED: the key's purpose; MG_IO: the
 * journal cannot be written, or the token is away; nothing was signed then. */
MG_MUST_USE enum mg_status ca_signer_sign_certificate(struct ca_signer *signer, const struct keystore_key *key,
                                                      struct mg_slice tbs, int64_t now_us, struct mg_buffer *out,
                                                      struct mg_error *error);

/* ca_signer_record writes the issuance journal's record of |tbs|, which |key| is about to sign; |names| is the content
 * of its GeneralNames, empty for none. MG_IO: it is not in the journal, and may not be signed. */
MG_MUST_USE enum mg_status ca_signer_record(struct ca_signer *signer, const struct keystore_key *key,
                                            const struct tbs *tbs, struct mg_slice names, int64_t now_us,
                                            struct mg_error *error);

/* ca_signer_sign_crl does it for a TBSCertList, which issues nothing and is not in the journal. */
MG_MUST_USE enum mg_status ca_signer_sign_crl(struct ca_signer *signer, const struct keystore_key *key,
                                              struct mg_slice tbs, struct mg_buffer *out, struct mg_error *error);

#endif
