/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and CRLs of private CAs (RFC 5280 sections 4.1 and 5.1): what is to be signed is put together here, the
 * signer judges and signs it, and what came back is put together to PEM. With OpenSSL; no store, no signer, no clock:
 * any thread.
 */
#ifndef MINTGATE_CONTROL_NAVER_PCA_CERTIFICATE_H
#define MINTGATE_CONTROL_NAVER_PCA_CERTIFICATE_H

#include <openssl/x509v3.h>

#include "base/buffer.h"
#include "control/naver/pca_record.h"

#define PCA_NO_PATH_LEN (-1)

/* What a certificate says. All borrowed. */
struct pca_profile {
    X509 *issuer; /* NULL: it signs itself */
    const X509_NAME *subject;
    X509_PUBKEY *key;              /* the subject's */
    int64_t not_before, not_after; /* seconds since 1970 */
    bool is_ca;
    int path_len;                   /* of a CA; PCA_NO_PATH_LEN: none */
    unsigned key_usage;             /* OpenSSL's KU_ flags; of a CA keyCertSign and cRLSign besides */
    EXTENDED_KEY_USAGE *usages;     /* NULL: none */
    GENERAL_NAMES *names;           /* NULL: none */
    const char *crl_url, *ocsp_url; /* "": none */
};

/* pca_certificate_tbs appends the TBSCertificate of |profile|, to be signed by a key of |signer_type|, with a random
 * serial of PCA_SERIAL_OCTETS octets, which |serial| tells. */
MG_MUST_USE enum mg_status pca_certificate_tbs(const struct pca_profile *profile, enum wire_key_type signer_type,
                                               struct mg_buffer *out, char serial[PCA_SERIAL_SIZE],
                                               struct mg_error *error);

/* A CRL under construction: pca_crl_begin, pca_crl_add for each, pca_crl_tbs, pca_crl_free. */
struct pca_crl {
    struct mg_buffer entries;
    size_t num_entries;
};

/* What fits the signer's packet. */
#define PCA_MAX_REVOKED 2000

void pca_crl_begin(struct pca_crl *crl);
/* pca_crl_add adds a serial as the records have it. */
void pca_crl_add(struct pca_crl *crl, const char *serial, int64_t revoked_seconds);
/* pca_crl_tbs appends the TBSCertList of |issuer|. MG_LIMIT: more than PCA_MAX_REVOKED. */
MG_MUST_USE enum mg_status pca_crl_tbs(const struct pca_crl *crl, X509 *issuer, enum wire_key_type signer_type,
                                       uint64_t number, int64_t this_update, int64_t next_update, struct mg_buffer *out,
                                       struct mg_error *error);
void pca_crl_free(struct pca_crl *crl);

/* pca_assemble puts |tbs| and its signature together, as PEM with |label|, for the caller to free. */
MG_MUST_USE enum mg_status pca_assemble(struct mg_slice tbs, enum wire_key_type signer_type, struct mg_slice signature,
                                        const char *label, char **out_pem, struct mg_error *error);

/* pca_read reads the first certificate of |pem|, one of our records; the caller frees it with X509_free. */
MG_MUST_USE enum mg_status pca_read(const char *pem, X509 **out, struct mg_error *error);

/* pca_validity_of tells both ends in seconds since 1970; false: one cannot be read. */
MG_MUST_USE bool pca_validity_of(const X509 *x509, int64_t *not_before, int64_t *not_after);

/* pca_path_len_of tells pathLenConstraint, or PCA_NO_PATH_LEN. */
int pca_path_len_of(X509 *x509);

/* pca_name_of makes a Name, C first and CN last, for the caller to free. MG_INVALID: an attribute breaks its bounds. */
MG_MUST_USE enum mg_status pca_name_of(const struct pca_subject *subject, X509_NAME **out, struct mg_error *error);

/* pca_format_serial writes |octets| in lower-case hexadecimal with colons; of more octets than fit the first. */
void pca_format_serial(char out[PCA_SERIAL_SIZE], const uint8_t *octets, size_t len);

#endif
