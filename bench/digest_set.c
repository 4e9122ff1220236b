/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/digest_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024

static bool is_free(const struct digest *slot)
{
    static const struct digest zeros;
    return memcmp(slot, &zeros, sizeof(zeros)) == 0;
}

/* place puts |digest| into the slot that is its own or the next free one behind; false if it is there already. */
static bool place(struct digest_set *set, const struct digest *digest)
{
    uint64_t hash;
    memcpy(&hash, digest->bytes, sizeof(hash));
    for (size_t i = hash % set->num_slots;; i = (i + 1) % set->num_slots) {
        if (is_free(&set->slots[i])) {
            set->slots[i] = *digest;
            return true;
        }
        if (memcmp(&set->slots[i], digest, sizeof(*digest)) == 0) {
            return false;
        }
    }
}

static void grow(struct digest_set *set)
{
    struct digest_set larger = {.num_slots = set->num_slots == 0 ? FIRST_SLOTS : 2 * set->num_slots};
    larger.slots = calloc(larger.num_slots, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        perror("digest set");
        abort();
    }
    digest_set_merge(&larger, set);
    digest_set_free(set);
    *set = larger;
}

void digest_set_add(struct digest_set *set, const struct digest *digest)
{
    if (2 * (set->count + 1) > set->num_slots) {
        grow(set);
    }
    if (place(set, digest)) {
        set->count++;
    }
}

void digest_set_merge(struct digest_set *into, const struct digest_set *from)
{
    for (size_t i = 0; i < from->num_slots; i++) {
        if (!is_free(&from->slots[i])) {
            digest_set_add(into, &from->slots[i]);
        }
    }
}

void digest_set_free(struct digest_set *set)
{
    free(set->slots);
    *set = (struct digest_set){.count = 0};
}
