/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/fields.h"

#include <string.h>

#include "base/utf8.h"
#include "control/ccadb/values.h"

enum field_kind {
    FIELD_IDENTITY, /* says which record it is: read by submission.c, and kept in columns of its own */
    FIELD_TEXT,
    FIELD_FLAG,
    FIELD_DATE,
    FIELD_URL,
    FIELD_HTTPS,
    FIELD_PICK,     /* a word of the picklist |list| */
    FIELD_URLS,     /* an array of addresses; [""]: not yet issuing; []: clears */
    FIELD_AUDITOR,  /* a known auditor */
    FIELD_LOCATION, /* one of the locations of the record's auditor */
};

struct field {
    const char *section; /* "": the top level */
    const char *name;    /* in requests */
    const char *kept;    /* in records, where that is another; else NULL */
    enum field_kind kind;
    size_t max; /* characters of a text, or of the JSON of an array */
    const char *list;
};

#define SHORT 255
#define LONG 32768

#define CERTIFICATE "CertificateInformation"
#define REVOCATION "RevocationInformation"
#define OTHER_CA "OtherCAInformation"
#define ISSUED "PertainingToCertificatesIssued"
#define AUDITOR "AuditorInformation"
#define AUDIT "AuditInformation"
#define POLICY "PolicyInformation"
#define DOCUMENTS "NonAuditDocumentInformation"

#define TEXT(section, name, max)                                                                                       \
    {                                                                                                                  \
        section, name, NULL, FIELD_TEXT, max, NULL                                                                     \
    }
#define OF(section, name, kind)                                                                                        \
    {                                                                                                                  \
        section, name, NULL, FIELD_##kind, 0, NULL                                                                     \
    }
#define PICK(section, name, list)                                                                                      \
    {                                                                                                                  \
        section, name, NULL, FIELD_PICK, 0, list                                                                       \
    }
#define AUDIT_OF(what)                                                                                                 \
    OF(AUDIT, what "Audit", HTTPS), PICK(AUDIT, what "AuditType", PICKLIST_AUDIT_TYPE),                                \
        OF(AUDIT, what "AuditStatementDate", DATE), OF(AUDIT, what "AuditPeriodStartDate", DATE),                      \
        OF(AUDIT, what "AuditPeriodEndDate", DATE)
/* What a CA of one kind of certificate offers: domain, organization, extended, individual validation. */
#define AUTOMATION_OF(what)                                                                                            \
    OF(ISSUED, what "ACMEEndpoints", URL), OF(ISSUED, "Other" what "AutomatedSolutionDescription", URL),               \
        OF(ISSUED, what "AutomatedTestCertificateWebsite", URL)

