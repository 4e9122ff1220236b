/* SPDX-License-Identifier: Apache-2.0 */
/* mintgatectl: the table of commands, and the command line. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/commands.h"
#include "control/ctl/login.h"
#include "control/ctl/table.h"

enum exit_code { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

#define OPT(name) (UINT64_C(1) << CTL_##name)
#define CSR_OPTIONS (OPT(CN) | OPT(O) | OPT(OU) | OPT(L) | OPT(ST) | OPT(C) | OPT(PATH_LENGTH) | OPT(DIGEST) | OPT(OUT))

/* What both kinds of stores have. */
#define STORE_COMMANDS(noun)                                                                                           \
    {noun, "show", "STORE", "what is in it", 1, 1, 0, store_show},                                                     \
        {noun, "delete", "STORE", "delete it with all that is in it", 1, 1, 0, store_delete},                          \
        {noun, "remove", "STORE CERTIFICATE", "delete one of its certificates", 2, 2, 0, store_remove},                \
        {noun, "restore", "STORE CERTIFICATE", "exchange it with its version before", 2, 2, 0, store_restore},         \
        {noun, "reference-list", "", "names that stand for stores", 0, 0, 0, reference_list},                          \
        {noun, "reference-set", "REFERENCE STORE", "make a name stand for a store, from now on", 2, 2,                 \
         0,    reference_set},                                                                                         \
    {                                                                                                                  \
        noun, "reference-delete", "REFERENCE", "delete a name", 1, 1, 0, reference_delete                              \
    }

