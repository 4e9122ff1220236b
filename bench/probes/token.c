/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-token SESSIONS: for mintgate-bench, a PKCS#11 token of SoftHSM2 with a P-256 and an RSA-2048 issuer, a
 * mintgate-signer that signs with it on so many sessions, and the token's raw rate: its module's C_SignInit and C_Sign
 * in this process, each thread with a session of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/probe.h"
#include "hsm/token/objects.h"
#include "tests/unit/hsm/signer_process.h"
#include "tests/unit/hsm/temp_dir.h"
#include "tests/unit/hsm/token_fixture.h"
#include "tests/unit/hsm/token_minter.h"

#define MAX_SESSIONS 64
#define TOKEN_LABEL "bench"

static struct token token;
static struct minter *ec_minter, *rsa_minter;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-token: %s\n", what);
    exit(1);
}

/* ---- raw ---- */

struct raw {
    struct object_session session;
    CK_OBJECT_HANDLE key;
    CK_MECHANISM mechanism;
    CK_ULONG input_len;
};

static void *raw_setup(const struct minter *minter, CK_MECHANISM_TYPE mechanism, CK_ULONG input_len)
{
    struct raw *raw = calloc(1, sizeof(*raw));
    struct token_error error;
    if (raw == NULL) {
        die("no memory");
    }
    raw->session.functions = token.functions;
    raw->mechanism.mechanism = mechanism;
    raw->input_len = input_len;
    if (token_new_session(&token, &raw->session.session, &error) != WIRE_TOKEN_OK ||
        objects_find_private(&raw->session, &minter->id, &raw->key, &error) != WIRE_TOKEN_OK) {
        die(error.why.text);
    }
    return raw;
}

static void *raw_ec_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    (void)thread;
    (void)num_threads;
    (void)parameter;
    return raw_setup(ec_minter, CKM_ECDSA, 32);
}

static void *raw_rsa_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    (void)thread;
    (void)num_threads;
    (void)parameter;
    return raw_setup(rsa_minter, CKM_RSA_PKCS, 51); /* a DigestInfo of SHA-256 */
}

static size_t raw_step(void *state)
{
    struct raw *raw = state;
    CK_BYTE input[64] = {1}, signature[512];
    CK_ULONG len = sizeof(signature);
    CK_FUNCTION_LIST *functions = raw->session.functions;
    if (functions->C_SignInit(raw->session.session, &raw->mechanism, raw->key) != CKR_OK ||
        functions->C_Sign(raw->session.session, input, raw->input_len, signature, &len) != CKR_OK) {
        die("the token does not sign");
    }
    return 1;
}

static void raw_teardown(void *state)
{
    struct raw *raw = state;
    (void)raw->session.functions->C_CloseSession(raw->session.session);
    free(raw);
}

static const struct probe probes[] = {
    {.name = "ec", .setup = raw_ec_setup, .step = raw_step, .teardown = raw_teardown, .times_steps = true},
    {.name = "rsa", .setup = raw_rsa_setup, .step = raw_step, .teardown = raw_teardown, .times_steps = true},
};

/* ---- the token, the signer ---- */

static void begin(unsigned num_sessions)
{
    char text[2048];
    struct token_error error;
    if (softhsm_begin(NULL) != 0) {
        die("cannot make a directory");
    }
    softhsm_new_token(TOKEN_LABEL);
    if (mg_file_write_atomic(temp_path("pin"), mg_slice_of_text(TOKEN_PIN), 0600, NULL) != MG_OK) {
        die("cannot write the PIN's file");
    }
    snprintf(text, sizeof(text), "  tokens:\n    - {name: bench, module: %s, token: %s, pin_file: %s, sessions: %u}\n",
             softhsm_module(), TOKEN_LABEL, temp_path("pin"), num_sessions);
    signer_write_config(text);
    signer_start();
    wait_until_up("bench");
    ec_minter = make_minter("bench", WIRE_KEY_EC_P256, 1);
    rsa_minter = make_minter("bench", WIRE_KEY_RSA_2048, 2);
    if (token_open(&token, softhsm_module(), TOKEN_LABEL, TOKEN_PIN, &error) != WIRE_TOKEN_OK) {
        die(error.why.text);
    }
}

int main(int argc, char **argv)
{
    unsigned num_sessions;
    if (argc != 2 || sscanf(argv[1], "%u", &num_sessions) != 1 || num_sessions == 0 || num_sessions > MAX_SESSIONS) {
        fprintf(stderr, "usage: mintgate-bench-token SESSIONS\nA helper of mintgate-bench, which starts it.\n");
        return 2;
    }
    begin(num_sessions);
    int status = probe_serve(&(struct probe_helper){
        .probes = probes, .num_probes = MG_ARRAY_LEN(probes), .server = signer_process.pid, .directory = temp_dir});
    free(ec_minter);
    free(rsa_minter);
    (void)signer_end(NULL);
    _exit(status); /* there is no closing of a token (hsm/token/token.h): libp11 keeps what it has */
}
