/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_issue.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "base/secret.h"
#include "control/naver/pca_approval.h"
#include "control/naver/pca_request.h"
#include "ossl/openssl_error.h"

#define US_PER_SECOND INT64_C(1000000)
#define DAY_SECONDS INT64_C(86400)
#define MAX_PRIVATE_KEY 16384
#define MAX_DETAIL 256
#define PROBE_TIMEOUT_MS 1000

void pca_issued_free(struct pca_issued *issued)
{
    pca_certificate_free(&issued->certificate);
    pca_ca_free(&issued->issuer);
    if (issued->private_key.data != NULL) {
        mg_secret_free(&issued->private_key);
    }
    *issued = (struct pca_issued){.certificate = {.ca_id = 0}};
}

/* ---- within a change ---- */

/* What the signer refuses was put together here: so it is our fault. */
enum mg_status pca_signer_status(enum mg_status status)
{
    return status == MG_OK || status == MG_IO || status == MG_MEMORY ? status : MG_INTERNAL;
}

enum mg_status pca_check_room(struct pca_call *call, const struct pca_ca *ca, struct mg_error *error)
{
    X509 *x509 = NULL;
    enum mg_status status = pca_read(ca->certificate, &x509, error);
    if (status == MG_OK && pca_path_len_of(x509) == 0) {
        status = pca_fail(call, error, MG_INVALID, "INVALID_ISSUER_CA",
                          "the CA's path length is 0: it may have no CA below it");
    }
    X509_free(x509);
    return status;
}

/* path_len_below: one less for each CA (RFC 5280 section 6.1.4). */
static int path_len_below(X509 *issuer, int asked)
{
    int above = pca_path_len_of(issuer);
    if (above == PCA_NO_PATH_LEN) {
        return asked;
    }
    return asked != PCA_NO_PATH_LEN && asked < above ? asked : above - 1;
}

/* end_of sets the end of a certificate; without a wish, a year or as long as the CA. */
static enum mg_status end_of(struct pca_call *call, int64_t days, int64_t limit, int64_t *not_after,
                             struct mg_error *error)
{
    if (days != PCA_PERIOD_DEFAULT) {
        return pca_period(call, days, limit, not_after, error);
    }
    int64_t year = call->now_us / US_PER_SECOND + PCA_DEFAULT_PERIOD_DAYS * DAY_SECONDS;
    *not_after = year < limit ? year : limit;
    return MG_OK;
}

enum mg_status pca_profile_below(struct pca_call *call, const struct pca_ca *ca, X509 *issuer, int asked_path_len,
                                 int64_t days, char url[PCA_MAX_URL + 64], struct pca_profile *profile,
                                 struct mg_error *error)
{
    int64_t begin, limit, now = call->now_us / US_PER_SECOND;
    if (!pca_validity_of(issuer, &begin, &limit)) {
        return mg_error_set(error, MG_INTERNAL, "the validity of a CA of the store cannot be read");
    }
    pca_crl_url(call->pca, ca->tag, url);
    profile->issuer = issuer;
    profile->path_len = path_len_below(issuer, asked_path_len);
    profile->not_before = now < begin ? begin : now;
    profile->crl_url = url;
    profile->ocsp_url = ca->ocsp_url;
    return end_of(call, days, limit, &profile->not_after, error);
}

static void describe(const struct pca_profile *profile, struct pca_certificate *out)
{
    uint8_t *text = NULL;
    int index = X509_NAME_get_index_by_NID(profile->subject, NID_commonName, -1);
    int len = index < 0
                  ? -1
                  : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(profile->subject, index)));
    const struct text_rule bounds = {"commonName", 0, PCA_MAX_NAME, NULL};
    out->common_name[0] = '\0';
    if (len > 0) {
        /* One that is no short line of text stands in the certificate alone. */
        (void)!text_set(out->common_name, mg_slice_of(text, (size_t)len), &bounds, NULL);
        OPENSSL_free(text);
    }
    out->not_before = profile->not_before;
    out->not_after = profile->not_after;
}

/* is_refusal tells the signer's verdict, which comes before its signature, from failures that may follow one. */
static bool is_refusal(enum mg_status status)
{
    return status == MG_INVALID || status == MG_DENIED || status == MG_NOT_FOUND;
}

