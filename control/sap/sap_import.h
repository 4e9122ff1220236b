/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys on their way to the signer. A wish is noted before the signer is asked, so that a crash in between
 * leaves no key behind that nobody knows: what was wished for and is nobody's is destroyed at the next start, or before
 * the next import.
 *
 *     struct sap_import import;
 *     enum mg_status status = sap_import_begin(imports, purpose, key, now_us, &import, error);
 *     if (status == MG_OK) {
 *         status = save(&import.key_id);
 *         sap_import_end(imports, &import, now_us);
 *     }
 *
 * Any thread; imports happen one after the other.
 */
#ifndef MINTGATE_CONTROL_SAP_SAP_IMPORT_H
#define MINTGATE_CONTROL_SAP_SAP_IMPORT_H

#include <openssl/evp.h>

#include "control/keys/signer_client.h"
#include "control/sap/sap_record.h"
#include "control/service/service.h"

struct sap_imports;

/* All borrowed, and outlive the imports. */
struct sap_imports_config {
    struct store *store;
    struct signer_client *signer;
    struct service *service; /* destroys keys that are doomed */
};

MG_MUST_USE enum mg_status sap_imports_new(struct sap_imports **out, const struct sap_imports_config *config,
                                           struct mg_error *error);
void sap_imports_free(struct sap_imports *imports);

/* sap_imports_settle destroys the keys of imports that a crash has cut off; after service_start. MG_IO: the signer is
 * away. */
MG_MUST_USE enum mg_status sap_imports_settle(struct sap_imports *imports, int64_t now_us, struct mg_error *error);

struct sap_import {
    struct wire_key_id key_id;
    uint8_t token[SAP_TOKEN_LEN];
};

/* sap_import_begin hands |key| over, for minting or tls-client. As signer_client_import_key. */
MG_MUST_USE enum mg_status sap_import_begin(struct sap_imports *imports, enum wire_key_purpose purpose,
                                            const EVP_PKEY *key, int64_t now_us, struct sap_import *out,
                                            struct mg_error *error);

/* sap_import_end must follow: a key that no record has by then is destroyed. */
void sap_import_end(struct sap_imports *imports, const struct sap_import *import, int64_t now_us);

/* sap_imports_destroy_doomed has keys destroyed that deleted records had; what cannot be done now follows. */
void sap_imports_destroy_doomed(struct sap_imports *imports);

#endif
