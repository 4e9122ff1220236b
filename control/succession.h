/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who takes the place of an intermediate that expires or is revoked: the certificate that its fallbackCertId names,
 * that one's own where it cannot, and so on. Pure: any thread. Times are seconds since 1970.
 */
#ifndef MINTGATE_CONTROL_SUCCESSION_H
#define MINTGATE_CONTROL_SUCCESSION_H

#include "control/intermediate.h"

/* A default is succeeded an hour before it expires, or a tenth of its life where that is less: long before engines have
 * to help themselves (minting/issuer.h), and with time to try again. */
#define SUCCESSION_LEAD_SECONDS 3600

/* succession_is_due tells whether |record|, which has a certificate, should be succeeded at |now|. */
bool succession_is_due(const struct intermediate *record, int64_t now);

/* succession_get0 returns the record |id| of |list|, NULL: there is none. Borrowed. */
const struct intermediate *succession_get0(const struct intermediate_list *list, int64_t id);

/* succession_next returns the first of |record|'s successors that is CERT_READY and not revoked; NULL: none. Borrowed
 * from |list|. */
const struct intermediate *succession_next(const struct intermediate_list *list, const struct intermediate *record);

/* succession_find returns the first of them that is not due itself at |now|; NULL: none. Borrowed likewise. */
const struct intermediate *succession_find(const struct intermediate_list *list, const struct intermediate *record,
                                           int64_t now);

/* succession_names tells whether |id| is somebody's successor. */
bool succession_names(const struct intermediate_list *list, int64_t id);

#endif
