/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mint_samples DIRECTORY: mints some hundreds of leaves for servers of all kinds, and writes each with the chain above
 * it as PEM, for other implementations to look at (tests/interop/test_minted_leaves.py).
 *
 *   index.tsv            a line for each leaf: file, issuer's folder, what a client asked for, and "ldh" or
 * "beyond_ldh" as the names are those of RFC 5890 section 2.3.1 or not ISSUER/root.pem, ISSUER/intermediate.pem,
 * ISSUER/NNN-SERVER-KEY.pem
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/bytestring.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "certs.h"

#define NUM_RANDOM_SERVERS 60

/* struct server is a server and what a client asks it for. */
struct server {
    const char *name; /* of the file */
    struct certs_spec spec;
    const char *country, *organization, *common_name;
    const char *host;     /* required in the leaf */
    struct mg_slice ip;   /* likewise, instead */
    const char *asked_ip; /* the same as text */
    bool untrusted;       /* from the forward-untrust issuer */
    bool beyond_ldh;
};

/* struct family is an issuer with what it needs. */
struct family {
    char name[32];
    struct certs_pki pki;
    struct issuer *issuer;
};

static const char *directory;
static FILE *index_file;
static unsigned num_leaves;
static int64_t now;
static struct leaf_key *keys[LEAF_KEY_NUM_TYPES];

