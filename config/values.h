/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars of the configuration file as values: pure functions of their text. */
#ifndef MINTGATE_CONFIG_VALUES_H
#define MINTGATE_CONFIG_VALUES_H

#include "config/config.h"

/* Each returns false where |text| is not of its form; what the form is stands beside it. */
MG_MUST_USE bool config_value_bool(const char *text, bool *out);        /* true, false */
MG_MUST_USE bool config_value_count(const char *text, uint64_t *out);   /* decimal digits */
MG_MUST_USE bool config_value_bytes(const char *text, uint64_t *out);   /* 512, 64KiB, 256MiB, 1GiB */
MG_MUST_USE bool config_value_duration(const char *text, uint64_t *ns); /* 0, 50us, 10ms, 3s, 5m, 1h, 199d */
MG_MUST_USE bool config_value_ports(const char *text, struct config_port_range *out); /* 443, 8000-8999 */
/* 10.0.0.0/8, 192.0.2.1, 2001:db8::/32; bits beyond the length must be zero */
MG_MUST_USE bool config_value_prefix(const char *text, struct config_prefix *out);

#endif
