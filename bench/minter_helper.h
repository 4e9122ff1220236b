/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the helper that is the engine's half of minting. */
#ifndef MINTGATE_BENCH_MINTER_HELPER_H
#define MINTGATE_BENCH_MINTER_HELPER_H

#include <stdbool.h>

#include "bench/helper.h"

/* minter_helper_start starts a minter that asks the mintgate-signer of |signer|, which it watches, for leaves of its
 * issuer with a key of |type|: an |is_offered| one, or the default. For the default it also writes TBSCertificates,
 * where |signer| has an issuer of its own besides (bench/probes/software.c). */
MG_MUST_USE enum mg_status minter_helper_start(struct helper *out, const struct helper *signer, const char *type,
                                               bool is_offered, struct mg_error *error);

#endif
