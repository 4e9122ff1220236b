/* SPDX-License-Identifier: Apache-2.0 */
/* Names and usages of certificates from the texts of an API. Never through OpenSSL's configuration syntax, in which a
 * text could say more than it should. Pure but for memory: any thread. */
#ifndef MINTGATE_CONTROL_NAVER_PCA_NAMES_H
#define MINTGATE_CONTROL_NAVER_PCA_NAMES_H

#include <openssl/x509v3.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

enum pca_name_kind {
    PCA_NAME_HOST,    /* a DNS name, perhaps with a wildcard; with an '@' in it an e-mail address */
    PCA_NAME_ADDRESS, /* IPv4 or IPv6 */
    PCA_NAME_URI,
    PCA_NAME_OTHER, /* OID;UTF8:TEXT */
};

/* pca_names_add adds what |list| holds, with commas in between; NULL or "": nothing. False: one is malformed. */
MG_MUST_USE bool pca_names_add(GENERAL_NAMES *names, enum pca_name_kind kind, const char *list);

/* pca_is_url tells whether certificates may point at |text|, which others then read: http or https, and something
 * behind it, in visible ASCII. */
bool pca_is_url(const char *text);

/* pca_key_usage_of returns OpenSSL's KU_ flag of a word such as DIGITAL_SIGNATURE, digitalSignature or "Digital
 * Signature"; 0 for one that is none, or that end-entities may not have. */
unsigned pca_key_usage_of(const char *word);

/* pca_extended_usage_of returns OpenSSL's NID of a word such as SERVER_AUTH; NID_undef for one that is none. */
int pca_extended_usage_of(const char *word);

#endif
