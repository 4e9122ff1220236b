/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/json.h"

void json_append_string(struct mg_buffer *out, const char *text)
{
    mg_buffer_append_text(out, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') {
            mg_buffer_append_format(out, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            mg_buffer_append_format(out, "\\u%04x", byte);
        } else {
            mg_buffer_append(out, byte < 0x80 ? c : "?", 1);
        }
    }
    mg_buffer_append_text(out, "\"");
}