static const struct field fields[] = {
    OF(CERTIFICATE, "SalesforceRecordId", IDENTITY),
    OF(CERTIFICATE, "CAOwner", IDENTITY),
    OF(CERTIFICATE, "IntermediateCertificateName", IDENTITY),
    OF(CERTIFICATE, "IntermediateCertPEM", IDENTITY),
    OF(CERTIFICATE, "ParentCertPEM", IDENTITY),
    TEXT(CERTIFICATE, "SubordinateCAOwner", SHORT),
    OF(CERTIFICATE, "ConsentforTechnicallyConstrainedCert", FLAG),

    PICK(REVOCATION, "RevocationStatus", PICKLIST_REVOCATION_STATUS),
    OF(REVOCATION, "DateOfRevocation", DATE),
    PICK(REVOCATION, "RevocationReasonCode", PICKLIST_REVOCATION_REASON),
    OF(REVOCATION, "AlternateCRL", URL),

    TEXT(OTHER_CA, "RecognizedCAADomains", LONG),
    TEXT(OTHER_CA, "ProblemReportingMechanism", LONG),

    OF(ISSUED, "FullCRLIssuedByThisCA", URL),
    {ISSUED, "JSONArrayofPartitionedCRLs", NULL, FIELD_URLS, 20000, NULL},
    {ISSUED, "JSONArrayofAllFullCRLURLs", NULL, FIELD_URLS, 100000, NULL},
    PICK(ISSUED, "CABForumCertificatePolicyIdentifier", PICKLIST_POLICY_IDENTIFIER),
    AUTOMATION_OF("DV"),
    AUTOMATION_OF("OV"),
    AUTOMATION_OF("EV"),
    AUTOMATION_OF("IV"),

    OF(AUDITOR, "Auditor", AUDITOR),
    OF(AUDITOR, "AuditorLocation", LOCATION),

    OF(AUDIT, "AuditSameAsParent", FLAG),
    AUDIT_OF("Standard"),
    AUDIT_OF("CodeSigning"),
    AUDIT_OF("BR"),
    AUDIT_OF("EVSSL"),
    AUDIT_OF("EVCodeSigning"),
    AUDIT_OF("VMC"),
    AUDIT_OF("NetSec"),
    AUDIT_OF("TLSBR"),
    AUDIT_OF("TLSEVG"),
    AUDIT_OF("SMIME"),

    OF(POLICY, "CPCPSSameAsParent", FLAG),
    TEXT(POLICY, "PolicyDocumentation", LONG),
    TEXT(POLICY, "DocumentRepository", LONG),
    {POLICY, "DocumentRepositatory", "DocumentRepository", FIELD_TEXT, LONG, NULL}, /* as the seed's sample has it */
    TEXT(POLICY, "CertificatePolicy", LONG),
    TEXT(POLICY, "CertificationPracticeStatement", LONG),
    OF(POLICY, "CPCPSLastUpdatedDate", DATE),

    TEXT(DOCUMENTS, "PolicyDocumentation", LONG),
    TEXT(DOCUMENTS, "DocumentRepository", LONG),
    {DOCUMENTS, "DocumentRepositatory", "DocumentRepository", FIELD_TEXT, LONG, NULL},
    OF(DOCUMENTS, "CPSameAsParent", FLAG),
    TEXT(DOCUMENTS, "CertificatePolicy", LONG),
    OF(DOCUMENTS, "CPEffectiveDate", DATE),
    OF(DOCUMENTS, "CPSSameAsParent", FLAG),
    TEXT(DOCUMENTS, "CertificationPracticeStatement", LONG),
    OF(DOCUMENTS, "CPSEffectiveDate", DATE),
    OF(DOCUMENTS, "CPCPSSameAsParent", FLAG),
    TEXT(DOCUMENTS, "CertificatePracticeAndPolicyStatement", LONG),
    OF(DOCUMENTS, "CPCPSEffectiveDate", DATE),
    OF(DOCUMENTS, "MarkdownOrAsciiDocCPCPSSameAsParent", FLAG),
    TEXT(DOCUMENTS, "MarkdownOrAsciiDocCPCPS", LONG),
    OF(DOCUMENTS, "MarkdownOrAsciiDocCPCPSEffectiveDate", DATE),
    OF(DOCUMENTS, "SelfAssessmentSameAsParent", FLAG),
    TEXT(DOCUMENTS, "SelfAssessment", LONG),
    OF(DOCUMENTS, "SelfAssessmentCompletionDate", DATE),

    TEXT("", "Description", LONG),
    TEXT("", "PublicComments", LONG),
};

static const char *const sections[] = {CERTIFICATE, REVOCATION, OTHER_CA, ISSUED, AUDITOR, AUDIT, POLICY, DOCUMENTS};

/* Fields that need another one: where the first is given, so must the second be. */
static const struct {
    const char *given, *needed;
} needs[] = {
    {"AuditorLocation", "Auditor"},
#define AUDIT_NEEDS(what)                                                                                              \
    {what "Audit", what "AuditType"}, {what "Audit", what "AuditStatementDate"},                                       \
        {what "Audit", what "AuditPeriodStartDate"},                                                                   \
    {                                                                                                                  \
        what "Audit", what "AuditPeriodEndDate"                                                                        \
    }
    AUDIT_NEEDS("Standard"),
    AUDIT_NEEDS("CodeSigning"),
    AUDIT_NEEDS("BR"),
    AUDIT_NEEDS("EVSSL"),
    AUDIT_NEEDS("EVCodeSigning"),
    AUDIT_NEEDS("VMC"),
    AUDIT_NEEDS("NetSec"),
    AUDIT_NEEDS("TLSBR"),
    AUDIT_NEEDS("TLSEVG"),
    AUDIT_NEEDS("SMIME"),
    /* Upstream: "document link must be provided along with the date". */
    {"CPEffectiveDate", "CertificatePolicy"},
    {"CPSEffectiveDate", "CertificationPracticeStatement"},
    {"CPCPSEffectiveDate", "CertificatePracticeAndPolicyStatement"},
    {"MarkdownOrAsciiDocCPCPSEffectiveDate", "MarkdownOrAsciiDocCPCPS"},
    {"SelfAssessmentCompletionDate", "SelfAssessment"},
};

/* Dates of which the first must not be after the second, where both are given. */
static const struct {
    const char *first, *second;
} orders[] = {
#define AUDIT_ORDER(what)                                                                                              \
    {what "AuditPeriodStartDate", what "AuditPeriodEndDate"},                                                          \
    {                                                                                                                  \
        what "AuditPeriodEndDate", what "AuditStatementDate"                                                           \
    }
    AUDIT_ORDER("Standard"),      AUDIT_ORDER("CodeSigning"), AUDIT_ORDER("BR"),     AUDIT_ORDER("EVSSL"),
    AUDIT_ORDER("EVCodeSigning"), AUDIT_ORDER("VMC"),         AUDIT_ORDER("NetSec"), AUDIT_ORDER("TLSBR"),
    AUDIT_ORDER("TLSEVG"),        AUDIT_ORDER("SMIME"),
};

