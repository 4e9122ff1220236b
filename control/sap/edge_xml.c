/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/edge_xml.h"

#include "control/http/scan.h"

static bool skip_space(struct mg_slice *in)
{
    bool skipped = false;
    while (scan_skip(in, " ") || scan_skip(in, "\t") || scan_skip(in, "\r") || scan_skip(in, "\n")) {
        skipped = true;
    }
    return skipped;
}

static bool skip(struct mg_slice *in, const char *text)
{
    (void)skip_space(in);
    return scan_skip(in, text);
}

/* skip_declaration takes <?xml ... ?> off the front, if it is there. */
static bool skip_declaration(struct mg_slice *in)
{
    if (!skip(in, "<?xml")) {
        return true;
    }
    struct mg_slice ignored;
    size_t end = scan_find(*in, mg_slice_of_text("?>"));
    return mg_slice_take(in, &ignored, end) && scan_skip(in, "?>");
}

/* take_quoted takes a value in quotes of either kind. */
static bool take_quoted(struct mg_slice *in, struct mg_slice *out)
{
    uint8_t quote = skip(in, "\"") ? '"' : '\'';
    if (quote == '\'' && !scan_skip(in, "'")) {
        return false;
    }
    struct mg_slice before = *in;
    *out = scan_until(in, quote);
    return out->len < before.len && scan_find(*out, mg_slice_of_text("&")) == out->len &&
           scan_find(*out, mg_slice_of_text("<")) == out->len;
}

static bool parse(struct mg_slice text, struct mg_slice *name)
{
    if (!skip_declaration(&text) || !skip(&text, "<KeyStore") || !skip_space(&text) || !skip(&text, "name") ||
        !skip(&text, "=") || !take_quoted(&text, name)) {
        return false;
    }
    bool is_closed = skip(&text, "/>") || (skip(&text, ">") && skip(&text, "</KeyStore") && skip(&text, ">"));
    (void)skip_space(&text);
    return is_closed && text.len == 0;
}

enum mg_status edge_xml_name(struct mg_slice text, char *out, size_t size, struct mg_error *error)
{
    struct mg_slice name;
    if (!parse(text, &name) || !scan_copy_text(name, out, size)) {
        return mg_error_set(error, MG_INVALID, "body: must be <KeyStore name=\"...\"/>, or JSON with name");
    }
    return MG_OK;
}
