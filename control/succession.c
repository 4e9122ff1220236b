/* SPDX-License-Identifier: Apache-2.0 */
#include "control/succession.h"

bool succession_is_due(const struct intermediate *record, int64_t now)
{
    int64_t lead = (record->not_after - record->not_before) / 10;
    return now >= record->not_after - (lead < SUCCESSION_LEAD_SECONDS ? lead : SUCCESSION_LEAD_SECONDS);
}

const struct intermediate *succession_get0(const struct intermediate_list *list, int64_t id)
{
    for (size_t i = 0; i < list->num_items; i++) {
        if (list->items[i].id == id) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* find goes along the successors, which may go in a circle, to the first that is ready and, with |now|, not due. */
static const struct intermediate *find(const struct intermediate_list *list, const struct intermediate *record,
                                       const int64_t *now)
{
    const struct intermediate *successor = record;
    for (size_t step = 0; step < list->num_items; step++) {
        successor = succession_get0(list, successor->fallback_id);
        if (successor == NULL || successor == record) {
            return NULL;
        }
        if (successor->state == INTERMEDIATE_CERT_READY && !successor->is_revoked &&
            (now == NULL || !succession_is_due(successor, *now))) {
            return successor;
        }
    }
    return NULL;
}

const struct intermediate *succession_next(const struct intermediate_list *list, const struct intermediate *record)
{
    return find(list, record, NULL);
}

const struct intermediate *succession_find(const struct intermediate_list *list, const struct intermediate *record,
                                           int64_t now)
{
    return find(list, record, &now);
}

bool succession_names(const struct intermediate_list *list, int64_t id)
{
    for (size_t i = 0; i < list->num_items; i++) {
        if (list->items[i].fallback_id == id) {
            return true;
        }
    }
    return false;
}