static const struct command {
    const char *noun; /* a word, or two with a space in between */
    const char *verb; /* NULL: the noun alone */
    const char *args;
    const char *help;
    int min_args, max_args;
    uint64_t options; /* that it takes, beside those of all */
    command_fn *run;
} commands[] = {
    {"intermediate", "list", "", "all intermediates", 0, 0, 0, intermediate_list},
    {"intermediate", "show", "ID", "one of them", 1, 1, 0, intermediate_show},
    {"intermediate", "create", "NAME [--type sw|hsm] [--key-type T] [--region R] [--enabled] [--description TEXT]",
     "begin a new one; T: EC_P256 (the default), EC_P384, RSA_2K, RSA_3K, RSA_4K", 1, 1,
     OPT(TYPE) | OPT(KEY_TYPE) | OPT(REGION) | OPT(ENABLED) | OPT(DESCRIPTION), intermediate_create},
    {"intermediate", "keygen", "ID", "have the signer make its key", 1, 1, 0, intermediate_keygen},
    {"intermediate", "csr",
     "ID [--cn X] [--o X] [--ou X] [--l X] [--st X] [--c XX] [--path-length N] [--digest D] [--out FILE]",
     "make the certification request and print it", 1, 1, CSR_OPTIONS, intermediate_csr},
    {"intermediate", "download-csr", "ID [--out FILE]", "print the request again", 1, 1, OPT(OUT),
     intermediate_download_csr},
    {"intermediate", "public-key", "ID [--out FILE]", "print its public key", 1, 1, OPT(OUT), intermediate_public_key},
    {"intermediate", "attestation", "ID [--out FILE]", "print what the token says of its key, signed by that key", 1, 1,
     OPT(OUT), intermediate_attestation},
    {"intermediate", "verify-attestation", "ID",
     "have the token asked afresh, and refuse a key that was not made there or can leave it", 1, 1, 0,
     intermediate_verify_attestation},
    {"intermediate", "upload-cert", "ID FILE", "bring the signed certificate", 2, 2, 0, intermediate_upload_cert},
    {"intermediate", "upload-chain", "ID FILE", "bring the certificates above it", 2, 2, 0, intermediate_upload_chain},
    {"intermediate", "finalize", "ID", "declare it ready; nothing of it changes any more", 1, 1, 0,
     intermediate_finalize},
    {"intermediate", "enable", "ID", "allow it to be used", 1, 1, 0, intermediate_enable},
    {"intermediate", "disable", "ID", "forbid it; not the default", 1, 1, 0, intermediate_disable},
    {"intermediate", "default", "ID | --previous  [--force]",
     "sign with it from now on; --force: although an engine cannot prepare", 0, 1, OPT(FORCE) | OPT(PREVIOUS),
     intermediate_default},
    {"intermediate", "delete", "ID", "destroy it and its key", 1, 1, 0, intermediate_delete},
    {"intermediate", "import", "NAME FILE [--key FILE] [--passphrase] [--enabled] [--description TEXT]",
     "make one, ready for use, of a key store's file: JAR, PKCS#12, or PEM with --key", 2, 2,
     OPT(KEY) | OPT(PASSPHRASE) | OPT(ENABLED) | OPT(DESCRIPTION), intermediate_import},
    {"truststore", "list", "", "stores of certificates that servers are verified with", 0, 0, 0, truststore_list},
    {"truststore", "create", "STORE [--description TEXT]", "a new one", 1, 1, OPT(DESCRIPTION), truststore_create},
    STORE_COMMANDS("truststore"),
    {"truststore", "add", "STORE FILE [--name CERTIFICATE]",
     "put certificates into it, PEM or DER; what it overwrites can be restored", 2, 2, OPT(NAME), store_add},
    {"keystore", "list", "", "stores of certificates with private keys, which the signer keeps", 0, 0, 0,
     keystore_list},
    {"keystore", "create", "STORE [--description TEXT]", "a new one", 1, 1, OPT(DESCRIPTION), keystore_create},
    STORE_COMMANDS("keystore"),
    {"keystore", "add", "STORE FILE [--name CERTIFICATE] [--key FILE] [--passphrase]",
     "put a chain and its key into it: JAR, PKCS#12, or PEM with --key; --passphrase: ask for the file's", 2, 2,
     OPT(NAME) | OPT(KEY) | OPT(PASSPHRASE), store_add},
    {"attestation", "verify", "FILE [--public-key FILE]",
     "check a printed attestation by itself, and by the public key that it must be of; asks no other program", 1, 1,
     OPT(PUBLIC_KEY), attestation_check_file},
    {"root", "sign-csr", "CSR --key FILE --cert FILE [--for DURATION] [--out FILE]",
     "for labs: sign a request as a throw-away root, which is made if it is not there", 1, 1,
     OPT(KEY) | OPT(CERT) | OPT(FOR) | OPT(OUT), root_sign_csr},
    {"successor", "show", "", "who succeeds whom", 0, 0, 0, successor_show},
    {"successor", "set", "ID ID", "the second takes over from the first when that expires", 2, 2, 0, successor_set},
    {"successor", "clear", "ID", "nobody takes over from it", 1, 1, 0, successor_clear},
    {"root", NULL, "", "print the certificate that clients must trust", 0, 0, 0, root_show},
    {"status", NULL, "", "what signs, until when, what each engine serves, and how they all are", 0, 0, 0, status_show},
    {"cache", "show", "", "the engine's cache of minted certificates", 0, 0, 0, cache_show},
    {"policy", "explain", "[--name HOST] [--client ADDRESS] [--server ADDRESS[:PORT]]",
     "what the engine would do with such a connection now, by which rule, and why", 0, 0,
     OPT(NAME) | OPT(CLIENT) | OPT(SERVER), policy_explain},
    {"audit", NULL, "[--max N]", "who did what, the newest first", 0, 0, OPT(MAX), audit_show},
    {"whoami", NULL, "", "as whom control knows you", 0, 0, 0, whoami_show},
    {"user", "list", "", "who may log in", 0, 0, 0, user_list},
    {"user", "show", "NAME", "one of them", 1, 1, 0, user_show},
    {"user", "create", "NAME --role admin|operator|auditor", "a new one; asks for the password", 1, 1, OPT(ROLE),
     user_create},
    {"user", "set-role", "NAME admin|operator|auditor", "what they may do", 2, 2, 0, user_set_role},
    {"user", "set-password", "NAME", "asks for it; sessions of the old one end", 1, 1, 0, user_set_password},
    {"user", "enable", "NAME", "let them in again", 1, 1, 0, user_enable},
    {"user", "disable", "NAME", "keep them out, from now on", 1, 1, 0, user_disable},
    {"user", "delete", "NAME", "remove them", 1, 1, 0, user_delete},
    {"key", "list", "", "the signer's keys, and which token holds each", 0, 0, 0, key_list},
    {"api-key", "list", "", "API keys of the ZIA family's legacy login", 0, 0, 0, api_key_list},
    {"api-key", "create", "NAME", "make one and print it, this once", 1, 1, 0, api_key_create},
    {"api-key", "rotate", "NAME", "replace it and print the new one, this once", 1, 1, 0, api_key_rotate},
    {"api-key", "delete", "NAME", "revoke it", 1, 1, 0, api_key_delete},
    {"ccadb owner", "list", "", "CA owners of the CCADB family", 0, 0, 0, ccadb_owner_list},
    {"ccadb owner", "add", "OWNER", "a new one", 1, 1, 0, ccadb_owner_add},
    {"ccadb root", "list", "", "records of root certificates", 0, 0, 0, ccadb_root_list},
    {"ccadb root", "show", "RECORD", "one of them", 1, 1, 0, ccadb_root_show},
    {"ccadb root", "add", "FILE --owner OWNER [--name NAME]", "a new one; intermediates below it get theirs by this", 1,
     1, OPT(OWNER) | OPT(NAME), ccadb_root_add},
    {"ccadb record", "list", "", "records of intermediate certificates", 0, 0, 0, ccadb_record_list},
    {"ccadb record", "show", "RECORD", "one of them, with what it says", 1, 1, 0, ccadb_record_show},
    {"ccadb user", "list", "", "who may use the CCADB API, and for whom", 0, 0, 0, ccadb_user_list},
    {"ccadb user", "grant", "USER --owner OWNER [--may-revoke]",
     "let them act for OWNER; --may-revoke: also take an intermediate out of use", 1, 1, OPT(OWNER) | OPT(MAY_REVOKE),
     ccadb_user_grant},
    {"ccadb user", "revoke", "USER", "take that back; their tokens end", 1, 1, 0, ccadb_user_revoke},
    {"ccadb client", "list", "", "OAuth clients that such users may allow", 0, 0, 0, ccadb_client_list},
    {"ccadb client", "add", "NAME REDIRECT-URI", "a new one; its id and secret are printed, this once", 2, 2, 0,
     ccadb_client_add},
    {"ccadb client", "delete", "ID", "revoke it and its tokens", 1, 1, 0, ccadb_client_delete},
    {"ccadb auditor", "list", "", "auditors and their locations", 0, 0, 0, ccadb_auditor_list},
    {"ccadb auditor", "add", "NAME [LOCATION]", "a new one, or a new location", 1, 2, 0, ccadb_auditor_add},
    {"ccadb word", "list", "", "values of the picklists: audit types, reasons of revocation", 0, 0, 0, ccadb_word_list},
    {"ccadb word", "add", "LIST VALUE", "a new value", 2, 2, 0, ccadb_word_add},
    {"ccadb word", "remove", "LIST VALUE", "take a value out; records that have it keep it", 2, 2, 0,
     ccadb_word_remove},
    {"client", "list", "", "OAuth2 clients", 0, 0, 0, client_list},
    {"client", "create", "ID --role admin|operator|auditor [--family zia,sap,securosys,mintgate] [--public-key FILE]",
     "a new one, for assertions signed with that key, else with a secret, printed this once; its tokens count in those "
     "families of APIs, zia unless said otherwise",
     1, 1, OPT(ROLE) | OPT(FAMILY) | OPT(PUBLIC_KEY), client_create},
    {"client", "rotate", "ID [--public-key FILE]", "replace its secret or key likewise", 1, 1, OPT(PUBLIC_KEY),
     client_rotate},
    {"client", "enable", "ID", "let it in again", 1, 1, 0, client_enable},
    {"client", "disable", "ID", "keep it out, from now on", 1, 1, 0, client_disable},
    {"client", "delete", "ID", "revoke it", 1, 1, 0, client_delete},
    {"pca ca", "list", "", "private CAs", 0, 0, 0, pca_ca_list},
    {"pca ca", "show", "TAG", "one of them", 1, 1, 0, pca_ca_show},
    {"pca ca", "create",
     "ALIAS [TAG] --type root|sub [--key-type T] [--for DURATION] [--cn X] [--o X] [--ou X] [--l X] [--st X] [--c XX] "
     "[--description TEXT]",
     "make a root, a CA below the one that TAG names, or, without it, a sub that is signed elsewhere; T: EC256 (the "
     "default), EC521, RSA2048, RSA4096; without DURATION as long as may be",
     1, 2,
     OPT(TYPE) | OPT(KEY_TYPE) | OPT(FOR) | OPT(CN) | OPT(O) | OPT(OU) | OPT(L) | OPT(ST) | OPT(C) | OPT(DESCRIPTION),
     pca_ca_create},
    {"pca ca", "csr", "TAG [--out FILE]", "print the request of one that is to be signed elsewhere", 1, 1, OPT(OUT),
     pca_ca_csr},
    {"pca ca", "activate", "TAG FILE [FILE]", "bring its certificate, and those above it", 2, 3, 0, pca_ca_activate},
    {"pca ca", "chain", "TAG [--out FILE]", "print its certificate and those above it", 1, 1, OPT(OUT), pca_ca_chain},
    {"pca ca", "crl", "TAG [--out FILE]", "print its CRL", 1, 1, OPT(OUT), pca_ca_crl},
    {"pca ca", "rotate-crl", "TAG", "renew its CRL now", 1, 1, 0, pca_ca_rotate_crl},
    {"pca ca", "set-crl-days", "TAG DAYS", "how long its CRLs are valid, from the next on", 2, 2, 0,
     pca_ca_set_crl_days},
    {"pca ca", "set-ocsp", "TAG [URL]", "where its certificates say that OCSP is, from now on; without URL, nowhere", 1,
     2, 0, pca_ca_set_ocsp},
    {"pca ca", "set-status", "TAG active|deactivated|destroying", "destroying: ends it in three days", 2, 2, 0,
     pca_ca_set_status},
    {"pca ca", "delete", "TAG", "destroy one that is destroying, with its key, now", 1, 1, 0, pca_ca_delete},
    {"pca", "sign-csr", "TAG CSR [--for DURATION] [--out FILE]",
     "sign the request of an intermediate as that CA; a year, unless said otherwise", 2, 2, OPT(FOR) | OPT(OUT),
     pca_sign_csr},
    {"pca cert", "list", "TAG", "serial numbers of what that CA signed", 1, 1, 0, pca_cert_list},
    {"pca cert", "show", "TAG SERIAL [--out FILE]", "print one of them", 2, 2, OPT(OUT), pca_cert_show},
    {"pca cert", "sign", "TAG CSR [--for DURATION] [--out FILE]",
     "sign the request of an end-entity as that CA; a year, unless said otherwise", 2, 2, OPT(FOR) | OPT(OUT),
     pca_cert_sign},
    {"pca", "revoke", "TAG SERIAL", "put a certificate of that CA on its CRL", 2, 2, 0, pca_revoke},
    {"pca key", "list", "", "access keys of the NAVER family's clients", 0, 0, 0, pca_key_list},
    {"pca key", "add", "--role admin|operator|auditor", "make one; its secret is printed this once", 0, 0, OPT(ROLE),
     pca_key_add},
    {"pca key", "delete", "ACCESS_KEY", "revoke it", 1, 1, 0, pca_key_delete},
    {"ska", "keys", "", "keys that are used by approval (docs/api/securosys.md)", 0, 0, 0, ska_keys},
    {"ska", "key", "LABEL", "one of them, as JSON", 1, 1, 0, ska_key},
    {"ska", "key-create", "LABEL [--key-type EC256|EC384|RSA2048|RSA3072|RSA4096] [--policy FILE]",
     "make one, EC256 unless said otherwise; FILE says as JSON who must approve its use, nobody without it", 1, 1,
     OPT(KEY_TYPE) | OPT(POLICY), ska_key_create},
    {"ska", "key-delete", "LABEL", "destroy it; open requests for its use are cancelled", 1, 1, 0, ska_key_delete},
    {"ska", "certificate", "LABEL [--out FILE]", "print its certificate", 1, 1, OPT(OUT), ska_certificate},
    {"ska", "certificate-import", "LABEL FILE", "give it a certificate that an authority made", 2, 2, 0,
     ska_certificate_import},
    {"ska", "requests", "", "requests for their use, the newest first", 0, 0, 0, ska_requests},
    {"ska", "request", "REQUEST", "one of them, as JSON, with its result", 1, 1, 0, ska_request},
    {"ska", "cancel", "REQUEST", "end it, if it is open", 1, 1, 0, ska_cancel},
    {"ska", "tasks", "--key FILE", "what the approver with this private key has to answer", 0, 0, OPT(KEY), ska_tasks},
    {"ska", "approve", "TASK --key FILE", "approve it; the key signs here and goes nowhere", 1, 1, OPT(KEY),
     ska_approve_task},
    {"ska", "reject", "TASK --key FILE", "reject it", 1, 1, OPT(KEY), ska_reject_task},
    {"ska", "api-key-list", "", "API keys of the Securosys family", 0, 0, 0, ska_api_key_list},
    {"ska", "api-key-add", "NAME --role keyManagementToken|keyOperationToken|approverToken|serviceToken",
     "make one and print it, this once", 1, 1, OPT(ROLE), ska_api_key_add},
    {"ska", "api-key-delete", "NAME", "revoke it", 1, 1, 0, ska_api_key_remove},
    {"backup", NULL, "FILE [--passphrase]",
     "database and sealed keys, and with a passphrase, which is asked for, the key-encryption key under it", 1, 1,
     OPT(PASSPHRASE), backup_create},
    {"restore", NULL, "FILE", "take a backup back onto a fresh machine, whose programs stand still", 1, 1, 0,
     restore_state},
    {"bypass", "on", "--for DURATION [--reason TEXT]", "inspect nothing for a while (30m, 2h); needs no other program",
     0, 0, OPT(FOR) | OPT(REASON), bypass_on},
    {"bypass", "off", "", "inspect again", 0, 0, 0, bypass_off},
    {"bypass", "show", "", "whether it is on, until when, and why", 0, 0, 0, bypass_show},
};

