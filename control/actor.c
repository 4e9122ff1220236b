/* SPDX-License-Identifier: Apache-2.0 */
#include "control/actor.h"

static const char *const names[] = {NULL, "auditor", "operator", "admin"};
const struct words control_role_words = WORDS_OF(names);
