/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/crl_pages.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <string.h>

#define ENDING ".crl"

/* answer_with gives |pem|, one of our records, as DER. False: it cannot be read. */
static bool answer_with(struct http_response *response, const char *pem)
{
    char *name = NULL, *header = NULL;
    uint8_t *der = NULL;
    long len = 0;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    bool ok = bio != NULL && PEM_read_bio(bio, &name, &header, &der, &len) == 1;
    if (ok) {
        http_response_bytes(response, 200, "application/pkix-crl", mg_slice_of(der, (size_t)len));
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    return ok;
}

/* read_tag takes the tag off the name of a file; false: it is no such name. */
static bool read_tag(const struct http_request *request, char tag[PCA_TAG_SIZE])
{
    char name[PCA_TAG_SIZE + sizeof(ENDING)];
    if (http_request_word(request, 0, name, sizeof(name), NULL) != MG_OK) {
        return false;
    }
    size_t len = strlen(name), ending = strlen(ENDING);
    if (len < ending || len - ending >= PCA_TAG_SIZE || strcmp(name + len - ending, ENDING) != 0) {
        return false;
    }
    memcpy(tag, name, len - ending);
    tag[len - ending] = '\0';
    return true;
}

static void handle_crl(void *arg, struct http_request *request, struct http_response *response)
{
    struct pca_call call = {.pca = arg};
    struct pca_ca ca = {.id = 0};
    struct mg_error error;
    char tag[PCA_TAG_SIZE];
    enum mg_status status = read_tag(request, tag) ? pca_load(&call, tag, &ca, &error) : MG_NOT_FOUND;
    if (status == MG_OK && ca.crl != NULL) {
        if (!answer_with(response, ca.crl)) {
            router_fail(request, response, HTTP_PROBLEM_INTERNAL);
        }
    } else {
        router_fail(request, response,
                    status == MG_OK || status == MG_NOT_FOUND ? HTTP_PROBLEM_NOT_FOUND : HTTP_PROBLEM_UNAVAILABLE);
    }
    pca_ca_free(&ca);
}

static enum mg_status nobody(void *arg, const struct http_request *request, struct http_identity *out)
{
    (void)arg;
    (void)request;
    (void)out;
    return MG_DENIED;
}

static void render(const struct http_problem *problem, struct http_response *response)
{
    http_response_bytes(response, problem->status, "text/plain", mg_slice_of_text(problem->message));
}

enum mg_status crl_pages_new(struct router **out, struct pca *pca, struct mg_error *error)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/crl/{file}", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, handle_crl},
    };
    static const char *const bases[] = {"", NULL};
    const struct http_family family = {.name = "crl",
                                       .bases = bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = nobody,
                                       .render = render,
                                       .arg = pca};
    enum mg_status status = router_new(out, NULL, error);
    if (status == MG_OK) {
        status = router_add(*out, &family, error);
    }
    return status;
}
