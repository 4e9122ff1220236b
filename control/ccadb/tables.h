/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the CCADB family, for records.h, picklists.h and grants.h. They come after those of
 * control/http/credentials.h, to which they refer. */
#ifndef MINTGATE_CONTROL_CCADB_TABLES_H
#define MINTGATE_CONTROL_CCADB_TABLES_H

#include "control/store.h"

extern const struct store_migrations ccadb_migrations;

#endif
