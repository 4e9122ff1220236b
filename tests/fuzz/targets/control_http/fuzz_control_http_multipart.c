/* SPDX-License-Identifier: Apache-2.0 */
/* A content type in the first line, a form behind it: every part that is found lies within the form. */
#include <stdlib.h>

#include "control/http/multipart.h"
#include "control/http/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct mg_slice part, struct mg_slice body)
{
    if (part.len > 0 && (part.data < body.data || part.data + part.len > body.data + body.len)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice body = mg_slice_of(data, size), type = scan_until(&body, '\n');
    struct multipart form;
    if (multipart_parse(type, body, &form, NULL) != MG_OK) {
        return 0;
    }
    for (size_t i = 0; i < form.num_parts; i++) {
        const struct multipart_part *part = &form.parts[i];
        check_within(part->name, body);
        check_within(part->filename, body);
        check_within(part->content_type, body);
        check_within(part->data, body);
        if (part->name.len == 0) {
            abort();
        }
    }
    return 0;
}
