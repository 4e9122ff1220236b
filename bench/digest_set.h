/* SPDX-License-Identifier: Apache-2.0 */
/* A set of 16-byte values that are spread evenly, such as parts of SHA-256 digests. Grows. One owner. */
#ifndef MINTGATE_BENCH_DIGEST_SET_H
#define MINTGATE_BENCH_DIGEST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
    uint8_t bytes[16];
};

/* Zero state: empty. */
struct digest_set {
    struct digest *slots; /* owned; all zeros: free */
    size_t num_slots;
    size_t count;
};

/* digest_set_add adds |digest| unless it is there. It aborts if memory is short. */
void digest_set_add(struct digest_set *set, const struct digest *digest);

/* digest_set_merge adds all of |from|. */
void digest_set_merge(struct digest_set *into, const struct digest_set *from);

void digest_set_free(struct digest_set *set);

#endif