static enum mg_status ask_signer(struct pca_call *call, const struct wire_key_id *key_id, struct mg_slice tbs,
                                 struct mg_buffer *signature, struct mg_error *error)
{
    enum mg_status status = signer_client_sign_certificate(call->pca->signer, key_id, tbs, signature, error);
    call->may_have_signed = call->may_have_signed || !is_refusal(status);
    return pca_signer_status(status);
}

enum mg_status pca_certify(struct pca_call *call, const struct pca_ca *signer, const struct pca_profile *profile,
                           struct pca_certificate *out, struct mg_error *error)
{
    struct mg_buffer tbs, signature;
    mg_buffer_init(&tbs, WIRE_CONTROL_MAX_TBS);
    mg_buffer_init(&signature, WIRE_CONTROL_MAX_DER);
    enum mg_status status = pca_certificate_tbs(profile, signer->key_type, &tbs, out->serial, error);
    if (status == MG_OK) {
        status = ask_signer(call, &signer->key_id, mg_buffer_slice(&tbs), &signature, error);
    }
    if (status == MG_OK) {
        status = pca_assemble(mg_buffer_slice(&tbs), signer->key_type, mg_buffer_slice(&signature), "CERTIFICATE",
                              &out->pem, error);
        describe(profile, out);
    }
    mg_buffer_free(&tbs);
    mg_buffer_free(&signature);
    return status;
}

enum mg_status pca_record_issued(struct store_tx *tx, struct pca_ca *ca, struct pca_certificate *issued,
                                 struct mg_error *error)
{
    issued->ca_id = ca->id;
    ca->signing_count++;
    enum mg_status status = pca_certificate_insert(tx, issued, error);
    return status == MG_OK ? pca_ca_update(tx, ca, error) : status;
}

/* ---- issuing ---- */

/* What one of the calls below does: the profile is the caller's, but for what the CA decides. */
struct issuing {
    struct pca_call *call;
    const char *operation;
    int64_t days;
    int asked_path_len;
    X509_REQ *request; /* for a CA: what approvers are shown */
    struct pca_profile profile;
    struct pca_issued *out;
};

static enum mg_status insert(struct store_tx *tx, void *arg, struct mg_error *error)
{
    struct pca_issued *issued = arg;
    return pca_record_issued(tx, &issued->issuer, &issued->certificate, error);
}

static enum mg_status commit(struct issuing *issuing, struct mg_error *error)
{
    char detail[MAX_DETAIL];
    snprintf(detail, sizeof(detail), "{\"serialNo\":\"%s\",\"ca\":%s}", issuing->out->certificate.serial,
             issuing->profile.is_ca ? "true" : "false");
    return pca_commit(issuing->call, insert, issuing->out, issuing->operation, issuing->out->issuer.tag, detail, error);
}

static enum mg_status check(struct issuing *issuing, X509 *issuer, struct mg_error *error)
{
    struct pca_call *call = issuing->call;
    const struct pca_ca *ca = &issuing->out->issuer;
    if (ca->signing_count >= PCA_MAX_CERTIFICATES) {
        return pca_fail(call, error, MG_LIMIT, "EXCEED_SIGNING_COUNT", "the CA has issued %d certificates",
                        PCA_MAX_CERTIFICATES);
    }
    if (X509_NAME_cmp(issuing->profile.subject, X509_get_subject_name(issuer)) == 0) {
        return pca_fail(call, error, MG_INVALID, "INVALID_REQUEST", "subject: is the CA's own name");
    }
    uint8_t *key = NULL, *own = NULL;
    int key_len = i2d_X509_PUBKEY(issuing->profile.key, &key);
    int own_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &own);
    bool is_own = key_len > 0 && key_len == own_len && memcmp(key, own, (size_t)key_len) == 0;
    OPENSSL_free(key);
    OPENSSL_free(own);
    if (is_own) {
        return pca_fail(call, error, MG_INVALID, "INVALID_REQUEST", "public key: is the CA's own");
    }
    return issuing->profile.is_ca ? pca_check_room(call, ca, error) : MG_OK;
}

/* take_approval: end-entities need none. A signer that is away is noticed first, since an approval that is taken may be
 * used up by a call that is not answered. */
