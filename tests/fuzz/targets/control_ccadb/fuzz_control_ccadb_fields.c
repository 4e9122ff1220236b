/* SPDX-License-Identifier: Apache-2.0 */
/* A body as the table of the CCADB family's fields takes it, twice: what is kept keeps the rules, so that a second look
 * at it finds nothing. */
#include <stdlib.h>

#include "control/ccadb/fields.h"
#include "control/ccadb/record_id.h"
#include "control/ccadb/values.h"
#include "control/http/json_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool has_word(void *arg, const char *list, const char *word)
{
    (void)arg;
    return list[0] != '\0' && strlen(word) % 2 == 1; /* "Revoked" is one */
}

static bool has_auditor(void *arg, const char *auditor)
{
    (void)arg;
    return auditor[0] != 'x';
}

static bool has_location(void *arg, const char *auditor, const char *location)
{
    (void)arg;
    return auditor[0] == location[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct field_words words = {has_word, has_auditor, has_location, NULL};
    struct findings findings = {.errors = NULL};
    json_t *request, *record = json_object(), *nothing = json_object();
    uint64_t number;
    struct mg_slice text = mg_slice_of(data, size);
    need(!record_id_number(text, RECORD_ID_RECORD, &number) || record_id_is_valid(text));
    if (http_json_parse(text, &request, NULL) == MG_OK) {
        if (json_is_object(request)) {
            fields_merge(record, request, &words, &findings);
        }
        http_json_free(request); /* what was kept does not live in it */
    }
    if (!findings_failed(&findings)) {
        const char *url = fields_crl_url(record);
        need(url == NULL || value_is_url(url));
        findings_free(&findings);
        fields_merge(record, nothing, &words, &findings);
        need(!findings_failed(&findings) && json_array_size(findings.warnings) == 0);
    }
    json_t *list = findings_list(&findings);
    need(list != NULL && json_array_size(list) <= 2 * (FINDINGS_MAX + 1));
    json_decref(list);
    findings_free(&findings);
    json_decref(record);
    json_decref(nothing);
    return 0;
}
