/* SPDX-License-Identifier: Apache-2.0 */
/* Files for stores, whatever their format: read, and held against the rules of the store's kind. Any thread. */
#ifndef MINTGATE_CONTROL_SAP_SAP_FILE_H
#define MINTGATE_CONTROL_SAP_SAP_FILE_H

#include "control/sap/material_check.h"
#include "control/words.h"

enum sap_kind {
    SAP_UNDECIDED = 0, /* of an Apigee store before its first entry */
    SAP_KEYSTORE,
    SAP_TRUSTSTORE,
};
extern const struct words sap_kind_words; /* "KEYSTORE", "TRUSTSTORE" */

enum sap_format {
    SAP_FORMAT_PEM = 1, /* also DER: certificates in files called .cer are either */
    SAP_FORMAT_DER,
    SAP_FORMAT_PKCS12,
    SAP_FORMAT_JAR,
};
extern const struct words sap_format_words; /* "PEM", "DER", "PKCS12", "JAR" */

/* What is uploaded; all borrowed. */
struct sap_file {
    enum sap_format format;
    struct mg_slice content;  /* PEM: certificates, and the key where |key| has no memory */
    struct mg_slice key;      /* PEM: the key; without memory: none */
    struct mg_slice password; /* without memory: none */
    bool wants_lines;         /* as in pem_bundle.h */
    bool is_renewal;          /* of a key store: certificates alone, for a key that is there already */
};

/* sap_format_of_name returns the format that files with |name|'s ending have (.cer, .crt, .der, .pem, .p12, .pfx,
 * .pkcs, .pkcs12, .jar, whatever their case); 0: of none. */
enum sap_format sap_format_of_name(struct mg_slice name);

/* sap_file_read reads |file| for a store of |kind| and checks it; |out| is the caller's to free, on success. Of an
 * undecided store *kind becomes what the file is for. MG_INVALID. */
MG_MUST_USE enum mg_status sap_file_read(const struct sap_file *file, const struct material_terms *terms,
                                         enum sap_kind *kind, struct material *out, struct mg_error *error);

#endif
