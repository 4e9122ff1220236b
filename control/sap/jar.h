/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JAR files that hold a key store (contracts.md section 3.1): META-INF/descriptor.properties names the PEM files of the
 * certificate's chain and of its key. The archive is read by its central directory alone, since the vendor's own `jar`
 * writes zeros into the local headers (docs/adr/0027-sap-stores.md), and nothing of it is ever written to a disk.
 *
 * A signature of the JAR itself is not verified: who may upload vouches for what is uploaded.
 *
 * Guards, each before anything is decompressed: the file's size and the entries' number; names that are absolute, climb
 * up or are there twice (whatever their case); links and other special files; encryption; another method than stored or
 * deflated; sizes, one by one and in all; ratios. Any thread.
 */
#ifndef MINTGATE_CONTROL_SAP_JAR_H
#define MINTGATE_CONTROL_SAP_JAR_H

#include "control/sap/private_key.h"

#define JAR_MAX_ENTRIES 64
#define JAR_MAX_NAME 255
#define JAR_MAX_ENTRY ((size_t)50 * 1024)
#define JAR_MAX_TOTAL ((size_t)256 * 1024)
#define JAR_MAX_RATIO 100 /* unpacked to packed, above JAR_FREE_BYTES */
#define JAR_FREE_BYTES 1024

/* jar_read adds the chain and the key to |material|. MG_INVALID names the entry and the guard, or what is wrong with a
 * PEM file; |wants_lines| as in pem_bundle.h. */
MG_MUST_USE enum mg_status jar_read(struct material *material, struct mg_slice file, bool wants_lines,
                                    struct passphrase *passphrase, struct mg_error *error);

#endif
