/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/material_check.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "wire/signer.h"

static enum mg_status check_expiry(const struct material *material, const struct material_terms *terms,
                                   struct mg_error *error)
{
    time_t now = (time_t)terms->now;
    for (size_t i = 0; i < material->num_certificates && !terms->ignores_expiry; i++) {
        int order = X509_cmp_time(X509_get0_notAfter(material->certificates[i]), &now);
        if (order == 0) {
            return mg_error_set(error, MG_INVALID, "certificate %zu: its validity is malformed", i + 1);
        }
        if (order < 0) {
            return mg_error_set(error, MG_INVALID, "certificate %zu: has expired", i + 1);
        }
    }
    return MG_OK;
}

static enum mg_status check_form(const struct material *material, struct mg_error *error)
{
    if (material->num_certificates == 0) {
        return mg_error_set(error, MG_INVALID, "file: there is no certificate in it");
    }
    for (size_t i = 0; i < material->num_certificates; i++) {
        if (X509_get0_pubkey(material->certificates[i]) == NULL) {
            return mg_error_set(error, MG_INVALID, "certificate %zu: its public key cannot be read", i + 1);
        }
    }
    return MG_OK;
}

/* check_order: each certificate is issued by the next, in name and by signature. */
static enum mg_status check_order(const struct material *material, struct mg_error *error)
{
    for (size_t i = 1; i < material->num_certificates; i++) {
        X509 *issuer = material->certificates[i], *subject = material->certificates[i - 1];
        if (X509_check_issued(issuer, subject) != X509_V_OK || X509_verify(subject, X509_get0_pubkey(issuer)) != 1) {
            return mg_error_set(error, MG_INVALID,
                                "certificate %zu: has not issued the one before it (the order is certificate, "
                                "intermediates, root)",
                                i + 1);
        }
    }
    return MG_OK;
}

static enum mg_status check_chain(const struct material *material, bool has_no_key, struct mg_error *error)
{
    if (material->num_certificates > WIRE_SIGNER_MAX_CHAIN) {
        return mg_error_set(error, MG_INVALID, "file: a chain has at most %d certificates", WIRE_SIGNER_MAX_CHAIN);
    }
    if (has_no_key) {
        return check_order(material, error);
    }
    if (material->key == NULL) {
        return mg_error_set(error, MG_INVALID, "file: there is no private key in it");
    }
    if (X509_check_private_key(material->certificates[0], material->key) != 1) {
        return mg_error_set(error, MG_INVALID, "private key: is not the first certificate's");
    }
    return check_order(material, error);
}

enum mg_status material_check_key_store(const struct material *material, const struct material_terms *terms,
                                        struct mg_error *error)
{
    enum mg_status status = check_form(material, error);
    if (status == MG_OK) {
        status = check_chain(material, terms->has_no_key, error);
    }
    ERR_clear_error();
    return status == MG_OK ? check_expiry(material, terms, error) : status;
}

enum mg_status material_check_trust_store(const struct material *material, const struct material_terms *terms,
                                          struct mg_error *error)
{
    enum mg_status status = check_form(material, error);
    if (status == MG_OK && material->key != NULL) {
        status = mg_error_set(error, MG_INVALID, "file: a trust store takes certificates alone, and no private key");
    }
    ERR_clear_error();
    return status == MG_OK ? check_expiry(material, terms, error) : status;
}

bool material_is_anchor(X509 *x509)
{
    const uint32_t ca = EXFLAG_BCONS | EXFLAG_CA;
    uint32_t flags = X509_get_extension_flags(x509);
    return X509_get_version(x509) == X509_VERSION_3 && (flags & EXFLAG_INVALID) == 0 && (flags & ca) == ca &&
           ((flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) != 0);
}
