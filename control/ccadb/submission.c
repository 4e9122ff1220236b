/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/submission.h"

#include <string.h>
#include <strings.h>

#include "control/ccadb/picklists.h"
#include "ossl/certificate_line.h"

#define SECTION "CertificateInformation"

/* What is read of a request while it is looked at. Zero state: nothing. */
struct reading {
    struct submission *submission;
    struct store_tx *tx;
    X509 *x509, *parent_x509;               /* owned; NULL: not given, or no good */
    struct records_certificate certificate; /* of |x509| */
    struct records_owner owner;             /* whose record it is to be; id 0: not known */
    struct record record;                   /* as it is, for an update; as it is to be, after merge */
    struct record parent;                   /* for one that is new */
    bool was_revoked;
};

static void reading_free(struct reading *reading)
{
    X509_free(reading->x509);
    X509_free(reading->parent_x509);
    records_describe_free(&reading->certificate);
    record_free(&reading->record);
    record_free(&reading->parent);
}

void submission_free(struct submission *submission)
{
    findings_free(&submission->findings);
}

/* ---- the fields that say which record ---- */

/* text_of returns the field |name|, "" where it is missing or null. What is no text is noted once, here. */
static const char *text_of(struct submission *submission, const char *name)
{
    const json_t *value = json_object_get(fields_section(submission->request, SECTION), name);
    if (value != NULL && !json_is_null(value) && !json_is_string(value)) {
        findings_error(&submission->findings, "%s: must be a text", name);
        return "";
    }
    return json_is_string(value) ? json_string_value(value) : "";
}

static bool is_given(const struct submission *submission, const char *name)
{
    const json_t *value = json_object_get(fields_section(submission->request, SECTION), name);
    return value != NULL && !json_is_null(value);
}

/* read_pem reads a certificate; NULL, and a finding unless nothing was given at all. */
static X509 *read_pem(struct submission *submission, const char *name, bool required)
{
    const char *text = text_of(submission, name);
    X509 *x509 = NULL;
    struct mg_error error;
    if (text[0] == '\0') {
        if (required) {
            findings_error(&submission->findings, "%s: is required", name);
        }
    } else if (certificate_line_parse(mg_slice_of_text(text), &x509, &error) != MG_OK) {
        findings_error(&submission->findings, "%s: %s", name, error.text);
        x509 = NULL;
    }
    return x509;
}

/* found tells whether a search succeeded; a failure of ours goes to |status|. */
static bool found(enum mg_status *status, enum mg_status searched)
{
    if (searched != MG_OK && searched != MG_NOT_FOUND && *status == MG_OK) {
        *status = searched;
    }
    return searched == MG_OK;
}

/* check_owner looks at CAOwner for a record that is new, or whose owner is |current|. */
static enum mg_status check_owner(struct reading *reading, const char *current, struct mg_error *error)
{
    struct submission *submission = reading->submission;
    const char *name = text_of(submission, "CAOwner"), *own = submission->caller.owner;
    enum mg_status status = MG_OK;
    if (name[0] == '\0' && current != NULL && !is_given(submission, "CAOwner")) {
        findings_warning(&submission->findings, "CAOwner: is missing; the record's owner was taken");
        name = current;
    }
    if (name[0] == '\0') {
        findings_error(&submission->findings, "CAOwner: is required");
    } else if (submission->caller.owner_id != 0 && strcasecmp(name, own) != 0) {
        findings_error(&submission->findings, "CAOwner: certificates can be added and updated in your own CA's "
                                              "hierarchy only");
    } else if (current != NULL && strcasecmp(name, current) != 0) {
        findings_error(&submission->findings, "CAOwner: is not the owner of the record");
    } else if (!found(&status, records_owner_find(reading->tx, name, &reading->owner, error))) {
        findings_error(&submission->findings, "CAOwner: must be a CA owner of the CCADB");
    }
    return status;
}

static void check_name(struct reading *reading)
{
    struct submission *submission = reading->submission;
    const char *name = text_of(submission, "IntermediateCertificateName");
    struct mg_error error;
    if (name[0] == '\0') {
        findings_error(&submission->findings, "IntermediateCertificateName: is required");
    } else if (records_set_name(&reading->record, name, &error) != MG_OK) {
        findings_error(&submission->findings, "%s", error.text);
    }
}

