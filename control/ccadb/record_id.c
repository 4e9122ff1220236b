/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/record_id.h"

#define BODY_LEN 15
#define GROUP_LEN 5
#define NUMBER_LEN 9

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char checks[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

static bool is_upper(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z';
}

/* check_of returns the character for five others: bit i says that the i-th is upper case. */
static char check_of(const uint8_t *group)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < GROUP_LEN; i++) {
        bits |= (unsigned)is_upper(group[i]) << i;
    }
    return checks[bits];
}

void record_id_make(const char *prefix, uint64_t number, char out[RECORD_ID_SIZE])
{
    memcpy(out, prefix, 3);
    memcpy(out + 3, "Mg0", 3);
    for (size_t i = BODY_LEN; i > BODY_LEN - NUMBER_LEN; i--) {
        out[i - 1] = digits[number % (sizeof(digits) - 1)];
        number /= sizeof(digits) - 1;
    }
    for (size_t i = 0; i < BODY_LEN / GROUP_LEN; i++) {
        out[BODY_LEN + i] = check_of((const uint8_t *)out + i * GROUP_LEN);
    }
    out[RECORD_ID_LEN] = '\0';
}

bool record_id_is_valid(struct mg_slice text)
{
    if (text.len != RECORD_ID_LEN) {
        return false;
    }
    for (size_t i = 0; i < BODY_LEN; i++) {
        if (memchr(digits, text.data[i], sizeof(digits) - 1) == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < BODY_LEN / GROUP_LEN; i++) {
        if (text.data[BODY_LEN + i] != (uint8_t)check_of(text.data + i * GROUP_LEN)) {
            return false;
        }
    }
    return true;
}

bool record_id_number(struct mg_slice text, const char *prefix, uint64_t *out)
{
    char made[RECORD_ID_SIZE];
    uint64_t number = 0;
    if (!record_id_is_valid(text)) {
        return false;
    }
    for (size_t i = BODY_LEN - NUMBER_LEN; i < BODY_LEN; i++) {
        const char *digit = memchr(digits, text.data[i], sizeof(digits) - 1);
        number = number * (sizeof(digits) - 1) + (uint64_t)(digit - digits);
    }
    record_id_make(prefix, number, made);
    *out = number;
    return mg_slice_equal(text, mg_slice_of_text(made));
}
