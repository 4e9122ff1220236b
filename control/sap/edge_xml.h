/* SPDX-License-Identifier: Apache-2.0 */
/* The one XML document that Apigee's clients may send: <KeyStore name="ks1"/>. Pure: any thread. */
#ifndef MINTGATE_CONTROL_SAP_EDGE_XML_H
#define MINTGATE_CONTROL_SAP_EDGE_XML_H

#include "base/slice.h"
#include "base/status.h"

/* edge_xml_name copies the name out of |text| to |out| of |size| bytes: one element, with or without an XML declaration
 * before it, with that attribute alone, without entities. MG_INVALID. */
MG_MUST_USE enum mg_status edge_xml_name(struct mg_slice text, char *out, size_t size, struct mg_error *error);

#endif
