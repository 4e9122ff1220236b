/* SPDX-License-Identifier: Apache-2.0 */
/* The API key of the ZIA family's legacy login, which travels shuffled by the time (contracts.md 1.2). Pure. */
#ifndef MINTGATE_CONTROL_HTTP_OBFUSCATED_KEY_H
#define MINTGATE_CONTROL_HTTP_OBFUSCATED_KEY_H

#include <stdint.h>

#include "base/slice.h"

#define API_KEY_MIN 12 /* the shuffling looks at the first 12 characters */
#define API_KEY_MAX 64
#define OBFUSCATED_KEY_LEN 12
#define OBFUSCATED_KEY_WINDOW_MS INT64_C(300000)

/* obfuscated_key_is_fresh tells whether |timestamp_ms| is at most five minutes before or after |now_us|. */
MG_MUST_USE bool obfuscated_key_is_fresh(int64_t timestamp_ms, int64_t now_us);

/* obfuscated_key_matches tells, in constant time, whether |obfuscated| is |seed| (at least API_KEY_MIN characters)
 * shuffled at |timestamp_ms|. */
MG_MUST_USE bool obfuscated_key_matches(const char *seed, int64_t timestamp_ms, struct mg_slice obfuscated);

#endif
