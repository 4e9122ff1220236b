/* SPDX-License-Identifier: Apache-2.0 */
/* The SNI condition of a rule: exact names and suffixes, searched without allocation. Immutable once built. */
#ifndef MINTGATE_DATAPLANE_POLICY_NAME_SET_H
#define MINTGATE_DATAPLANE_POLICY_NAME_SET_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/status.h"
#include "config/config.h"

struct name_set {
    char **exact; /* sorted; owned */
    size_t num_exact;
    char **suffixes; /* without "*."; sorted; owned */
    size_t num_suffixes;
    bool none; /* matches a flow without SNI */
    bool any;  /* no condition at all */
};

/* name_set_build takes the patterns of a rule: "name", "*.suffix", "none". Unicode is turned into A-labels (RFC 5891);
 * ASCII is taken as it is (minting/names.h). MG_INVALID: the text of |error| names the pattern. On any error |out| is
 * in its zero state. */
MG_MUST_USE enum mg_status name_set_build(struct name_set *out, const struct config_strings *patterns,
                                          struct mg_error *error);
void name_set_clear(struct name_set *set);

/* name_set_matches takes a canonical name; empty for a flow without SNI. */
bool name_set_matches(const struct name_set *set, struct mg_slice name);

/* How a set relates to all names of the form <one label>.|domain|. */
enum name_set_overlap {
    NAME_SET_DISJOINT, /* holds none of them */
    NAME_SET_SOME,
    NAME_SET_ALL,
};
enum name_set_overlap name_set_overlap(const struct name_set *set, struct mg_slice domain);

#endif
