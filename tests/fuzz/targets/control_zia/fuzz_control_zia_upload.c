/* SPDX-License-Identifier: Apache-2.0 */
/* An upload, its content type in the first line and the form behind it: the file that is found lies within the form,
 * and its name has no directories. */
#include <stdlib.h>
#include <string.h>

#include "control/http/scan.h"
#include "control/zia/zia_upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct mg_slice part, struct mg_slice body)
{
    return part.len == 0 || (part.data >= body.data && part.data + part.len <= body.data + body.len);
}

static bool has_byte(struct mg_slice text, char byte)
{
    return text.len > 0 && memchr(text.data, byte, text.len) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice body = mg_slice_of(data, size), type = scan_until(&body, '\n');
    struct http_request request = {.json = NULL};
    struct zia_upload upload;
    if (multipart_parse(type, body, &request.multipart, NULL) != MG_OK) {
        return 0;
    }
    if (zia_upload_find(&request, &upload, NULL) != MG_OK) {
        return 0;
    }
    if (!is_within(upload.file, body) || !is_within(upload.file_name, body) || has_byte(upload.file_name, '/') ||
        has_byte(upload.file_name, '\\')) {
        abort();
    }
    return 0;
}
