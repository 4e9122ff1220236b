/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/reach.h"

#include <stdio.h>
#include <string.h>

static const char *const names[REACH_NUM] = {"zia", "sap", "securosys", "mintgate"};

const char *reach_name(unsigned index)
{
    return names[index];
}

unsigned reach_bit(const char *name)
{
    for (unsigned i = 0; i < REACH_NUM; i++) {
        if (strcmp(name, names[i]) == 0) {
            return 1U << i;
        }
    }
    return 0;
}

void reach_text(unsigned reach, char out[REACH_TEXT_SIZE])
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < REACH_NUM; i++) {
        if ((reach & 1U << i) != 0) {
            len += (size_t)snprintf(out + len, REACH_TEXT_SIZE - len, "%s%s", len == 0 ? "" : ",", names[i]);
        }
    }
}

bool reach_is_valid(unsigned reach)
{
    return reach != 0 && (reach & ~REACH_ALL) == 0;
}