static enum mg_status read_certificate(struct reading *reading, struct mg_error *error)
{
    reading->x509 = read_pem(reading->submission, "IntermediateCertPEM", true);
    return reading->x509 == NULL ? MG_OK : records_describe(reading->x509, &reading->certificate, error);
}

/* ---- a record that is new ---- */

static enum mg_status check_parent(struct reading *reading, struct mg_error *error)
{
    struct submission *submission = reading->submission;
    struct records_certificate parent;
    enum mg_status status = MG_OK;
    reading->parent_x509 = read_pem(submission, "ParentCertPEM", true);
    if (reading->parent_x509 == NULL) {
        return MG_OK;
    }
    if (reading->x509 != NULL && !records_has_signed(reading->parent_x509, reading->x509)) {
        findings_error(&submission->findings, "ParentCertPEM: must be the certificate that signed "
                                              "IntermediateCertPEM");
    }
    status = records_describe(reading->parent_x509, &parent, error);
    if (status != MG_OK) {
        return status;
    }
    if (reading->owner.id != 0 &&
        !found(&status, records_find(reading->tx, parent.sha256, reading->owner.id, 0, &reading->parent, error))) {
        findings_error(&submission->findings, "ParentCertPEM: must already have a record in your CA's hierarchy");
    }
    records_describe_free(&parent);
    return status;
}

static enum mg_status check_duplicate(struct reading *reading, struct mg_error *error)
{
    struct submission *submission = reading->submission;
    struct record known = {.id = 0};
    enum mg_status status = MG_OK;
    if (reading->x509 == NULL || reading->owner.id == 0) {
        return MG_OK;
    }
    if (X509_self_signed(reading->x509, 0) == 1) {
        findings_error(&submission->findings, "IntermediateCertPEM: must not be a root certificate");
    }
    if (found(&status, records_find(reading->tx, reading->certificate.sha256, reading->owner.id, 0, &known, error))) {
        findings_error(&submission->findings, "This Intermediate Certificate already exists in CCADB.");
        record_id_of(&known, submission->record_id);
    }
    record_free(&known);
    return status;
}

static enum mg_status read_new(struct reading *reading, struct mg_error *error)
{
    enum mg_status status = check_owner(reading, NULL, error);
    check_name(reading);
    if (status == MG_OK) {
        status = read_certificate(reading, error);
    }
    if (status == MG_OK) {
        status = check_parent(reading, error);
    }
    if (status == MG_OK) {
        status = check_duplicate(reading, error);
    }
    reading->record.kind = RECORD_INTERMEDIATE;
    reading->record.owner_id = reading->owner.id;
    reading->record.parent_id = reading->parent.id;
    reading->record.attributes = json_object();
    return status;
}

/* ---- a record that is there ---- */

static bool may_touch(const struct submission *submission, const struct record *record)
{
    return record->kind == RECORD_INTERMEDIATE &&
           (submission->caller.owner_id == 0 || submission->caller.owner_id == record->owner_id);
}

/* load_record loads the record that is to change; without one the attributes are looked at all the same. */
static enum mg_status load_record(struct reading *reading, const char *id, struct mg_error *error)
{
    struct submission *submission = reading->submission;
    struct record *record = &reading->record;
    enum mg_status status = MG_OK;
    if (!record_id_is_valid(mg_slice_of_text(id))) {
        findings_error(&submission->findings, "SalesforceRecordId: must be a record id of 18 letters and digits");
    } else if (!found(&status, records_load(reading->tx, mg_slice_of_text(id), record, error)) ||
               !may_touch(submission, record)) {
        record_free(record);
        findings_error(&submission->findings, "SalesforceRecordId: there is no intermediate certificate with this "
                                              "record id in your CA's hierarchy");
    }
    if (record->attributes == NULL) {
        record->attributes = json_object();
    }
    return status;
}

