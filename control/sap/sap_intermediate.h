/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key store that becomes an intermediate: its certificate must be a CA's that engines can mint under, and its key
 * goes to the signer for minting, and for nothing else. The stores are not involved: their keys are for TLS clients and
 * never change what they are for, so the file is brought again. Any thread.
 */
#ifndef MINTGATE_CONTROL_SAP_SAP_INTERMEDIATE_H
#define MINTGATE_CONTROL_SAP_SAP_INTERMEDIATE_H

#include "control/sap/sap_import.h"

/* sap_intermediate_import reads |file| and makes an intermediate of type CUSTOM_SW of it that is ready, or nothing.
 * |draft|: name, description and status; the rest is the key's. |call|, |out| and failures as in service.h. */
MG_MUST_USE enum mg_status sap_intermediate_import(struct sap_imports *imports, struct service *service,
                                                   struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                                   const struct sap_file *file, struct intermediate *out,
                                                   struct mg_error *error);

#endif
