/* SPDX-License-Identifier: Apache-2.0 */
/* Text from elsewhere: as metrics, as a cell of a table (whose output no control character reaches), and as JSON. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/certificate.h"
#include "control/ctl/samples.h"
#include "control/ctl/server_text.h"
#include "control/ctl/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const char *text)
{
    const char *const cells[] = {text, "b", "c", text};
    struct mg_buffer out;
    mg_buffer_init(&out, SIZE_MAX);
    table_write(&out, cells, 2, 2);
    size_t num_lines = 0;
    for (size_t i = 0; mg_buffer_ok(&out) && i < out.len; i++) {
        num_lines += out.data[i] == '\n';
        if ((out.data[i] < 0x20 && out.data[i] != '\n') || out.data[i] == 0x7f) {
            abort();
        }
    }
    if (mg_buffer_ok(&out) && num_lines != 2) {
        abort();
    }
    mg_buffer_free(&out);
}

/* check_server: what is split is within bounds, and ends. */
static void check_server(const char *text)
{
    struct server_text server;
    if (server_text_split(&server, text, NULL) == MG_OK &&
        (server.address[0] == '\0' || strlen(server.address) > SERVER_TEXT_MAX ||
         (server.port != NULL && (server.port < text || server.port > text + strlen(text))))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t value = 0;
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (samples_find(text, "hits", &value) && value < 0) {
        abort();
    }
    if (samples_sum(text, "hits", &value) && value < 0) {
        abort();
    }
    check_server(text);
    check_table(text);
    json_t *list = json_loads(text, 0, NULL);
    (void)certificate_match(list, "1");
    json_decref(list);
    free(text);
    return 0;
}
