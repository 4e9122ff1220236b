/* SPDX-License-Identifier: Apache-2.0 */
/* Certification requests as clients of private CAs send them: PEM with the newline rule, and DER in base64. */
#include <stdlib.h>

#include "control/naver/pca_certificate.h"
#include "control/naver/pca_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(X509_REQ *request)
{
    struct pca_asked asked;
    if (pca_request_asked(request, &asked, NULL) == MG_OK &&
        (asked.path_len < PCA_NO_PATH_LEN || asked.path_len > 255)) {
        abort();
    }
    pca_asked_free(&asked);
    X509_REQ_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    X509_REQ *request;
    if (pca_request_read(mg_slice_of(data, size), &request, NULL) == MG_OK) {
        look(request);
    }
    if (pca_request_read_der(mg_slice_of(data, size), &request, NULL) == MG_OK) {
        look(request);
    }
    return 0;
}