/* Options of all commands, behind those of enum ctl_option. */
enum {
    COMMON_CONFIG = CTL_NUM_OPTIONS,
    COMMON_SOCKET,
    COMMON_URL,
    COMMON_CA,
    COMMON_LOGIN,
    COMMON_JSON,
    COMMON_VERSION,
    COMMON_HELP
};

static const struct option known[] = {
    {"type", required_argument, NULL, CTL_TYPE},
    {"key-type", required_argument, NULL, CTL_KEY_TYPE},
    {"region", required_argument, NULL, CTL_REGION},
    {"description", required_argument, NULL, CTL_DESCRIPTION},
    {"enabled", no_argument, NULL, CTL_ENABLED},
    {"cn", required_argument, NULL, CTL_CN},
    {"o", required_argument, NULL, CTL_O},
    {"ou", required_argument, NULL, CTL_OU},
    {"l", required_argument, NULL, CTL_L},
    {"st", required_argument, NULL, CTL_ST},
    {"c", required_argument, NULL, CTL_C},
    {"path-length", required_argument, NULL, CTL_PATH_LENGTH},
    {"digest", required_argument, NULL, CTL_DIGEST},
    {"out", required_argument, NULL, CTL_OUT},
    {"force", no_argument, NULL, CTL_FORCE},
    {"previous", no_argument, NULL, CTL_PREVIOUS},
    {"max", required_argument, NULL, CTL_MAX},
    {"for", required_argument, NULL, CTL_FOR},
    {"reason", required_argument, NULL, CTL_REASON},
    {"key", required_argument, NULL, CTL_KEY},
    {"cert", required_argument, NULL, CTL_CERT},
    {"role", required_argument, NULL, CTL_ROLE},
    {"public-key", required_argument, NULL, CTL_PUBLIC_KEY},
    {"passphrase", no_argument, NULL, CTL_PASSPHRASE},
    {"name", required_argument, NULL, CTL_NAME},
    {"client", required_argument, NULL, CTL_CLIENT},
    {"server", required_argument, NULL, CTL_SERVER},
    {"owner", required_argument, NULL, CTL_OWNER},
    {"may-revoke", no_argument, NULL, CTL_MAY_REVOKE},
    {"family", required_argument, NULL, CTL_FAMILY},
    {"policy", required_argument, NULL, CTL_POLICY},
    {"config", required_argument, NULL, COMMON_CONFIG},
    {"socket", required_argument, NULL, COMMON_SOCKET},
    {"url", required_argument, NULL, COMMON_URL},
    {"ca", required_argument, NULL, COMMON_CA},
    {"login", required_argument, NULL, COMMON_LOGIN},
    {"json", no_argument, NULL, COMMON_JSON},
    {"version", no_argument, NULL, COMMON_VERSION},
    {"help", no_argument, NULL, COMMON_HELP},
    {NULL, 0, NULL, 0},
};

