/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command status shows, as JSON: what the control plane, the engine and the signer say, each of them if it
 * answers.
 *
 *   default, publication, intermediates, subject   of control; null where it does not answer
 *   metrics, signer                                 numbers of the engine's and the signer's metrics; null likewise
 *   rates                                           per second, from two looks at them; null where one failed
 *   alarms                                          of the engine, by name: a list
 *   trust                                           stores that the engine uses (status_stores.h), or null
 *   controlError, engineError, signerError          why one does not answer: only then
 */
#ifndef MINTGATE_CONTROL_CTL_STATUS_VIEW_H
#define MINTGATE_CONTROL_CTL_STATUS_VIEW_H

#include "control/ctl/ctl.h"

/* status_view_gather asks for everything; takes a second, for the rates. *out is the caller's, with MG_AGAIN too, where
 * control cannot be reached, and with what it refused; NULL: MG_MEMORY. */
MG_MUST_USE enum mg_status status_view_gather(struct ctl *ctl, json_t **out, struct mg_error *error);

/* status_view_rates makes "rates" of two looks at "metrics" and "signer", |before| and |after|, and the seconds between
 * them; JSON null where one is missing or |seconds| is not above 0. A counter that went backwards, because its program
 * was started again, has no rate. Pure. */
json_t *status_view_rates(const json_t *before, const json_t *after, double seconds);

/* status_view_print prints it for people, on one screen. |now| is in seconds since 1970. */
MG_MUST_USE enum mg_status status_view_print(const json_t *view, int64_t now, struct mg_error *error);

#endif
