/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of mintgate-bench: each starts the helpers that it needs and adds its groups. */
#ifndef MINTGATE_BENCH_SUBCOMMANDS_H
#define MINTGATE_BENCH_SUBCOMMANDS_H

#include "bench/measure.h"

/* subcommand_hsm: leaves minted over the engine's socket, by a signer on a PKCS#11 token, beside C_Sign itself. The
 * mintgate-signer's threads sign on 1 to |max_sessions| sessions. */
MG_MUST_USE enum mg_status subcommand_hsm(struct bench *bench, unsigned max_sessions, struct mg_error *error);

/* bench_mint_on_token is the part of subcommand_mint for PKCS#11: the rates of subcommand_hsm with |num_sessions|. */
MG_MUST_USE enum mg_status bench_mint_on_token(struct bench *bench, unsigned num_sessions, struct mg_error *error);

/* subcommand_mint: certificates by the issuer's key, the leaf's, the backend and the number of threads, inside the
 * signer and from the engine's side, beside the library's signatures alone; and one X509_sign each. |only|: for issuers
 * with this type of key alone, as the configuration calls it; NULL: for each. MG_INVALID if it is none. */
MG_MUST_USE enum mg_status subcommand_mint(struct bench *bench, const char *only, struct mg_error *error);

/* subcommand_cache: lookups at several sizes, beside liburcu's table by itself and one behind a mutex, with readers and
 * writers for company, each timed; and the memory that a leaf holds. |only|: with so many entries alone; NULL: with
 * each number of them. MG_INVALID if it is none. */
MG_MUST_USE enum mg_status subcommand_cache(struct bench *bench, const char *only, struct mg_error *error);

/* subcommand_hello: ClientHellos of real clients, from the tree that was built, parsed as workers do. */
MG_MUST_USE enum mg_status subcommand_hello(struct bench *bench, struct mg_error *error);

#endif