static FILE *open_file(const char *folder, const char *name)
{
    char path[512];
    certs_must(snprintf(path, sizeof(path), "%s/%s/%s", directory, folder, name) < (int)sizeof(path));
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void write_der(const char *folder, const char *name, struct mg_slice der)
{
    const uint8_t *data = der.data;
    X509 *certificate = d2i_X509(NULL, &data, (long)der.len);
    FILE *file = open_file(folder, name);
    certs_must(certificate != NULL && PEM_write_X509(file, certificate) && fclose(file) == 0);
    X509_free(certificate);
}

static void family_init(struct family *family, const char *name, enum wire_key_type type, enum wire_issuer_role role,
                        const struct issuer_options *options)
{
    snprintf(family->name, sizeof(family->name), "%s", name);
    char path[512];
    certs_must(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
    certs_must(mkdir(path, 0777) == 0);
    certs_pki_init_at(&family->pki, type, role, now);
    certs_must(issuer_new(&family->issuer, &family->pki.wire, 1, options, now, NULL) == MG_OK);
    write_der(name, "root.pem", mg_buffer_slice(&family->pki.root));
    write_der(name, "intermediate.pem", mg_buffer_slice(&family->pki.intermediate));
}

static void family_free(struct family *family)
{
    issuer_unref(family->issuer);
    certs_pki_free(&family->pki);
}

static void write_leaf(struct family *family, const struct server *server, const struct leaf *leaf)
{
    char name[128];
    snprintf(name, sizeof(name), "%03u-%s-%s.pem", num_leaves++, server->name, leaf_key_type_name(leaf->key->type));
    X509 *certificate = certs_parse_leaf(leaf);
    FILE *file = open_file(family->name, name);
    certs_must(PEM_write_X509(file, certificate) && fclose(file) == 0);
    X509_free(certificate);
    fprintf(index_file, "%s\t%s\t%s\t%s\n", name, family->name,
            server->asked_ip != NULL ? server->asked_ip : server->host, server->beyond_ldh ? "beyond_ldh" : "ldh");
}

static void mint(struct family *family, struct server server)
{
    struct mg_buffer subject;
    mg_buffer_init(&subject, 4096);
    if (server.spec.subject.len == 0 && server.common_name != NULL) {
        certs_subject(&subject, server.country, server.organization, server.common_name);
        server.spec.subject = mg_buffer_slice(&subject);
    }
    if (server.spec.not_before == 0) {
        server.spec.not_before = now - 30 * CERTS_DAY;
        server.spec.not_after = now + 60 * CERTS_DAY;
    }
    struct mimic *mimic = certs_mimic(&server.spec);
    struct leaf_names names;
    bool by_ip = server.asked_ip != NULL;
    leaf_names_decide(&names, mimic, by_ip ? MIMIC_NAME_IP : MIMIC_NAME_DNS,
                      by_ip ? server.ip : mg_slice_of_text(server.host), NULL, NULL);
    for (unsigned type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        struct leaf *leaf = certs_mint(&family->pki, family->issuer, keys[type], &names, now);
        write_leaf(family, &server, leaf);
        cache_value_unref(&leaf->value);
    }
    mimic_unref(mimic);
    mg_buffer_free(&subject);
}

#define NAMES(...)                                                                                                     \
    .names = (const struct certs_name[]){__VA_ARGS__},                                                                 \
    .num_names = sizeof((const struct certs_name[]){__VA_ARGS__}) / sizeof(struct certs_name)
#define BYTES(literal)                                                                                                 \
    {                                                                                                                  \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                                \
    }
#define DAYS(before, after) .not_before = now + (before)*CERTS_DAY, .not_after = now + (after)*CERTS_DAY
#define WWW NAMES(CERTS_DNS("www.example.com"))
#define FOR_WWW .host = "www.example.com"

static void mint_table(struct family *trust, struct family *untrust)
{
    static const char long_name[] = "a-label-of-forty-characters-that-is-long.b-label-of-forty.example.com";
    static const char long_host[] = "a123456789b123456789c123456789d123456789e123456789f123456789.example.com";
    struct mg_buffer teletex;
    mg_buffer_init(&teletex, 1024);
    certs_subject_value(&teletex, 3, CBS_ASN1_T61STRING, mg_slice_of_text("www.example.com"));
    const struct server servers[] = {
        {"plain", {WWW}, NULL, NULL, "www.example.com", FOR_WWW},
        {"no-subject", {WWW}, FOR_WWW},
        {"wildcard",
         {NAMES(CERTS_DNS("*.example.com"), CERTS_DNS("example.com"))},
         .common_name = "*.example.com",
         FOR_WWW},
        {"organization", {WWW}, "DE", "B\xc3\xa4r & S\xc3\xb6hne GmbH", "www.example.com", FOR_WWW},
        {"comma", {WWW}, "US", "Example, Inc.", "www.example.com", FOR_WWW},
        {"long-common-name", {NAMES(CERTS_DNS("www.example.com"))}, NULL, NULL, long_name, FOR_WWW},
        {"teletex-subject", {WWW, .subject = mg_buffer_slice(&teletex)}, FOR_WWW},
        {"long-host", {.version_1 = true}, .host = long_host},
        {"hostile-names",
         {NAMES(CERTS_DNS("www.example.com"), CERTS_DNS("a,DNS:b"), CERTS_DNS("a b"), CERTS_DNS(""),
                {1, BYTES("a@example.com")}, {6, BYTES("https://example.com/")}, {7, BYTES("\1\2\3")})},
         FOR_WWW},
        {"a-label", {NAMES(CERTS_DNS("xn--bcher-kva.example.com"))}, .host = "xn--bcher-kva.example.com"},
        {"ipv4", {NAMES({7, BYTES("\xc0\0\2\1")})}, .ip = BYTES("\xc0\0\2\1"), .asked_ip = "192.0.2.1"},
        {"ipv6",
         {NAMES({7, BYTES("\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1")})},
         .ip = BYTES("\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
         .asked_ip = "2001:db8::1"},
        {"added-ip", {WWW}, .ip = BYTES("\xc0\0\2\1"), .asked_ip = "192.0.2.1"},
        {"added-name", {WWW}, NULL, NULL, "www.example.com", .host = "other.example.com"},
        {"rsa", {WWW, .key = certs_key(WIRE_KEY_RSA_2048, 0)}, FOR_WWW},
        {"p384", {WWW, .key = certs_key(WIRE_KEY_EC_P384, 0)}, FOR_WWW},
        {"ca", {WWW, .is_ca = true, .path_len = -1, .key_usage = CERTS_KEY_USAGE_CA}, FOR_WWW},
        {"client-auth", {WWW, .eku = "1.3.6.1.5.5.7.3.2"}, FOR_WWW},
        {"short-lived", {WWW, DAYS(-1, 1)}, FOR_WWW},
        {"398-days", {WWW, DAYS(-100, 298)}, FOR_WWW},
        {"ten-years", {WWW, DAYS(-1000, 2650)}, FOR_WWW},
        {"until-9999", {WWW, .not_before = now, .not_after = INT64_C(253402300799)}, FOR_WWW},
        {"intranet", {NAMES(CERTS_DNS("intranet"))}, .host = "intranet"},
        {"underscore", {NAMES(CERTS_DNS("my_host.example.com"))}, .host = "my_host.example.com", .beyond_ldh = true},
        {"underscore-in-domain",
         {NAMES(CERTS_DNS("www.my_domain.com"))},
         .host = "www.my_domain.com",
         .beyond_ldh = true},
        {"hyphens", {NAMES(CERTS_DNS("-edge-.-domain-.com"))}, .host = "-edge-.-domain-.com", .beyond_ldh = true},
        {"expired", {WWW, DAYS(-90, -1)}, FOR_WWW, .untrusted = true},
        {"not-yet-valid", {WWW, DAYS(1, 90)}, FOR_WWW, .untrusted = true},
        {"expired-long-ago", {WWW, DAYS(-5000, -4000)}, FOR_WWW, .untrusted = true},
        {"self-signed", {WWW}, NULL, "Nobody", "localhost", FOR_WWW, .untrusted = true},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(servers); i++) {
        mint(servers[i].untrusted ? untrust : trust, servers[i]);
    }
    mg_buffer_free(&teletex);
}

/* A small generator of its own, so that every run makes the same servers. */
static uint32_t next_random(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525 + 1013904223;
    return (*state >> 8) % below;
}

/* Servers with 1 to 100 names of random length, and some addresses among them. */
static void mint_random(struct family *family, uint32_t seed)
{
    static char texts[100][64];
    static struct certs_name names[100];
    static char file_name[32];
    uint32_t state = seed;
    size_t num_names = 1 + next_random(&state, 100);
    for (size_t i = 0; i < num_names; i++) {
        if (i > 0 && next_random(&state, 10) == 0) {
            int len = snprintf(texts[i], sizeof(texts[i]), "%c%c%c%c", 198, 51, 100, (int)i);
            names[i] = (struct certs_name){7, mg_slice_of(texts[i], (size_t)len)};
            continue;
        }
        size_t padding = next_random(&state, 40);
        int len = snprintf(texts[i], sizeof(texts[i]), "h%zu%.*s.example.com", i, (int)padding,
                           "-abcdefghijklmnopqrstuvwxyz0123456789abcd");
        names[i] = (struct certs_name){2, mg_slice_of(texts[i], (size_t)len)};
    }
    snprintf(file_name, sizeof(file_name), "random-%" PRIu32, seed);
    int64_t age_days = next_random(&state, 300);
    mint(family, (struct server){
                     .name = file_name,
                     .spec = {.names = names,
                              .num_names = num_names,
                              .not_before = now - age_days * CERTS_DAY,
                              .not_after = now + next_random(&state, 400) * CERTS_DAY},
                     .common_name = next_random(&state, 2) == 0 ? texts[0] : NULL,
                     .host = texts[0],
                 });
}

static void mint_all(void)
{
    static const struct issuer_options no_pointers;
    static const struct issuer_options pointers = {
        .ca_issuers_url = "http://pki.example.com/issuer.cer",
        .ocsp_url = "http://ocsp.example.com/",
        .crl_url = "http://pki.example.com/issuer.crl",
    };
    static const struct {
        const char *name;
        enum wire_key_type type;
        const struct issuer_options *options;
    } issuers[] = {
        {"p256", WIRE_KEY_EC_P256, &no_pointers},
        {"p384", WIRE_KEY_EC_P384, &no_pointers},
        {"rsa2048", WIRE_KEY_RSA_2048, &no_pointers},
        {"pointers", WIRE_KEY_EC_P256, &pointers},
    };
    struct family untrust;
    family_init(&untrust, "untrust", WIRE_KEY_EC_P256, WIRE_ISSUER_UNTRUST, &no_pointers);
    for (size_t i = 0; i < MG_ARRAY_LEN(issuers); i++) {
        struct family trust;
        family_init(&trust, issuers[i].name, issuers[i].type, WIRE_ISSUER_DEFAULT, issuers[i].options);
        mint_table(&trust, &untrust);
        family_free(&trust);
    }
    struct family trust;
    family_init(&trust, "random", WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT, &no_pointers);
    for (uint32_t seed = 1; seed <= NUM_RANDOM_SERVERS; seed++) {
        mint_random(&trust, seed);
    }
    family_free(&trust);
    family_free(&untrust);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    directory = argv[1];
    now = mg_clock_wall_seconds();
    index_file = open_file("", "index.tsv");
    for (unsigned type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        certs_must(leaf_key_new(&keys[type], (enum leaf_key_type)type) == MG_OK);
    }
    mint_all();
    for (unsigned type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        leaf_key_unref(keys[type]);
    }
    certs_must(fclose(index_file) == 0);
    printf("%u leaves\n", num_leaves);
    return 0;
}
