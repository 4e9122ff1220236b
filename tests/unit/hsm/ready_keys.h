/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA keys that are there already. A test that is linked with this (the dependency |ready_keys| in meson.build) gets
 * them wherever the signer's code calls key_type_generate: in turn, so that READY_KEYS_OF_A_TYPE calls one after the
 * other return different ones. EC keys are made as ever, since that takes no time. What makes real RSA keys is tested
 * by test_hsm_key_type.c and by the tests of the programs.
 */
#ifndef MINTGATE_TESTS_READY_KEYS_H
#define MINTGATE_TESTS_READY_KEYS_H

#include "hsm/key_type.h"

#define READY_KEYS_OF_A_TYPE 4

/* What the linker puts in place of key_type_generate (ld's --wrap), and the name it gives that. */
enum mg_status __wrap_key_type_generate(const struct key_type *type, EVP_PKEY **out, struct mg_error *error);
enum mg_status __real_key_type_generate(const struct key_type *type, EVP_PKEY **out, struct mg_error *error);

#endif
