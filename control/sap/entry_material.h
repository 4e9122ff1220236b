/* SPDX-License-Identifier: Apache-2.0 */
/* From the certificates of a stored entry to OpenSSL's form, and back. Any thread. */
#ifndef MINTGATE_CONTROL_SAP_ENTRY_MATERIAL_H
#define MINTGATE_CONTROL_SAP_ENTRY_MATERIAL_H

#include "control/sap/sap_record.h"

/* entry_material_parse reads the certificates of |entry|, which were checked when they came; the caller frees |out|.
 * MG_INTERNAL: the database was changed by hand. */
MG_MUST_USE enum mg_status entry_material_parse(const struct sap_entry *entry, struct material *out,
                                                struct mg_error *error);

/* entry_material_encode gives all certificates of |material| in PEM; the caller frees *out with free. */
MG_MUST_USE enum mg_status entry_material_encode(const struct material *material, char **out, struct mg_error *error);

#endif