/* begins_with_word tells whether |noun| is |word|, or begins with it and a space. */
static bool begins_with_word(const char *noun, const char *word)
{
    size_t len = strlen(word);
    return strncmp(noun, word, len) == 0 && (noun[len] == '\0' || noun[len] == ' ');
}

/* num_named returns how many of |words| name |command|: its noun and its verb; 0: they do not. */
static int num_named(const struct command *command, char *const *words, int num_words)
{
    int num = 0;
    for (const char *at = command->noun; at != NULL; num++) {
        if (num == num_words || !begins_with_word(at, words[num])) {
            return 0;
        }
        at = strchr(at, ' ') == NULL ? NULL : strchr(at, ' ') + 1;
    }
    if (command->verb == NULL) {
        return num;
    }
    return num < num_words && strcmp(command->verb, words[num]) == 0 ? num + 1 : 0;
}

/* print_help prints the commands of |noun|, or all for NULL. */
static void print_help(const char *noun)
{
    puts("usage: mintgatectl [--config FILE | --socket PATH | --url URL --login NAME] [--json] COMMAND\n");
    for (size_t i = 0; i < MG_ARRAY_LEN(commands); i++) {
        const struct command *command = &commands[i];
        if (noun == NULL || begins_with_word(command->noun, noun)) {
            const char *verb = command->verb == NULL ? "" : command->verb;
            printf("  %s%s%s%s%s\n      %s\n", command->noun, *verb == '\0' ? "" : " ", verb,
                   command->args[0] == '\0' ? "" : " ", command->args, command->help);
        }
    }
    puts("\n"
         "ID is a number or the exact name of an intermediate.\n"
         "\n"
         "  --config FILE  configuration, which says where control listens (default " CONFIG_DEFAULT_PATH ")\n"
         "  --socket PATH  where control listens\n"
         "  --url URL      where control listens, from another machine: https://HOST:PORT\n"
         "  --ca FILE      what control's certificate is checked with (default: what this system trusts)\n"
         "  --login NAME   as whom; the password is asked for, or is the first line of standard input\n"
         "  --json         print the server's JSON\n"
         "  --version      print the version and exit\n"
         "  --help         print this and exit; behind a noun, its commands alone\n"
         "\n"
         "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 the control plane cannot be reached.");
}

