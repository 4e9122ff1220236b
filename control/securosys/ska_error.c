/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    enum ska_code code;
    const char *reason;
} reasons[] = {
    {SKA_MISSING_APPROVAL, "res.error.missing.approval"},
    {SKA_INVALID_CERTIFICATE, "res.error.invalid.certificate"},
    {SKA_INVALID_SIGNATURE, "res.error.input.invalid.signature"},
    {SKA_TIMESTAMP_OFF, "res.error.input.timestamp.off"},
    {SKA_SIGNER_NOT_ALLOWED, "res.error.timestamp.signer.not.allowed"},
    {SKA_PARSING_KEY, "res.error.parsing.key"},
    {SKA_PARSING_CERTIFICATE, "res.error.parsing.certificate"},
    {SKA_INVALID_REQUEST, "res.error.invalid.certificate.request"},
    {SKA_CLIENT, "res.error.client.subscription"},
    {SKA_NOT_LICENSED, "res.error.client.endpoint.not.licensed"},
    {SKA_INVALID_ENUM, "res.error.invalid.value.for.enum"},
    {SKA_INPUT, "res.error.input.validation.failed"},
    {SKA_KEY_SIZE, "res.error.input.keysize"},
    {SKA_ATTRIBUTES, "res.error.key.attributes.invalid"},
    {SKA_ALGORITHM_OF_KEY, "res.error.algorithm.not.supported.by.key"},
    {SKA_KEY_EXISTS, "res.error.key.already.existing"},
    {SKA_KEY_NAME, "res.error.invalid.key.name"},
    {SKA_UNSUPPORTED, "res.error.unsupported.operation"},
    {SKA_PAYLOAD, "res.error.invalid.payload"},
    {SKA_KEY_TYPE, "res.error.invalid.key.type"},
    {SKA_FORBIDDEN_FOR_KEY, "res.error.operation.forbidden.for.key"},
    {SKA_PASSWORD, "res.error.key.password.mismatch"},
    {SKA_JSON, "res.error.invalid.json"},
    {SKA_CERTIFICATE_ENCODING, "res.error.certificate.invalid.encoding"},
    {SKA_CSR_FORMAT, "res.error.csr.invalid.format"},
    {SKA_API_KEY, "res.error.invalid.api.key"},
    {SKA_NO_KEY, "res.error.key.not.existent"},
    {SKA_NO_REQUEST, "res.error.request.not.existent"},
    {SKA_NO_TASK, "res.error.task.not.existent"},
    {SKA_NO_APPROVER, "res.error.approver.not.existent"},
    {SKA_IN_HSM, "res.error.in.hsm"},
};

const char *ska_code_reason(enum ska_code code)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(reasons); i++) {
        if (reasons[i].code == code) {
            return reasons[i].reason;
        }
    }
    return "res.error.unknown";
}

unsigned ska_code_http_status(enum ska_code code)
{
    if (code == SKA_API_KEY) {
        return 401;
    }
    if (code == SKA_INVALID_ENUM) {
        return 400;
    }
    switch (code / 10) {
    case 45:
        return 403;
    case 65:
        return 404;
    default:
        return code / 100 == 4 || code / 100 == 6 ? 400 : 500;
    }
}

static enum mg_status class_of(enum ska_code code)
{
    switch (ska_code_http_status(code)) {
    case 404:
        return MG_NOT_FOUND;
    case 401:
    case 403:
        return MG_DENIED;
    case 500:
        return MG_INTERNAL;
    default:
        return code == SKA_KEY_EXISTS ? MG_EXISTS : MG_INVALID;
    }
}

enum mg_status ska_fail(struct ska_error *error, enum ska_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->why.text, sizeof(error->why.text), format, args);
    va_end(args);
    error->code = code;
    return class_of(code);
}

enum mg_status ska_fail_unless(struct ska_error *error, enum mg_status status, enum ska_code code)
{
    if (status == MG_INVALID && error->code == SKA_NO_CODE) {
        error->code = code;
    }
    return status;
}

enum ska_code ska_code_of(const struct ska_error *error, enum mg_status status)
{
    if (error->code != SKA_NO_CODE) {
        return error->code;
    }
    return status == MG_INVALID ? SKA_INPUT : status == MG_LIMIT || status == MG_DENIED ? SKA_CLIENT : SKA_IN_HSM;
}