static enum mg_status take_approval(struct issuing *issuing, struct approval_ticket *ticket, struct mg_error *error)
{
    const struct pca_sub_signing signing = {.ca = &issuing->out->issuer,
                                            .request = issuing->request,
                                            .days = issuing->days,
                                            .path_len = issuing->profile.path_len};
    *ticket = (struct approval_ticket){.request = ""};
    if (!issuing->profile.is_ca) {
        return MG_OK;
    }
    enum mg_status status = signer_client_probe(issuing->call->pca->signer, PROBE_TIMEOUT_MS, error);
    return status == MG_OK ? pca_approval_take(issuing->call, &signing, ticket, error) : status;
}

static enum mg_status issue_from(struct issuing *issuing, X509 *issuer, struct mg_error *error)
{
    struct approval_ticket ticket;
    char url[PCA_MAX_URL + 64];
    struct pca_issued *out = issuing->out;
    enum mg_status status = check(issuing, issuer, error);
    if (status == MG_OK) {
        status = pca_profile_below(issuing->call, &out->issuer, issuer, issuing->asked_path_len, issuing->days, url,
                                   &issuing->profile, error);
    }
    if (status == MG_OK) {
        status = take_approval(issuing, &ticket, error);
    }
    if (status != MG_OK) {
        return status;
    }
    status = pca_certify(issuing->call, &out->issuer, &issuing->profile, &out->certificate, error);
    if (status == MG_OK) {
        status = commit(issuing, error);
    }
    pca_approval_end(issuing->call, &ticket);
    return status;
}

/* issue does it under the mutex. */
static enum mg_status issue(struct issuing *issuing, const char *tag, struct mg_error *error)
{
    struct pca *pca = issuing->call->pca;
    X509 *issuer = NULL;
    pthread_mutex_lock(&pca->changing);
    enum mg_status status = pca_load_active(issuing->call, tag, &issuing->out->issuer, error);
    if (status == MG_OK) {
        status = pca_read(issuing->out->issuer.certificate, &issuer, error);
    }
    if (status == MG_OK) {
        status = issue_from(issuing, issuer, error);
    }
    pthread_mutex_unlock(&pca->changing);
    X509_free(issuer);
    return status;
}

/* ---- requests ---- */

enum mg_status pca_sign_sub(struct pca_call *call, const char *tag, int64_t days, X509_REQ *request,
                            struct pca_issued *out, struct mg_error *error)
{
    struct pca_asked asked;
    struct issuing issuing = {.call = call, .operation = "signSubCa", .days = days, .request = request, .out = out};
    *out = (struct pca_issued){.certificate = {.ca_id = 0}};
    issuing.profile =
        (struct pca_profile){.subject = X509_REQ_get_subject_name(request), .key = X509_REQ_get_X509_PUBKEY(request)};
    issuing.profile.is_ca = true;
    if (X509_NAME_entry_count(issuing.profile.subject) == 0) {
        return pca_fail(call, error, MG_INVALID, "INVALID_REQUEST",
                        "csrPem: a CA's subject must not be empty (RFC 5280 section 4.1.2.6)");
    }
    enum mg_status status = pca_request_asked(request, &asked, error);
    if (status == MG_OK) {
        issuing.asked_path_len = asked.path_len;
        status = issue(&issuing, tag, error);
    } else {
        call->code = "INVALID_REQUEST";
    }
    pca_asked_free(&asked);
    return status;
}

#define TLS_USAGE(is_rsa) (KU_DIGITAL_SIGNATURE | ((is_rsa) ? KU_KEY_ENCIPHERMENT : 0U))
#define END_ENTITY_USAGES                                                                                              \
    (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION | KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT | KU_KEY_AGREEMENT)

/* tls_usages makes the usages of both ends of TLS. NULL: no memory. */
static EXTENDED_KEY_USAGE *tls_usages(void)
{
    EXTENDED_KEY_USAGE *usages = sk_ASN1_OBJECT_new_null();
    if (usages == NULL || sk_ASN1_OBJECT_push(usages, OBJ_nid2obj(NID_server_auth)) <= 0 ||
        sk_ASN1_OBJECT_push(usages, OBJ_nid2obj(NID_client_auth)) <= 0) {
        EXTENDED_KEY_USAGE_free(usages);
        return NULL;
    }
    return usages;
}

