/* SPDX-License-Identifier: Apache-2.0 */
/* Enumerations as words, the same in the database and in the APIs. Value 0 has no word: it is "none" or "not given".
 * Pure: any thread. */
#ifndef MINTGATE_CONTROL_WORDS_H
#define MINTGATE_CONTROL_WORDS_H

#include "base/slice.h"

struct words {
    const char *const *names; /* by value; names[0] is NULL */
    size_t num_names;
};

/* WORDS_OF defines |list|'s words from an array of names. */
#define WORDS_OF(names)                                                                                                \
    {                                                                                                                  \
        names, MG_ARRAY_LEN(names)                                                                                     \
    }

/* words_name returns the word of |value|; "none" for 0 or a value that is none. */
const char *words_name(const struct words *words, unsigned value);

/* words_value returns the value of |text|, 0 if it is no word of the list. */
unsigned words_value(const struct words *words, struct mg_slice text);

#endif
