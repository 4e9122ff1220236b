/* SPDX-License-Identifier: Apache-2.0 */
/* A body as each reader of the ZIA family takes it: what is read is within the bounds that the readers state. */
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/zia/zia_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* touch reads every byte of |text|, so that a wrong bound is seen. */
static void touch(struct mg_slice text, size_t max_len)
{
    need(text.len <= max_len && memchr(text.data == NULL ? "" : (const char *)text.data, 0, text.len) == NULL);
}

static void read_draft(const json_t *json)
{
    struct lifecycle_draft draft;
    if (zia_json_read_draft(json, &draft, NULL) != MG_OK) {
        return;
    }
    touch(draft.name, TEXT_SIZE(INTERMEDIATE_MAX_NAME) - 1);
    touch(draft.description, TEXT_SIZE(INTERMEDIATE_MAX_DESCRIPTION) - 1);
    need(draft.type < intermediate_type_words.num_names && draft.region < intermediate_region_words.num_names &&
         draft.status < intermediate_status_words.num_names && draft.key_type < intermediate_key_type_words.num_names &&
         draft.fallback_id >= -1);
}

static void read_csr_wish(const json_t *json)
{
    struct lifecycle_csr_wish wish;
    if (zia_json_read_csr_wish(json, &wish, NULL) != MG_OK) {
        return;
    }
    touch(wish.file_name, TEXT_SIZE(INTERMEDIATE_MAX_FILE_NAME) - 1);
    touch(wish.common_name, TEXT_SIZE(INTERMEDIATE_MAX_ATTRIBUTE) - 1);
    touch(wish.organization, TEXT_SIZE(INTERMEDIATE_MAX_ATTRIBUTE) - 1);
    touch(wish.unit, TEXT_SIZE(INTERMEDIATE_MAX_ATTRIBUTE) - 1);
    touch(wish.city, TEXT_SIZE(INTERMEDIATE_MAX_PLACE) - 1);
    touch(wish.state, TEXT_SIZE(INTERMEDIATE_MAX_PLACE) - 1);
    touch(wish.country, TEXT_SIZE(2) - 1);
    touch(wish.digest, TEXT_SIZE(8) - 1);
    need(wish.key_size >= -1 && wish.path_len >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json;
    int64_t id;
    struct mg_slice file;
    if (http_json_parse(mg_slice_of(data, size), &json, NULL) != MG_OK) {
        return 0;
    }
    read_draft(json);
    read_csr_wish(json);
    need(zia_json_read_id(json, &id, NULL) != MG_OK || id >= 0);
    if (zia_json_read_file(json, &file, NULL) == MG_OK) {
        need(file.len > 0);
        touch(file, CERTIFICATE_MAX_CHAIN_FILE);
    }
    http_json_free(json);
    return 0;
}
