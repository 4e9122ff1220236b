/* SPDX-License-Identifier: Apache-2.0 */
/* A body as each reader of the NAVER family takes it: what is read is within the bounds that the readers state. */
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/naver/naver_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void read_wish(const json_t *json)
{
    struct pca_call call = {.pca = NULL};
    struct pca_wish wish = {.type = PCA_ROOT};
    if (naver_json_read_wish(&call, json, &wish, NULL) == MG_OK) {
        need(wish.alias != NULL && wish.memo != NULL && wish.subject.common_name[0] != '\0');
        need(strlen(wish.memo) < TEXT_SIZE(PCA_MAX_MEMO));
        need(wish.period_days >= 0 && wish.period_days <= PCA_MAX_PERIOD_DAYS);
    } else {
        need(call.code != NULL);
    }
    GENERAL_NAMES_free(wish.names);
}

static void read_end_wish(const json_t *json)
{
    struct pca_call call = {.pca = NULL};
    struct naver_end_wish wish;
    if (naver_json_read_end_wish(&call, json, &wish, NULL) == MG_OK) {
        need(wish.subject != NULL && X509_NAME_entry_count(wish.subject) > 0 && wish.wish.key >= PCA_KEY_RSA_2048);
        need((wish.wish.key_usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) == 0);
        need(wish.wish.days >= PCA_PERIOD_DEFAULT && wish.wish.days <= PCA_MAX_PERIOD_DAYS);
    } else {
        need(call.code != NULL);
    }
    naver_end_wish_free(&wish);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json;
    if (http_json_parse(mg_slice_of(data, size), &json, NULL) != MG_OK) {
        return 0;
    }
    read_wish(json);
    read_end_wish(json);
    http_json_free(json);
    return 0;
}
