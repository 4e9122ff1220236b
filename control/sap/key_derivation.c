/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/key_derivation.h"

#include <openssl/asn1t.h>

enum mg_status key_derivation_spend(struct key_derivation *budget, const ASN1_INTEGER *iterations,
                                    struct mg_error *error)
{
    uint64_t count;
    if (ASN1_INTEGER_get_uint64(&count, iterations) != 1 || count == 0) {
        return mg_error_set(error, MG_INVALID, "file: a key derivation has no number of iterations above 0");
    }
    if (count > budget->left) {
        return mg_error_set(error, MG_INVALID, "file: its key derivations have more than %d iterations in all",
                            KEY_DERIVATION_BUDGET);
    }
    budget->left -= count;
    return MG_OK;
}

static enum mg_status spend_pbkdf2(struct key_derivation *budget, const X509_ALGOR *function, struct mg_error *error)
{
    if (OBJ_obj2nid(function->algorithm) != NID_id_pbkdf2) {
        return mg_error_set(error, MG_INVALID, "file: is encrypted by another key derivation than PBKDF2 (RFC 8018)");
    }
    PBKDF2PARAM *parameters = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), function->parameter);
    if (parameters == NULL) {
        return mg_error_set(error, MG_INVALID, "file: the parameters of PBKDF2 are malformed");
    }
    enum mg_status status = key_derivation_spend(budget, parameters->iter, error);
    PBKDF2PARAM_free(parameters);
    return status;
}

enum mg_status key_derivation_spend_for(struct key_derivation *budget, const X509_ALGOR *algorithm,
                                        struct mg_error *error)
{
    enum mg_status status;
    if (OBJ_obj2nid(algorithm->algorithm) == NID_pbes2) {
        PBE2PARAM *parameters = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
        status = parameters != NULL ? spend_pbkdf2(budget, parameters->keyfunc, error)
                                    : mg_error_set(error, MG_INVALID, "file: the parameters of PBES2 are malformed");
        PBE2PARAM_free(parameters);
        return status;
    }
    PBEPARAM *parameters = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
    status = parameters != NULL ? key_derivation_spend(budget, parameters->iter, error)
                                : mg_error_set(error, MG_INVALID, "file: is encrypted in a way that is not known");
    PBEPARAM_free(parameters);
    return status;
}
