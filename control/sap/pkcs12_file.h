/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#12 files (RFC 7292): one private key and its chain, under one password. Read part by part and not by
 * PKCS12_parse, so that no iteration of a key derivation is made before the file's own numbers were looked at. Any
 * thread.
 */
#ifndef MINTGATE_CONTROL_SAP_PKCS12_FILE_H
#define MINTGATE_CONTROL_SAP_PKCS12_FILE_H

#include "control/sap/private_key.h"

/* Bags of one file: certificates and a key. */
#define PKCS12_FILE_MAX_BAGS (MATERIAL_MAX_CERTIFICATES + 1)

/* pkcs12_file_check_password refuses the characters that the vendor's document forbids in a password (contracts.md
 * section 3.1). MG_INVALID names the character. */
MG_MUST_USE enum mg_status pkcs12_file_check_password(struct mg_slice password, struct mg_error *error);

/* pkcs12_file_read adds what is in |file| to |material|, sorted (material_sort). MG_INVALID: it is malformed or has no
 * MAC (RFC 7292 section 4), the password is wrong or forbidden, it asks for too many iterations, or holds anything but
 * certificates and one key. */
MG_MUST_USE enum mg_status pkcs12_file_read(struct material *material, struct mg_slice file,
                                            struct passphrase *passphrase, struct mg_error *error);

#endif
