/* SPDX-License-Identifier: Apache-2.0 */
/* META-INF/descriptor.properties of a key store's JAR: the plain part of Java's properties files. Pure: any thread. */
#ifndef MINTGATE_CONTROL_SAP_JAR_DESCRIPTOR_H
#define MINTGATE_CONTROL_SAP_JAR_DESCRIPTOR_H

#include "base/slice.h"
#include "base/status.h"

/* Names of entries; borrowed from the text. */
struct jar_descriptor {
    struct mg_slice cert_file, key_file;
};

/* jar_descriptor_parse reads lines of `name=value` or `name:value`; comments ('#', '!') and other names are ignored.
 * MG_INVALID: a line that is neither, an escape ('\'), certFile or keyFile missing, empty or there twice. */
MG_MUST_USE enum mg_status jar_descriptor_parse(struct mg_slice text, struct jar_descriptor *out,
                                                struct mg_error *error);

#endif
