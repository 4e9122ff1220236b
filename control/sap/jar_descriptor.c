/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/jar_descriptor.h"

#include "control/http/scan.h"

#define WHAT "META-INF/descriptor.properties"

static enum mg_status set(struct mg_slice *field, struct mg_slice value, const char *name, struct mg_error *error)
{
    if (field->data != NULL) {
        return mg_error_set(error, MG_INVALID, WHAT ": has %s twice", name);
    }
    if (value.len == 0) {
        return mg_error_set(error, MG_INVALID, WHAT ": %s is empty", name);
    }
    *field = value;
    return MG_OK;
}

static enum mg_status parse_line(struct mg_slice line, struct jar_descriptor *out, struct mg_error *error)
{
    struct mg_slice by_colon = line, value = line;
    struct mg_slice name = scan_until(&value, '=');
    if (name.len == line.len) {
        name = scan_until(&by_colon, ':');
        value = by_colon;
    }
    if (name.len == line.len) {
        return mg_error_set(error, MG_INVALID, WHAT ": each line must be name=value");
    }
    name = scan_trim(name);
    value = scan_trim(value);
    if (mg_slice_equal(name, mg_slice_of_text("certFile"))) {
        return set(&out->cert_file, value, "certFile", error);
    }
    if (mg_slice_equal(name, mg_slice_of_text("keyFile"))) {
        return set(&out->key_file, value, "keyFile", error);
    }
    return MG_OK;
}

static bool is_comment(struct mg_slice line)
{
    return line.len == 0 || line.data[0] == '#' || line.data[0] == '!';
}

enum mg_status jar_descriptor_parse(struct mg_slice text, struct jar_descriptor *out, struct mg_error *error)
{
    struct mg_slice line;
    enum mg_status status = MG_OK;
    *out = (struct jar_descriptor){.cert_file = {.data = NULL}};
    if (scan_find(text, mg_slice_of_text("\\")) < text.len) {
        return mg_error_set(error, MG_INVALID, WHAT ": must have no escapes ('\\')");
    }
    while (status == MG_OK && scan_line(&text, &line)) {
        line = scan_trim(line);
        status = is_comment(line) ? MG_OK : parse_line(line, out, error);
    }
    if (status == MG_OK && (out->cert_file.data == NULL || out->key_file.data == NULL)) {
        status = mg_error_set(error, MG_INVALID, WHAT ": must name certFile and keyFile");
    }
    return status;
}
