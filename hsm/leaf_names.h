/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of a leaf: the GeneralNames of its subjectAltName (RFC 5280 section 4.2.1.6), which may hold DNS names and
 * IP addresses and nothing else. Names are values, never text to be parsed again. No allocation. Pure: any thread.
 */
#ifndef MINTGATE_HSM_LEAF_NAMES_H
#define MINTGATE_HSM_LEAF_NAMES_H

#include "base/slice.h"

enum leaf_name_kind {
    LEAF_NAME_DNS, /* ASCII */
    LEAF_NAME_IP,  /* 4 or 16 octets */
};

struct leaf_name {
    enum leaf_name_kind kind;
    struct mg_slice value;
};

/* leaf_names_read sets *names to the content of |extension_value|, one SEQUENCE that is not empty. */
MG_MUST_USE bool leaf_names_read(struct mg_slice extension_value, struct mg_slice *names);

/* leaf_names_next takes the next name off |names|; false at the end and at whatever is neither DNS name nor address. */
MG_MUST_USE bool leaf_names_next(struct mg_slice *names, struct leaf_name *out);

/* leaf_names_are_allowed tells whether every one of |names| may stand in a leaf: addresses of 4 or 16 octets; DNS names
 * of 1 to 253 octets, in labels of 1 to 63 letters, digits, hyphens and underscores (real hosts have underscores and
 * hyphens where RFC 5890 section 2.3.1 has none), a wildcard only as the whole left-most label before another (RFC 9525
 * section 6.3). */
bool leaf_names_are_allowed(struct mg_slice names);

#endif
