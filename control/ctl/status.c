/* SPDX-License-Identifier: Apache-2.0 */
/* One screen: what signs, until when, what each engine serves, and how they all are. */
#include "base/clock.h"
#include "control/ctl/commands.h"
#include "control/ctl/status_view.h"

enum mg_status status_show(struct ctl *ctl, struct mg_error *error)
{
    json_t *view;
    struct mg_error trouble;
    enum mg_status gathered = status_view_gather(ctl, &view, error);
    if (view == NULL) {
        return gathered;
    }
    enum mg_status printed =
        ctl->json ? ctl_print_json(view, &trouble) : status_view_print(view, mg_clock_wall_seconds(), &trouble);
    json_decref(view);
    if (gathered == MG_OK && printed != MG_OK) {
        *error = trouble;
        return printed;
    }
    return gathered; /* what there was is shown; the exit code tells that control was not there */
}
