/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that need a PKCS#11 token: SoftHSM2 with its objects in the test's directory, and in front of it, where a
 * test wants that, the module that fails on demand (tests/hsm/pkcs11_fault.c). Its environment is this process's.
 */
#ifndef MINTGATE_TESTS_TOKEN_FIXTURE_H
#define MINTGATE_TESTS_TOKEN_FIXTURE_H

#define TOKEN_PIN "token-pin-1234"

/* softhsm_module returns the path of SoftHSM2's module, or fails the test; fault_module that of ours. */
const char *softhsm_module(void);
const char *fault_module(void);

/* softhsm_begin makes the test's directory with an empty store for SoftHSM2 and the modules' environment: a cmocka
 * setup, as temp_dir_make is. softhsm_new_token makes a token there with TOKEN_PIN. */
int softhsm_begin(void **state);
void softhsm_new_token(const char *label);

/* fault_set makes the fault module do what |lines| say, from the next call on. "": nothing. */
void fault_set(const char *lines);
/* fault_num_logins returns how often somebody tried to log in through it. */
long fault_num_logins(void);

#endif
