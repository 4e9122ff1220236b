/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher: a process that the signer starts before it confines itself, and that starts, kills and buries the token
 * processes for it. The signer's own seccomp filter forbids fork and exec, and would be inherited by the modules, which
 * may need any system call (docs/adr/0025-tokens.md). It ends when the signer's end of its socket closes, and its
 * children die with it.
 */
#ifndef MINTGATE_HSM_TOKEN_LAUNCHER_H
#define MINTGATE_HSM_TOKEN_LAUNCHER_H

/* The descriptors that a token process finds, in this order: its supervising socket, the pipe with its PIN, and its
 * signing sockets. The launcher's own socket is the first one of its. */
#define TOKEN_FD_CONTROL 3
#define TOKEN_FD_PIN 4
#define TOKEN_FD_LANES 5
#define LAUNCHER_FD 3

/* launcher_run serves the socket at LAUNCHER_FD until it closes; returns the exit code. Single-threaded; it ignores
 * SIGTERM and SIGINT, which are for the signer, and so do its children. */
int launcher_run(void);

#endif