static const struct command *find_command(char *const *words, int num_words)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(commands); i++) {
        if (num_named(&commands[i], words, num_words) > 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static bool is_noun(const char *text)
{
    for (size_t i = 0; text != NULL && i < MG_ARRAY_LEN(commands); i++) {
        if (begins_with_word(commands[i].noun, text)) {
            return true;
        }
    }
    return false;
}

struct line {
    uint64_t given; /* options, as in struct command */
    bool help, version;
};

/* parse_options reads all options, wherever they stand; getopt says what is wrong. */
static bool parse_options(int argc, char **argv, struct ctl *ctl, struct line *line)
{
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case COMMON_CONFIG:
            ctl->config_path = optarg;
            break;
        case COMMON_SOCKET:
            ctl->socket = optarg;
            break;
        case COMMON_URL:
            ctl->url = optarg;
            break;
        case COMMON_CA:
            ctl->ca_file = optarg;
            break;
        case COMMON_LOGIN:
            ctl->user = optarg;
            break;
        case COMMON_JSON:
            ctl->json = true;
            break;
        case COMMON_VERSION:
            line->version = true;
            break;
        case COMMON_HELP:
            line->help = true;
            break;
        case '?':
            return false;
        default:
            ctl->options[option] = optarg == NULL ? "" : optarg;
            line->given |= UINT64_C(1) << option;
        }
    }
    return true;
}

