/* SPDX-License-Identifier: Apache-2.0 */
#include "control/zia/zia_upload.h"

#include "control/http/scan.h"
#include "control/zia/zia_json.h"

#define PART "fileUpload"

static bool is_called(const struct multipart_part *part, const char *name)
{
    return mg_slice_equal(part->name, mg_slice_of_text(name));
}

/* find_part returns the one part that is called PART, or where none is, the one part with a file name; NULL if there
 * are two of them or none. */
static const struct multipart_part *find_part(const struct multipart *form)
{
    bool is_named = multipart_find0(form, PART) != NULL;
    const struct multipart_part *found = NULL;
    for (size_t i = 0; i < form->num_parts; i++) {
        const struct multipart_part *part = &form->parts[i];
        if (is_named ? !is_called(part, PART) : part->filename.len == 0) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = part;
    }
    return found;
}

/* base_name cuts off directories, as Unix or Windows write them. */
static struct mg_slice base_name(struct mg_slice path)
{
    struct mg_slice name = path;
    while (path.len > 0) {
        struct mg_slice byte;
        if (mg_slice_take(&path, &byte, 1) && (byte.data[0] == '/' || byte.data[0] == '\\')) {
            name = path;
        }
    }
    return name;
}

enum mg_status zia_upload_find(const struct http_request *request, struct zia_upload *out, struct mg_error *error)
{
    *out = (struct zia_upload){.file = {.data = NULL}};
    if (request->json != NULL) {
        return zia_json_read_file(request->json, &out->file, error);
    }
    const struct multipart_part *part = find_part(&request->multipart);
    if (part == NULL) {
        return mg_error_set(error, MG_INVALID, PART ": the form must have exactly one part of this name with the file");
    }
    out->file = part->data;
    out->file_name = base_name(part->filename);
    return MG_OK;
}
