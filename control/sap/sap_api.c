/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_api.h"

#include "control/sap/sap_auth.h"

enum mg_status sap_api_add(struct router *router, struct sap_api *api, struct mg_error *error)
{
    enum mg_status status = sap_auth_add(router, api->authenticator, error);
    if (status == MG_OK) {
        status = odata_add(router, api, error);
    }
    if (status == MG_OK) {
        status = edge_add(router, api, error);
    }
    return status == MG_OK ? stores_api_add(router, api, error) : status;
}
