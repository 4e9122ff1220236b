/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a fixed number from their lower-case hexadecimal digits. Pure: any thread. */
#ifndef MINTGATE_CONTROL_BACKUP_HEX_H
#define MINTGATE_CONTROL_BACKUP_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* hex_read tells whether |text| is |len| bytes, no more and no less, and then writes them to |out|. */
MG_MUST_USE bool hex_read(const char *text, uint8_t *out, size_t len);

#endif
