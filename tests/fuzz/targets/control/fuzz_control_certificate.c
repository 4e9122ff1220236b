/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of an uploaded certificate and of an uploaded chain. The seeds are for the key and above the certificate
 * below. What is accepted is given back in a form that is accepted again and stays the same.
 */
#include <stdlib.h>

#include "control/certificate_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1800000000)

static const char public_key[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeT2FbI83uY9+Rj48HYuHA0pCgTVU\n"
                                 "MihNM8KQIaHmy40gS1e5g2u+fe8yLkoI7ejSwmJBxM94ggMuldiuBa0ASg==\n"
                                 "-----END PUBLIC KEY-----\n";
static const char own[] = "-----BEGIN CERTIFICATE-----\n"
                          "MIIB1jCCAXugAwIBAgIUFP092Q+OzbgTncEEh5piT+ba6kkwCgYIKoZIzj0EAwIw\n"
                          "LDELMAkGA1UEBhMCQ0gxDTALBgNVBAoMBENvcnAxDjAMBgNVBAMMBXVwcGVyMCAX\n"
                          "DTI2MTEyMTE3MTUwM1oYDzIxMDkwMTEwMTcxNTAzWjAqMQswCQYDVQQGEwJDSDEN\n"
                          "MAsGA1UECgwEQ29ycDEMMAoGA1UEAwwDb3duMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
                          "AQcDQgAEeT2FbI83uY9+Rj48HYuHA0pCgTVUMihNM8KQIaHmy40gS1e5g2u+fe8y\n"
                          "LkoI7ejSwmJBxM94ggMuldiuBa0ASqN7MHkwEgYDVR0TAQH/BAgwBgEB/wIBADAO\n"
                          "BgNVHQ8BAf8EBAMCAQYwEwYDVR0lBAwwCgYIKwYBBQUHAwEwHQYDVR0OBBYEFGy2\n"
                          "j7s6PT2dCtPcFvLXrUEiINtfMB8GA1UdIwQYMBaAFP51IwV5Yy6LNiGQLPVckUKs\n"
                          "i+GbMAoGCCqGSM49BAMCA0kAMEYCIQDqBcj4d+/pMD2svCyxz6ZQDfa/xcxVOy8D\n"
                          "rk/ZdnKhvgIhALhf22csW+aa7sJHPq6nbg6LkMJcthaKPxsNAU3rmZPX\n"
                          "-----END CERTIFICATE-----\n";

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static enum mg_status check_certificate(struct mg_slice file, char **pem)
{
    struct certificate_facts facts;
    struct mg_error error;
    enum mg_status status =
        certificate_check_intermediate(file, mg_slice_of_text(public_key), NOW, &facts, pem, &error);
    if (status == MG_OK) {
        expect(facts.not_before <= NOW && facts.not_after >= NOW && facts.ski_len > 0);
    }
    return status;
}

static enum mg_status check_chain(struct mg_slice file, char **pem)
{
    struct mg_error error;
    return certificate_check_chain(file, mg_slice_of_text(own), NOW, pem, &error);
}

static void check(struct mg_slice file, enum mg_status (*function)(struct mg_slice file, char **pem))
{
    char *pem, *again;
    if (function(file, &pem) == MG_OK) {
        expect(function(mg_slice_of_text(pem), &again) == MG_OK);
        expect(strcmp(pem, again) == 0);
        free(again);
        free(pem);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct certificate_facts facts;
    check(mg_slice_of(data, size), check_certificate);
    check(mg_slice_of(data, size), check_chain);
    return certificate_describe(mg_slice_of(data, size), &facts, NULL) == MG_MEMORY ? -1 : 0;
}
