/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate as text of one line, and what is kept of it. */
#include <stdlib.h>

#include "control/ccadb/records.h"
#include "ossl/certificate_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    X509 *x509;
    struct records_certificate certificate;
    if (certificate_line_parse(mg_slice_of(data, size), &x509, NULL) != MG_OK) {
        return 0;
    }
    if (records_describe(x509, &certificate, NULL) == MG_OK) {
        if (certificate.der_len == 0 || certificate.subject.len == 0) {
            abort();
        }
        records_describe_free(&certificate);
    }
    (void)!records_has_signed(x509, x509);
    X509_free(x509);
    return 0;
}
