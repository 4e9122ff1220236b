/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <inttypes.h>

void mg_metrics_family(struct mg_buffer *out, const char *name, const char *type, const char *help)
{
    mg_buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_name(struct mg_buffer *out, const char *name, const char *labels)
{
    mg_buffer_append_text(out, name);
    if (labels[0] != '\0') {
        mg_buffer_append_text(out, "{");
        mg_buffer_append_text(out, labels);
        mg_buffer_append_text(out, "}");
    }
}

void mg_metrics_sample(struct mg_buffer *out, const char *name, const char *labels, uint64_t value)
{
    append_name(out, name, labels);
    mg_buffer_append_format(out, " %" PRIu64 "\n", value);
}

void mg_metrics_sample_seconds(struct mg_buffer *out, const char *name, const char *labels, double seconds)
{
    append_name(out, name, labels);
    mg_buffer_append_format(out, " %.9g\n", seconds);
}