/* ---- one value ---- */

/* The words and the record that a value is looked at with. */
struct context {
    const struct field_words *words;
    const json_t *record;
    struct findings *findings;
};

static const char *text_of(const json_t *record, const char *name)
{
    return json_string_value(json_object_get(record, name));
}

static size_t count_characters(const char *text, size_t len)
{
    size_t num = 0;
    for (size_t i = 0; i < len; i++) {
        num += ((unsigned char)text[i] & 0xc0) != 0x80; /* not the first byte of a character (RFC 3629) */
    }
    return num;
}

/* has_controls: those that a text of several lines has are none here. */
static bool has_controls(const char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < 0x20 && strchr("\t\r\n", *text) == NULL) || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static void look_at_text(const struct context *context, const struct field *field, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        findings_error(context->findings, "%s: must be a text", field->name);
    } else if (count_characters(text, json_string_length(value)) > field->max) {
        findings_error(context->findings, "%s: must have at most %zu characters", field->name, field->max);
    } else if (has_controls(text)) {
        findings_error(context->findings, "%s: must have no control characters", field->name);
    }
}

static bool is_auditor(const struct context *context, const struct field *field, const char *text)
{
    (void)field;
    return context->words->has_auditor(context->words->arg, text);
}

/* is_location: the auditor is the one that the record has now, since its row of the table comes first. */
static bool is_location(const struct context *context, const struct field *field, const char *text)
{
    (void)field;
    const char *auditor = text_of(context->record, "Auditor");
    return auditor == NULL || context->words->has_location(context->words->arg, auditor, text);
}

static bool is_picked(const struct context *context, const struct field *field, const char *text)
{
    return context->words->has_word(context->words->arg, field->list, text);
}

static bool is_date(const struct context *context, const struct field *field, const char *text)
{
    (void)context;
    (void)field;
    return value_is_date(text);
}

static bool is_url(const struct context *context, const struct field *field, const char *text)
{
    (void)context;
    (void)field;
    return value_is_url(text);
}

static bool is_https(const struct context *context, const struct field *field, const char *text)
{
    (void)context;
    (void)field;
    return value_is_https(text);
}

/* The kinds that are texts of a form of their own. */
static const struct {
    bool (*is_good)(const struct context *context, const struct field *field, const char *text);
    const char *must;
} forms[] = {
    [FIELD_DATE] = {is_date, "must be a date as yyyy-MM-dd"},
    [FIELD_URL] = {is_url, "must be a valid http or https URL"},
    [FIELD_HTTPS] = {is_https, "must be a valid https URL"},
    [FIELD_PICK] = {is_picked, "must be one of the values available in the CCADB"},
    [FIELD_AUDITOR] = {is_auditor, "must be an auditor of the CCADB's list"},
    [FIELD_LOCATION] = {is_location, "must be a location of this auditor in the CCADB's list"},
};

static void look_at_form(const struct context *context, const struct field *field, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL || !forms[field->kind].is_good(context, field, text)) {
        findings_error(context->findings, "%s: %s", field->name, forms[field->kind].must);
    }
}

static bool is_url_or_empty(const json_t *item, size_t num_items)
{
    const char *text = json_string_value(item);
    return text != NULL && (value_is_url(text) || (num_items == 1 && text[0] == '\0'));
}

static void look_at_urls(const struct context *context, const struct field *field, const json_t *value)
{
    size_t i, num = json_array_size(value);
    const json_t *item;
    if (!json_is_array(value)) {
        findings_error(context->findings, "%s: must be a JSON array of URLs", field->name);
        return;
    }
    json_array_foreach(MG_UNCONST(value), i, item)
    {
        if (!is_url_or_empty(item, num)) {
            findings_error(context->findings, "%s: item %zu must be a valid http or https URL", field->name, i + 1);
            return;
        }
    }
    if (json_dumpb(value, NULL, 0, JSON_COMPACT) > field->max) {
        findings_error(context->findings, "%s: must have at most %zu characters", field->name, field->max);
    }
}

static void look_at(const struct context *context, const struct field *field, const json_t *value)
{
    switch (field->kind) {
    case FIELD_IDENTITY:
        break;
    case FIELD_TEXT:
        look_at_text(context, field, value);
        break;
    case FIELD_FLAG:
        if (!json_is_boolean(value)) {
            findings_error(context->findings, "%s: must be true or false", field->name);
        }
        break;
    case FIELD_URLS:
        look_at_urls(context, field, value);
        break;
    default:
        look_at_form(context, field, value);
    }
}

/* ---- all of them ---- */

