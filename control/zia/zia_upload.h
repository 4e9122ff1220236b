/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an upload, wherever a client puts it (contracts.md section 1.3). Pure: any thread. */
#ifndef MINTGATE_CONTROL_ZIA_ZIA_UPLOAD_H
#define MINTGATE_CONTROL_ZIA_ZIA_UPLOAD_H

#include "control/http/request.h"

/* Both borrowed from the request; |file_name| without memory: none was given. */
struct zia_upload {
    struct mg_slice file, file_name;
};

/* zia_upload_find takes the part `fileUpload` of a form, or its only part with a file name; of a JSON body the text
 * `fileUpload`. Directories before the file's name are cut off (RFC 7578 section 4.2). MG_INVALID: there is no such
 * part, or more than one. */
MG_MUST_USE enum mg_status zia_upload_find(const struct http_request *request, struct zia_upload *out,
                                           struct mg_error *error);

#endif