/* check_use refuses arguments and options that |command| does not take. */
static enum mg_status check_use(const struct command *command, const struct ctl *ctl, uint64_t given,
                                struct mg_error *error)
{
    const char *verb = command->verb == NULL ? "" : command->verb;
    for (size_t i = 0; i < CTL_NUM_OPTIONS; i++) {
        if ((given & ~command->options & (UINT64_C(1) << known[i].val)) != 0) {
            return mg_error_set(error, MG_INVALID, "%s %s takes no --%s", command->noun, verb, known[i].name);
        }
    }
    if (ctl->num_args < command->min_args || ctl->num_args > command->max_args) {
        return mg_error_set(error, MG_INVALID, "usage: mintgatectl %s %s %s", command->noun, verb, command->args);
    }
    for (int i = 0; i < ctl->num_args; i++) {
        if (ctl->args[i][0] == '\0') {
            return mg_error_set(error, MG_INVALID, "%s %s: an argument is empty", command->noun, verb);
        }
    }
    return MG_OK;
}

static enum mg_status run(struct ctl *ctl, char **words, int num_words, uint64_t given, struct mg_error *error)
{
    const char *noun = num_words > 0 ? words[0] : NULL, *verb = num_words > 1 ? words[1] : NULL;
    const struct command *command = find_command(words, num_words);
    if (command == NULL) {
        return mg_error_set(error, MG_INVALID, "%s%s%s",
                            noun == NULL ? "a command is needed" : "no such command: ", noun == NULL ? "" : noun,
                            is_noun(noun) && verb == NULL ? " needs a verb" : "");
    }
    int num = num_named(command, words, num_words);
    ctl->args = words + num;
    ctl->num_args = num_words - num;
    enum mg_status status = check_use(command, ctl, given, error);
    if (status == MG_OK && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        status = mg_error_set(error, MG_INTERNAL, "libcurl cannot be used");
    }
    return status == MG_OK ? command->run(ctl, error) : status;
}

