/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JA4, the fingerprint of a TLS client over TCP, as FoxIO's specification has it (technical_details/JA4.md in
 * FoxIO-LLC/ja4): 36 characters such as t13d1516h2_8daaf6152771_e5627efa2ab1. GREASE values count nowhere, among the
 * signature algorithms neither: some implementations keep those, and see a new client in each connection of a Chromium.
 *
 * Pure: any thread, no I/O, no allocation.
 */
#ifndef MINTGATE_DATAPLANE_HELLO_JA4_H
#define MINTGATE_DATAPLANE_HELLO_JA4_H

#include "base/status.h"
#include "dataplane/hello/client_hello.h"

#define JA4_LEN 36

/* Longer lists of cipher suites or signature algorithms get no fingerprint: the time that a worker spends on one is
 * bounded. Some 360 cipher suites are registered; clients offer thirty or so, scanners up to two hundred. */
#define JA4_MAX_VALUES 256

struct ja4 {
    char text[JA4_LEN + 1];
};

/* ja4_of computes the fingerprint of a parsed hello. MG_LIMIT: a list is longer than JA4_MAX_VALUES, GREASE aside, and
 * |out| is the empty string. */
MG_MUST_USE enum mg_status ja4_of(struct ja4 *out, const struct client_hello *hello);

#endif
