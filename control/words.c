/* SPDX-License-Identifier: Apache-2.0 */
#include "control/words.h"

const char *words_name(const struct words *words, unsigned value)
{
    return value > 0 && value < words->num_names ? words->names[value] : "none";
}

unsigned words_value(const struct words *words, struct mg_slice text)
{
    for (unsigned value = 1; value < words->num_names; value++) {
        if (mg_slice_equal(text, mg_slice_of_text(words->names[value]))) {
            return value;
        }
    }
    return 0;
}