/* complain prints |error|, line by line, as a table's cells are: the server's words may quote a hostile certificate. */
static void complain(struct mg_error *error)
{
    char storage[2 * sizeof(error->text)];
    struct mg_buffer text;
    mg_buffer_wrap(&text, storage, sizeof(storage));
    char *rest = NULL;
    for (char *line = strtok_r(error->text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *const cells[] = {line};
        table_write(&text, cells, 1, MG_ARRAY_LEN(cells));
    }
    fprintf(stderr, "mintgatectl: %.*s", (int)text.len, storage);
}

/* finish prints what failed and returns the exit code. */
static enum exit_code finish(enum mg_status status, struct mg_error *error)
{
    if (status == MG_OK) {
        return EXIT_DONE;
    }
    complain(error);
    if (status == MG_INVALID) {
        fputs("Try mintgatectl --help.\n", stderr);
        return EXIT_USAGE;
    }
    if (status == MG_AGAIN) {
        fputs("Is mintgate-control running? 'systemctl status mintgate-control' tells; bypass works without it.\n",
              stderr);
        return EXIT_UNREACHABLE;
    }
    return EXIT_REFUSED;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.config_path = CONFIG_DEFAULT_PATH};
    struct line line = {.given = 0};
    struct mg_error error = {""};
    if (!parse_options(argc, argv, &ctl, &line)) {
        fputs("Try mintgatectl --help.\n", stderr);
        return EXIT_USAGE;
    }
    if (line.version) {
        puts("mintgatectl " MINTGATE_VERSION);
        return EXIT_DONE;
    }
    if (line.help && (optind == argc || is_noun(argv[optind]))) {
        print_help(argv[optind]);
        return EXIT_DONE;
    }
    enum mg_status status = run(&ctl, argv + optind, argc - optind, line.given, &error);
    login_end(&ctl);
    config_free(ctl.config);
    curl_global_cleanup();
    return finish(status, &error);
}