/* issue_to_end_entity fills in the usages that are not given. */
static enum mg_status issue_to_end_entity(struct issuing *issuing, const char *tag, EVP_PKEY *key,
                                          struct mg_error *error)
{
    EXTENDED_KEY_USAGE *usual = NULL;
    struct pca_profile *profile = &issuing->profile;
    profile->key_usage &= END_ENTITY_USAGES;
    if (profile->key_usage == 0) {
        profile->key_usage = TLS_USAGE(EVP_PKEY_is_a(key, "RSA"));
    }
    if (profile->usages == NULL) {
        profile->usages = usual = tls_usages();
    }
    enum mg_status status =
        profile->usages != NULL ? issue(issuing, tag, error) : mg_error_set(error, MG_MEMORY, "out of memory");
    EXTENDED_KEY_USAGE_free(usual);
    return status;
}

enum mg_status pca_sign(struct pca_call *call, const char *tag, int64_t days, X509_REQ *request, struct pca_issued *out,
                        struct mg_error *error)
{
    struct pca_asked asked;
    struct issuing issuing = {.call = call, .operation = "signCertificate", .days = days, .out = out};
    *out = (struct pca_issued){.certificate = {.ca_id = 0}};
    enum mg_status status = pca_request_asked(request, &asked, error);
    issuing.profile = (struct pca_profile){.subject = X509_REQ_get_subject_name(request),
                                           .key = X509_REQ_get_X509_PUBKEY(request),
                                           .key_usage = asked.key_usage,
                                           .usages = asked.usages,
                                           .names = asked.names};
    if (status == MG_OK && X509_NAME_entry_count(issuing.profile.subject) == 0 && asked.names == NULL) {
        status = mg_error_set(error, MG_INVALID, "csrPem: has neither subject nor subjectAltName");
    }
    if (status == MG_OK) {
        status = issue_to_end_entity(&issuing, tag, X509_REQ_get0_pubkey(request), error);
    } else {
        call->code = "INVALID_REQUEST";
    }
    pca_asked_free(&asked);
    return status;
}

/* ---- keys that are made here ---- */

static EVP_PKEY *make_key(enum pca_key_kind kind)
{
    switch (kind) {
    case PCA_KEY_RSA_2048:
        return EVP_RSA_gen(2048);
    case PCA_KEY_RSA_4096:
        return EVP_RSA_gen(4096);
    case PCA_KEY_EC_256:
        return EVP_EC_gen("P-256");
    case PCA_KEY_EC_521:
        return EVP_EC_gen("P-521");
    }
    return NULL;
}

static enum mg_status write_key(EVP_PKEY *key, struct mg_buffer *out, struct mg_error *error)
{
    char *text = NULL;
    if (!mg_secret_buffer_init(out, MAX_PRIVATE_KEY)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok = bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (ok) {
        long len = BIO_get_mem_data(bio, &text);
        mg_buffer_append(out, text, (size_t)len);
    }
    BIO_free(bio); /* wipes what it held */
    return ok && mg_buffer_ok(out) ? MG_OK : openssl_error_set(error, "cannot write a private key");
}

static enum mg_status issue_for(struct issuing *issuing, const char *tag, EVP_PKEY *key, struct mg_error *error)
{
    X509_PUBKEY *public_key = NULL;
    if (key == NULL || X509_PUBKEY_set(&public_key, key) != 1) {
        return openssl_error_set(error, "cannot make a key");
    }
    issuing->profile.key = public_key;
    enum mg_status status = issue_to_end_entity(issuing, tag, key, error);
    X509_PUBKEY_free(public_key);
    return status == MG_OK ? write_key(key, &issuing->out->private_key, error) : status;
}

enum mg_status pca_issue(struct pca_call *call, const char *tag, const struct pca_end_wish *wish,
                         struct pca_issued *out, struct mg_error *error)
{
    struct pca_ca ca;
    struct issuing issuing = {.call = call, .operation = "issueCertificate", .days = wish->days, .out = out};
    *out = (struct pca_issued){.certificate = {.ca_id = 0}};
    issuing.profile = (struct pca_profile){
        .subject = wish->subject, .key_usage = wish->key_usage, .usages = wish->usages, .names = wish->names};
    /* A key takes a second, and changes wait: first whether it is wanted at all, outside of the mutex. */
    enum mg_status status = pca_load_active(call, tag, &ca, error);
    pca_ca_free(&ca);
    if (status != MG_OK) {
        return status;
    }
    EVP_PKEY *key = make_key(wish->key);
    status = issue_for(&issuing, tag, key, error);
    EVP_PKEY_free(key);
    return status;
}
