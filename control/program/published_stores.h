/* SPDX-License-Identifier: Apache-2.0 */
/* Key stores and trust stores as engines are told of them: what joins control/sap and control/publish. */
#ifndef MINTGATE_CONTROL_PROGRAM_PUBLISHED_STORES_H
#define MINTGATE_CONTROL_PROGRAM_PUBLISHED_STORES_H

#include "control/publish/store_parts.h"
#include "control/store.h"

/* published_stores_of returns a source that reads |store|, which is borrowed. */
struct store_source published_stores_of(struct store *store);

#endif
