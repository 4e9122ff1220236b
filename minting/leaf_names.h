/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names a leaf carries: the server's, less those that policy treats differently from this connection, plus the
 * one that the client asked for where a leaf must carry it and the rest does not cover it. Decided once for each
 * connection, before the cache is asked: the cache's key and the leaf follow from the same decision. Pure: any thread.
 */
#ifndef MINTGATE_MINTING_LEAF_NAMES_H
#define MINTGATE_MINTING_LEAF_NAMES_H

#include "minting/mimic.h"

/* leaf_names_keep tells whether the leaf may carry |name|, a wildcard with its "*." included. Browsers reuse a
 * connection for any name of its leaf (RFC 9113 section 9.1.1), so one whose policy verdict differs from this
 * connection's would slip through. */
typedef bool leaf_names_keep(void *arg, enum mimic_name_kind kind, struct mg_slice name);

/* struct leaf_names is the decision. Everything in it is borrowed from what leaf_names_decide was given. */
struct leaf_names {
    struct mimic *mimic;
    uint8_t dropped[(MIMIC_MAX_NAMES + 7) / 8]; /* a bit for each of the mimic's names, from the lowest */
    size_t num_dropped;
    bool drops_subject; /* its common name is a dropped name */
    enum mimic_name_kind added_kind;
    struct mg_slice added; /* empty: none */
};

/*
 * leaf_names_decide decides for a server's |mimic|. |keep| (NULL: keep all) is asked once for each name and for the
 * host name that the subject has as its common name.
 *
 * |required| is the name, of |required_kind|, that the leaf must carry: the canonical SNI, or the address the client
 * dialled. Empty: none, for leaves that are to name only what the server names: a server that failed verification
 * must not collect the names of all who ask. It is added only where no kept name covers it, and |keep| is not asked
 * about it.
 */
void leaf_names_decide(struct leaf_names *out, struct mimic *mimic, enum mimic_name_kind required_kind,
                       struct mg_slice required, leaf_names_keep *keep, void *keep_arg);

/* leaf_names_is_dropped tells whether name |i| of the mimic was dropped. */
static inline bool leaf_names_is_dropped(const struct leaf_names *names, size_t i)
{
    return (names->dropped[i / 8] >> (i % 8) & 1) != 0;
}

/* leaf_names_count returns how many names the leaf has. Without one there is no leaf. */
static inline size_t leaf_names_count(const struct leaf_names *names)
{
    return names->mimic->num_names - names->num_dropped + (names->added.len > 0 ? 1 : 0);
}

#endif
