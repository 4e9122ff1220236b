/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_approval.h"

#include <openssl/pem.h>
#include <openssl/sha.h>

#include "base/json.h"
#include "control/naver/pca_request.h"
#include "ossl/openssl_error.h"

/* For every request that is taken, also if each byte of its subject is escaped twice. */
#define MAX_PAYLOAD (8 * (size_t)PCA_MAX_REQUEST)

/* add_subject writes the request's name as people read it (RFC 2253). False: no memory. */
static bool add_subject(struct mg_buffer *payload, const X509_NAME *subject)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253) >= 0 && BIO_write(bio, "", 1) == 1 &&
              BIO_get_mem_data(bio, &text) > 0;
    if (ok) {
        mg_json_string(payload, "subject", text);
    }
    BIO_free(bio);
    return ok;
}

/* add_digest writes what binds all the rest of the request. False: no memory. */
static bool add_digest(struct mg_buffer *payload, X509_REQ *request)
{
    uint8_t *der = NULL, digest[SHA256_DIGEST_LENGTH];
    int len = i2d_X509_REQ(request, &der);
    bool ok = len > 0 && SHA256(der, (size_t)len, digest) != NULL;
    if (ok) {
        mg_json_hex(payload, "csrSha256", digest, sizeof(digest));
    }
    OPENSSL_free(der);
    return ok;
}

/* make_payload writes what approvers see. */
static enum mg_status make_payload(const struct pca_sub_signing *signing, struct mg_buffer *out, struct mg_error *error)
{
    mg_json_begin_object(out, NULL);
    mg_json_string(out, "operation", "signSubCa");
    mg_json_string(out, "ca", signing->ca->tag);
    mg_json_string(out, "alias", signing->ca->alias);
    mg_json_uint(out, "period", (uint64_t)signing->days);
    if (signing->path_len != PCA_NO_PATH_LEN) {
        mg_json_uint(out, "pathLengthConstraint", (uint64_t)signing->path_len);
    }
    bool ok = add_subject(out, X509_REQ_get_subject_name(signing->request)) && add_digest(out, signing->request);
    mg_json_end_object(out);
    mg_buffer_append_u8(out, '\0');
    if (!ok) {
        return openssl_error_set(error, "an approval cannot be asked for");
    }
    return mg_buffer_ok(out) ? MG_OK
                             : mg_error_set(error, MG_INVALID, "csrPem: the subject is too long for approvers to read");
}

enum mg_status pca_approval_take(struct pca_call *call, const struct pca_sub_signing *signing,
                                 struct approval_ticket *out, struct mg_error *error)
{
    const struct approval_gate *gate = call->pca->gate;
    struct mg_buffer payload;
    *out = (struct approval_ticket){.request = ""};
    if (gate == NULL) {
        return MG_OK;
    }
    mg_buffer_init(&payload, MAX_PAYLOAD);
    enum mg_status status = make_payload(signing, &payload, error);
    if (status == MG_OK) {
        struct lifecycle_call asking = {.actor = call->actor, .now_us = call->now_us};
        status = gate->pass(gate->arg, &asking, APPROVAL_SIGN_SUB_CA, (const char *)payload.data, out, error);
        call->code = status == MG_EXISTS || status == MG_DENIED ? PCA_NEEDS_APPROVAL : NULL;
    }
    mg_buffer_free(&payload);
    return status;
}

void pca_approval_end(const struct pca_call *call, const struct approval_ticket *ticket)
{
    const struct approval_gate *gate = call->pca->gate;
    if (gate != NULL && !call->may_have_signed) {
        const struct lifecycle_call asking = {.actor = call->actor, .now_us = call->now_us};
        gate->give_back(gate->arg, &asking, ticket);
    }
}
