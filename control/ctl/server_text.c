/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/server_text.h"

#include <stddef.h>
#include <string.h>

enum mg_status server_text_split(struct server_text *out, const char *text, struct mg_error *error)
{
    const char *start = text, *end = text + strlen(text), *colon = strchr(text, ':');
    *out = (struct server_text){.port = NULL};
    if (text[0] == '[') {
        start = text + 1;
        end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
            return mg_error_set(error, MG_INVALID, "--server: '%.80s' must be ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT",
                                text);
        }
        out->port = end[1] == ':' ? end + 2 : NULL;
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        end = colon;
        out->port = colon + 1;
    }
    if (end == start || end - start > (ptrdiff_t)SERVER_TEXT_MAX) {
        return mg_error_set(error, MG_INVALID, "--server: '%.80s' has no address", text);
    }
    memcpy(out->address, start, (size_t)(end - start));
    return MG_OK;
}
