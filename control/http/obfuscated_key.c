/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/obfuscated_key.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

bool obfuscated_key_is_fresh(int64_t timestamp_ms, int64_t now_us)
{
    int64_t now_ms = now_us / 1000;
    return timestamp_ms >= now_ms - OBFUSCATED_KEY_WINDOW_MS && timestamp_ms <= now_ms + OBFUSCATED_KEY_WINDOW_MS;
}

bool obfuscated_key_matches(const char *seed, int64_t timestamp_ms, struct mg_slice obfuscated)
{
    char digits[2 * 6 + 1], expected[OBFUSCATED_KEY_LEN];
    uint32_t low = (uint32_t)((uint64_t)timestamp_ms % 1000000);
    if (strlen(seed) < API_KEY_MIN || timestamp_ms < 0 || obfuscated.len != OBFUSCATED_KEY_LEN) {
        return false;
    }
    /* The last six digits pick from the front of the seed, the digits of half of them from its third character on. */
    snprintf(digits, sizeof(digits), "%06" PRIu32 "%06" PRIu32, low, low >> 1);
    for (size_t i = 0; i < OBFUSCATED_KEY_LEN; i++) {
        expected[i] = seed[digits[i] - '0' + (i < 6 ? 0 : 2)];
    }
    bool equal = CRYPTO_memcmp(expected, obfuscated.data, sizeof(expected)) == 0;
    mg_secret_wipe(expected, sizeof(expected));
    return equal;
}
