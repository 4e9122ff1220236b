/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the key-encryption key (hsm/kek.h): KEY_WRAP_KEY_LEN bytes, 0600. */
#ifndef MINTGATE_CONTROL_BACKUP_KEY_FILE_H
#define MINTGATE_CONTROL_BACKUP_KEY_FILE_H

#include "control/backup/key_wrap.h"

/* key_file_read reads it; the caller wipes |out|. MG_NOT_FOUND; MG_DENIED: others could read it; MG_INVALID: it has
 * another length. */
MG_MUST_USE enum mg_status key_file_read(const char *path, uint8_t out[KEY_WRAP_KEY_LEN], struct mg_error *error);

#endif