const json_t *fields_section(const json_t *request, const char *name)
{
    const json_t *section = name[0] == '\0' ? request : json_object_get(request, name);
    return json_is_object(section) ? section : NULL;
}

static bool clears(const json_t *value)
{
    return (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static void merge_field(json_t *record, const json_t *request, const struct field *field, const struct context *context)
{
    json_t *value = json_object_get(fields_section(request, field->section), field->name);
    const char *kept = field->kept != NULL ? field->kept : field->name;
    if (value == NULL || json_is_null(value) || field->kind == FIELD_IDENTITY) {
        return;
    }
    if (clears(value) && (field->kind == FIELD_URLS || json_is_string(value))) {
        (void)json_object_del(record, kept);
        return;
    }
    look_at(context, field, value);
    /* A copy, since a request's texts are wiped when it is done with. */
    if (json_object_set_new(record, kept, json_deep_copy(value)) != 0) {
        context->findings->is_short = true;
    }
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(sections); i++) {
        if (strcmp(sections[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_field(const char *section, const char *name)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].section, section) == 0 && strcmp(fields[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* note_unknown warns of members of a section that no field has: they may be misspelt. */
static void note_unknown(const json_t *request, const char *section, struct findings *findings)
{
    const char *name;
    json_t *value;
    json_object_foreach(MG_UNCONST(fields_section(request, section)), name, value)
    {
        bool known = is_field(section, name) || (section[0] == '\0' && is_section(name));
        if (!known && json_array_size(findings->warnings) <= FINDINGS_MAX) {
            findings_warning(findings, "%.100s: there is no such field%s%s; it was ignored", name,
                             section[0] == '\0' ? "" : " in ", section);
        }
    }
}

static void look_at_sections(const json_t *request, struct findings *findings)
{
    note_unknown(request, "", findings);
    for (size_t i = 0; i < MG_ARRAY_LEN(sections); i++) {
        const json_t *section = json_object_get(request, sections[i]);
        if (section != NULL && !json_is_null(section) && !json_is_object(section)) {
            findings_error(findings, "%s: must be an object", sections[i]);
        }
        note_unknown(request, sections[i], findings);
    }
}

static void look_at_needs(const json_t *record, struct findings *findings)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(needs); i++) {
        if (json_object_get(record, needs[i].given) != NULL && json_object_get(record, needs[i].needed) == NULL) {
            findings_error(findings, "%s: is required when %s is provided", needs[i].needed, needs[i].given);
        }
    }
    if (fields_is_revoked(record) && json_object_get(record, "DateOfRevocation") == NULL) {
        findings_error(findings, "DateOfRevocation: is required when RevocationStatus is Revoked");
    }
}

static void look_at_orders(const json_t *record, struct findings *findings)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(orders); i++) {
        const char *first = text_of(record, orders[i].first), *second = text_of(record, orders[i].second);
        if (first != NULL && second != NULL && value_is_date(first) && value_is_date(second) &&
            strcmp(first, second) > 0) {
            findings_error(findings, "%s: cannot be after %s", orders[i].first, orders[i].second);
        }
    }
}

/* look_at_location looks at a location that stays, though the auditor is another now. */
static void look_at_location(const struct context *context)
{
    const char *location = text_of(context->record, "AuditorLocation");
    if (location != NULL && json_array_size(context->findings->errors) == 0 && !is_location(context, NULL, location)) {
        findings_error(context->findings, "AuditorLocation: %s", forms[FIELD_LOCATION].must);
    }
}

void fields_merge(json_t *record, const json_t *request, const struct field_words *words, struct findings *findings)
{
    const struct context context = {.words = words, .record = record, .findings = findings};
    look_at_sections(request, findings);
    for (size_t i = 0; i < MG_ARRAY_LEN(fields); i++) {
        merge_field(record, request, &fields[i], &context);
    }
    look_at_needs(record, findings);
    look_at_orders(record, findings);
    look_at_location(&context);
}

bool fields_is_revoked(const json_t *record)
{
    const char *status = text_of(record, "RevocationStatus");
    return status != NULL && strcmp(status, PICKLIST_REVOKED) == 0;
}

static const char *first_of(const json_t *record, const char *name, bool only)
{
    const json_t *list = json_object_get(record, name);
    size_t num = json_array_size(list);
    const char *url = num == 0 || (only && num > 1) ? NULL : json_string_value(json_array_get(list, 0));
    return url != NULL && url[0] != '\0' ? url : NULL;
}

const char *fields_crl_url(const json_t *record)
{
    const char *url = text_of(record, "FullCRLIssuedByThisCA");
    url = url != NULL ? url : first_of(record, "JSONArrayofAllFullCRLURLs", false);
    return url != NULL ? url : first_of(record, "JSONArrayofPartitionedCRLs", true);
}
