/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of entities as OData 2.0 writes them in addresses: ('x'), (name='x',storeName='y'). Pure: any thread. */
#ifndef MINTGATE_CONTROL_SAP_ODATA_KEY_H
#define MINTGATE_CONTROL_SAP_ODATA_KEY_H

#include "base/slice.h"
#include "base/status.h"

#define ODATA_MAX_KEYS 2
#define ODATA_MAX_VALUE 128

/* odata_key_parse reads |text|, what stands between the parentheses, decoded: a literal for each of |num_names| names,
 * in any order, or without its name where it is the only one. A quote in a literal is written twice. MG_INVALID. */
MG_MUST_USE enum mg_status odata_key_parse(struct mg_slice text, const char *const *names, size_t num_names,
                                           char out[][ODATA_MAX_VALUE + 1], struct mg_error *error);

#endif
