/* SPDX-License-Identifier: Apache-2.0 */
/* Single values of a record: dates and addresses (contracts.md section 2.3). Pure: any thread. */
#ifndef MINTGATE_CONTROL_CCADB_VALUES_H
#define MINTGATE_CONTROL_CCADB_VALUES_H

#include <stdbool.h>

#include "base/attr.h"

/* The longest address that an engine writes into a leaf (minting/issuer.h). */
#define VALUES_MAX_URL 1024

/* value_is_date tells whether |text| is a day of the calendar as yyyy-MM-dd. Two such texts compare as their days do.
 */
MG_MUST_USE bool value_is_date(const char *text);

/* value_is_url tells whether |text| is an http or https address with a host, in ASCII without spaces, controls and the
 * characters that no URI has (RFC 3986 section 2), and not too long; value_is_https, one whose scheme is https. */
MG_MUST_USE bool value_is_url(const char *text);
MG_MUST_USE bool value_is_https(const char *text);

#endif
