/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/multipart.h"

#include <stdio.h>

#include "control/http/scan.h"

struct delimiter {
    char text[2 + MULTIPART_MAX_BOUNDARY + 1]; /* "--" and the boundary */
};

static enum mg_status read_boundary(struct mg_slice content_type, struct delimiter *out, struct mg_error *error)
{
    struct mg_slice rest = scan_trim(content_type), boundary;
    char text[MULTIPART_MAX_BOUNDARY + 1];
    if (!scan_equal_nocase(scan_trim(scan_until(&rest, ';')), "multipart/form-data")) {
        return mg_error_set(error, MG_INVALID, "Content-Type: must be multipart/form-data");
    }
    if (!scan_header_parameter(content_type, "boundary", &boundary) || boundary.len == 0 ||
        !scan_copy_text(boundary, text, sizeof(text))) {
        return mg_error_set(error, MG_INVALID, "Content-Type: must have a boundary of 1 to %d characters",
                            MULTIPART_MAX_BOUNDARY);
    }
    snprintf(out->text, sizeof(out->text), "--%s", text);
    return MG_OK;
}

/* take_delimiter takes a delimiter line off the front of |in|; |*is_last| where it ends the body. */
static bool take_delimiter(struct mg_slice *in, const struct delimiter *delimiter, bool *is_last)
{
    struct mg_slice rest = *in, line;
    if (!scan_skip(&rest, delimiter->text)) {
        return false;
    }
    *is_last = rest.len == 0 || scan_skip(&rest, "--");
    if (!*is_last && (!scan_line(&rest, &line) || scan_trim(line).len > 0)) {
        return false; /* a longer word than the boundary */
    }
    *is_last = *is_last || rest.len == 0; /* the closing delimiter's dashes may be missing */
    *in = rest;
    return true;
}

/* take_part takes everything up to the next delimiter at the beginning of a line, and that delimiter. The line end in
 * front of a delimiter belongs to the delimiter (RFC 2046 section 5.1.1). */
static bool take_part(struct mg_slice *in, const struct delimiter *delimiter, struct mg_slice *part, bool *is_last)
{
    struct mg_slice rest = *in, line;
    size_t part_len = 0;
    for (;;) {
        if (take_delimiter(&rest, delimiter, is_last)) {
            *part = mg_slice_of(in->data, part_len);
            *in = rest;
            return true;
        }
        size_t begin = in->len - rest.len;
        if (!scan_line(&rest, &line)) {
            return false;
        }
        part_len = begin + line.len;
    }
}

static void read_header(struct mg_slice line, struct multipart_part *part)
{
    if (scan_skip_nocase(&line, "Content-Disposition:")) {
        (void)!scan_header_parameter(line, "name", &part->name);
        (void)!scan_header_parameter(line, "filename", &part->filename);
    } else if (scan_skip_nocase(&line, "Content-Type:")) {
        part->content_type = scan_trim(line);
    }
}

/* read_part reads headers up to the blank line; or up to the first line that is none, where the blank line was left
 * out. Every header of a part begins with "Content-" (RFC 7578 section 4.8). */
static enum mg_status read_part(struct mg_slice bytes, struct multipart_part *part, struct mg_error *error)
{
    struct mg_slice rest = bytes, line, word;
    for (;;) {
        part->data = rest;
        if (!scan_line(&rest, &line)) {
            break;
        }
        word = line;
        if (line.len == 0) {
            part->data = rest;
            break;
        }
        if (!scan_skip_nocase(&word, "Content-")) {
            break;
        }
        read_header(line, part);
    }
    if (part->name.len == 0) {
        return mg_error_set(error, MG_INVALID, "a part of the form has no name");
    }
    return MG_OK;
}

/* skip_preamble takes everything up to and with the first delimiter. */
static bool skip_preamble(struct mg_slice *in, const struct delimiter *delimiter, bool *is_last)
{
    struct mg_slice preamble;
    return take_part(in, delimiter, &preamble, is_last);
}

enum mg_status multipart_parse(struct mg_slice content_type, struct mg_slice body, struct multipart *out,
                               struct mg_error *error)
{
    struct delimiter delimiter;
    bool is_last = false;
    *out = (struct multipart){.num_parts = 0};
    enum mg_status status = read_boundary(content_type, &delimiter, error);
    if (status == MG_OK && !skip_preamble(&body, &delimiter, &is_last)) {
        status = mg_error_set(error, MG_INVALID, "the form has no delimiter");
    }
    while (status == MG_OK && !is_last) {
        struct mg_slice bytes;
        if (out->num_parts == MULTIPART_MAX_PARTS) {
            return mg_error_set(error, MG_LIMIT, "the form has more than %d parts", MULTIPART_MAX_PARTS);
        }
        if (!take_part(&body, &delimiter, &bytes, &is_last)) {
            return mg_error_set(error, MG_INVALID, "the form has no delimiter behind its last part");
        }
        status = read_part(bytes, &out->parts[out->num_parts], error);
        out->num_parts += status == MG_OK;
    }
    return status;
}

const struct multipart_part *multipart_find0(const struct multipart *multipart, const char *name)
{
    for (size_t i = 0; i < multipart->num_parts; i++) {
        if (mg_slice_equal(multipart->parts[i].name, mg_slice_of_text(name))) {
            return &multipart->parts[i];
        }
    }
    return NULL;
}
