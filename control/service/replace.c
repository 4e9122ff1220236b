/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/replace.h"

#include "control/service/publication.h"
#include "control/succession.h"

#define US_PER_SECOND 1000000

static enum mg_status replace(struct service *service, struct lifecycle_call *call,
                              const struct intermediate_list *list, int64_t id, struct mg_error *error)
{
    const struct intermediate *old = succession_get0(list, id);
    if (old == NULL || !old->is_default) {
        return MG_OK; /* somebody was faster */
    }
    const struct intermediate *successor = succession_find(list, old, call->now_us / US_PER_SECOND);
    if (successor == NULL) {
        return mg_error_set(error, MG_NOT_FOUND, "intermediate %lld, the default, has no successor", (long long)id);
    }
    return service_make_default(service, call, successor->id, true, NULL, error);
}

enum mg_status replace_default(struct service *service, struct lifecycle_call *call, int64_t id, struct mg_error *error)
{
    struct intermediate_list list = {.num_items = 0};
    enum mg_status status = publication_load_all(call->lifecycle->store, &list, error);
    if (status == MG_OK) {
        status = replace(service, call, &list, id, error);
    }
    intermediate_list_free(&list);
    return status;
}
