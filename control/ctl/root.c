/* SPDX-License-Identifier: Apache-2.0 */
/* Signing requests as a throw-away root, which lies in two files: step 4 of the life of an intermediate, for labs. It
 * asks nothing of the control plane. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "control/ctl/commands.h"
#include "control/ctl/throwaway_root.h"

#define DEFAULT_SECONDS (UINT64_C(365) * 86400)

/* ---- the root's files ---- */

static enum mg_status write_key(const struct throwaway_root *root, const char *path, struct mg_error *error)
{
    struct mg_buffer pem;
    if (!mg_secret_buffer_init(&pem, THROWAWAY_MAX_FILE)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = throwaway_root_write_key(root, &pem, error);
    if (status == MG_OK) {
        status = mg_file_write_atomic(path, mg_buffer_slice(&pem), 0600, error);
    }
    mg_secret_free(&pem);
    return status;
}

static enum mg_status write_certificate(const struct throwaway_root *root, const char *path, struct mg_error *error)
{
    struct mg_buffer pem;
    mg_buffer_init(&pem, THROWAWAY_MAX_FILE);
    enum mg_status status = throwaway_root_write_certificate(root->certificate, &pem, error);
    if (status == MG_OK) {
        status = mg_file_write_atomic(path, mg_buffer_slice(&pem), 0644, error);
    }
    mg_buffer_free(&pem);
    return status;
}

/* load_key reads the key, and makes it where there is neither key nor certificate. */
static enum mg_status load_key(struct throwaway_root *root, const char *path, const char *certificate_path,
                               struct mg_error *error)
{
    struct mg_buffer pem;
    if (!mg_secret_buffer_init(&pem, THROWAWAY_MAX_FILE)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = mg_file_read_secret(path, &pem, error);
    if (status == MG_OK) {
        status = ctl_in_file(path, throwaway_root_read_key(root, mg_buffer_slice(&pem), error), error);
    } else if (status == MG_NOT_FOUND && access(certificate_path, F_OK) == 0) {
        status = mg_error_set(error, MG_DENIED, "--key: there is no %s for the certificate %s", path, certificate_path);
    } else if (status == MG_NOT_FOUND) {
        status = throwaway_root_make_key(root, error);
        status = status == MG_OK ? write_key(root, path, error) : status;
    }
    mg_secret_free(&pem);
    return status;
}

/* load_certificate reads the certificate of the key; one that is missing is made: making a root may have been cut short
 * between the two files. */
static enum mg_status load_certificate(struct throwaway_root *root, const char *path, int64_t now,
                                       struct mg_error *error)
{
    struct mg_buffer pem;
    mg_buffer_init(&pem, THROWAWAY_MAX_FILE);
    enum mg_status status = mg_file_read(path, &pem, error);
    if (status == MG_OK) {
        status = ctl_in_file(path, throwaway_root_read_certificate(root, mg_buffer_slice(&pem), now, error), error);
    } else if (status == MG_NOT_FOUND) {
        status = throwaway_root_certify(root, now, error);
        status = status == MG_OK ? write_certificate(root, path, error) : status;
        if (status == MG_OK) {
            fprintf(stderr, "mintgatectl: made a throw-away root for labs: %s\n", path);
        }
    }
    mg_buffer_free(&pem);
    return status;
}

/* ---- the command ---- */

static enum mg_status read_request(const char *path, X509_REQ **out, struct mg_error *error)
{
    struct mg_buffer pem;
    mg_buffer_init(&pem, THROWAWAY_MAX_FILE);
    enum mg_status status = mg_file_read(path, &pem, error);
    if (status == MG_OK) {
        status = ctl_in_file(path, throwaway_request_read(mg_buffer_slice(&pem), out, error), error);
    }
    mg_buffer_free(&pem);
    return status;
}

static enum mg_status deliver(const struct ctl *ctl, X509 *certificate, struct mg_error *error)
{
    struct mg_buffer pem;
    mg_buffer_init(&pem, THROWAWAY_MAX_FILE);
    enum mg_status status = throwaway_root_write_certificate(certificate, &pem, error);
    if (status == MG_OK) {
        return ctl_deliver(ctl, &pem, error);
    }
    mg_buffer_free(&pem);
    return status;
}

struct arguments {
    const char *key, *certificate;
    uint64_t seconds;
};

static enum mg_status arguments_of(const struct ctl *ctl, struct arguments *out, struct mg_error *error)
{
    *out = (struct arguments){
        .key = ctl->options[CTL_KEY], .certificate = ctl->options[CTL_CERT], .seconds = DEFAULT_SECONDS};
    if (out->key == NULL || out->certificate == NULL || out->key[0] == '\0' || out->certificate[0] == '\0') {
        return mg_error_set(error, MG_INVALID, "root sign-csr: --key FILE and --cert FILE of the root are needed");
    }
    return ctl->options[CTL_FOR] == NULL ? MG_OK : ctl_seconds(ctl->options[CTL_FOR], &out->seconds, error);
}

/* sign reads the request before the root, so that one that is wrong leaves no new root behind. */
static enum mg_status sign(const struct ctl *ctl, const struct arguments *arguments, X509 **out, struct mg_error *error)
{
    struct throwaway_root root = {.key = NULL};
    X509_REQ *request = NULL;
    int64_t now = mg_clock_wall_seconds();
    enum mg_status status = read_request(ctl->args[0], &request, error);
    if (status == MG_OK) {
        status = load_key(&root, arguments->key, arguments->certificate, error);
    }
    if (status == MG_OK) {
        status = load_certificate(&root, arguments->certificate, now, error);
    }
    if (status == MG_OK) {
        status = throwaway_root_sign(&root, request, now, arguments->seconds, out, error);
    }
    X509_REQ_free(request);
    throwaway_root_free(&root);
    return status;
}

enum mg_status root_sign_csr(struct ctl *ctl, struct mg_error *error)
{
    struct arguments arguments;
    X509 *certificate = NULL;
    enum mg_status status = arguments_of(ctl, &arguments, error);
    if (status == MG_OK) {
        status = sign(ctl, &arguments, &certificate, error);
    }
    if (status == MG_OK) {
        status = deliver(ctl, certificate, error);
    }
    X509_free(certificate);
    return status;
}