static void check_same_certificate(struct reading *reading)
{
    const struct record *record = &reading->record;
    if (record->id != 0 && reading->x509 != NULL &&
        memcmp(record->sha256, reading->certificate.sha256, sizeof(record->sha256)) != 0) {
        findings_error(&reading->submission->findings, "The provided Salesforce Record ID and SHA-256 of the provided "
                                                       "Intermediate Certificate does not match.");
    }
}

static enum mg_status read_existing(struct reading *reading, const char *id, struct mg_error *error)
{
    struct submission *submission = reading->submission;
    enum mg_status status = load_record(reading, id, error);
    if (status == MG_OK) {
        char owner[sizeof(reading->record.owner)];
        memcpy(owner, reading->record.owner, sizeof(owner));
        status = check_owner(reading, reading->record.id != 0 ? owner : NULL, error);
    }
    check_name(reading);
    if (status == MG_OK) {
        status = read_certificate(reading, error);
    }
    check_same_certificate(reading);
    if (text_of(submission, "ParentCertPEM")[0] != '\0') {
        findings_warning(&submission->findings, "ParentCertPEM: cannot be updated; it was ignored");
    }
    return status;
}

/* ---- all of it ---- */

/* check_revocation finds out what a change of the status does to the appliance, and whether the caller may do it. */
static enum mg_status check_revocation(struct reading *reading, struct mg_error *error)
{
    struct submission *submission = reading->submission;
    struct appliance_concern concern = {.is_ours = false};
    bool is_revoked = fields_is_revoked(reading->record.attributes);
    if (is_revoked == reading->was_revoked || reading->x509 == NULL) {
        return MG_OK;
    }
    enum mg_status status = appliance_concern(reading->tx, reading->certificate.sha256, &concern, error);
    if (status == MG_OK && concern.is_ours && !submission->caller.may_revoke) {
        findings_error(&submission->findings,
                       "RevocationStatus: this would %s, which an administrator must have granted you "
                       "(mintgatectl ccadb user grant)",
                       is_revoked ? "take an intermediate of this appliance out of use"
                                  : "allow an intermediate of this appliance again");
    }
    if (is_revoked) {
        submission->revokes = concern;
    }
    return status;
}

static enum mg_status read_request(struct reading *reading, struct mg_error *error)
{
    struct submission *submission = reading->submission;
    const struct field_words words = picklists_words(reading->tx);
    const char *id = text_of(submission, "SalesforceRecordId");
    submission->is_update = id[0] != '\0';
    enum mg_status status = submission->is_update ? read_existing(reading, id, error) : read_new(reading, error);
    if (status != MG_OK) {
        return status;
    }
    reading->was_revoked = fields_is_revoked(reading->record.attributes);
    fields_merge(reading->record.attributes, submission->request, &words, &submission->findings);
    return check_revocation(reading, error);
}

static enum mg_status begin(struct reading *reading, struct submission *submission, struct store_tx *tx,
                            struct mg_error *error)
{
    findings_free(&submission->findings);
    submission->record_id[0] = '\0';
    submission->revokes = (struct appliance_concern){.is_ours = false};
    *reading = (struct reading){.submission = submission, .tx = tx};
    return read_request(reading, error);
}

enum mg_status submission_check(struct submission *submission, const struct appliance_call *call,
                                struct mg_error *error)
{
    struct reading reading;
    enum mg_status status = begin(&reading, submission, call->tx, error);
    reading_free(&reading);
    return status;
}

static enum mg_status save(struct reading *reading, struct appliance_call *call, struct mg_error *error)
{
    struct record *record = &reading->record;
    record->updated_us = call->now_us;
    enum mg_status status;
    if (reading->submission->is_update) {
        status = records_update(call->tx, record, error);
    } else {
        record->created_us = call->now_us;
        status = records_insert(call->tx, record, &reading->certificate, error);
    }
    if (status == MG_OK) {
        record_id_of(record, reading->submission->record_id);
        status = appliance_take_all(call, error);
    }
    return status;
}

enum mg_status submission_apply(struct submission *submission, struct appliance_call *call, struct mg_error *error)
{
    struct reading reading;
    enum mg_status status = begin(&reading, submission, call->tx, error);
    if (status == MG_OK && !findings_failed(&submission->findings)) {
        status = save(&reading, call, error);
    }
    reading_free(&reading);
    return status;
}
