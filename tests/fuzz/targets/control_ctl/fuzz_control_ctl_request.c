/* SPDX-License-Identifier: Apache-2.0 */
/* A certification request from a file: whatever is accepted can be signed, for the request's own key. */
#include <stdlib.h>

#include "control/ctl/throwaway_root.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1800000000)

static struct throwaway_root root;

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    X509_REQ *request;
    X509 *x509;
    if (root.key == NULL) {
        expect(throwaway_root_make_key(&root, NULL) == MG_OK && throwaway_root_certify(&root, NOW, NULL) == MG_OK);
    }
    if (throwaway_request_read(mg_slice_of(data, size), &request, NULL) != MG_OK) {
        return 0;
    }
    expect(throwaway_root_sign(&root, request, NOW, 60, &x509, NULL) == MG_OK);
    expect(EVP_PKEY_eq(X509_get0_pubkey(x509), X509_REQ_get0_pubkey(request)) == 1);
    X509_free(x509);
    X509_REQ_free(request);
    return 0;
}
