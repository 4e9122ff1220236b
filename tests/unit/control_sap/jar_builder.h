/* SPDX-License-Identifier: Apache-2.0 */
/* ZIP archives for tests, byte by byte, so that each field can lie. */
#ifndef MINTGATE_TESTS_JAR_BUILDER_H
#define MINTGATE_TESTS_JAR_BUILDER_H

#include "base/buffer.h"

#define JAR_BUILDER_MAX_ENTRIES 80

struct jar_entry {
    const char *name;
    struct mg_slice content;
    bool is_deflated;
    uint16_t method;    /* 0: as |is_deflated| says */
    uint16_t flags;     /* besides those of the way it is written */
    uint32_t mode;      /* of Unix; 0: none is said */
    uint32_t lies_size; /* 0: the truth, in the central directory */
    bool bad_checksum;
};

/* jar_build appends an archive of |entries| to |out| as the vendor's `jar` writes it: zeros in the local headers, and a
 * data descriptor behind each entry. */
void jar_build(struct mg_buffer *out, const struct jar_entry *entries, size_t num_entries);

#endif
